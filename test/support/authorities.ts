/** CAs that `create fabric` does not make: with intermediates below them, with rules about names, or that pass for others. */
import { X509Certificate as NodeCertificate } from 'node:crypto';
import type { CertificateAndKey } from '#src/fabric/authority.ts';
import {
  makeKeyPair,
  makeSerialNumber,
  P256_SIGNING,
  parsePrivateKey,
  toKeyPem,
  toSigningKey,
} from '#src/fabric/keys.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '#src/fabric/x509.ts';

const YEAR_MS = 365 * 86_400_000;

/** nameConstraints that permit DNS names below "x" (RFC 5280 §4.2.1.10). */
const NAME_CONSTRAINTS = new Extension('2.5.29.30', true, Buffer.from('3007a0053003820178', 'hex'));

export async function makeAuthority(options: {
  readonly name: string;
  /** Who signs it; absent: itself. */
  readonly by?: CertificateAndKey;
  /** A certificate whose key identifier it claims to have. */
  readonly likeKeyOf?: string;
  readonly constrained?: 'yes';
  /** Further parts of its name. */
  readonly units?: readonly string[];
}): Promise<CertificateAndKey> {
  const { name, by, likeKeyOf, constrained, units = [] } = options;
  const subject = [{ CN: [name] }, ...units.map((unit) => ({ OU: [unit] }))];
  const keys = await makeKeyPair();
  const keyPem = toKeyPem(keys.privateKey);
  const issuer = by === undefined ? undefined : new X509Certificate(by.certPem);
  const signer = toSigningKey(parsePrivateKey(by?.keyPem ?? keyPem, 'a test key'), 'a test key');
  const copied =
    likeKeyOf === undefined ? null : new X509Certificate(likeKeyOf).getExtension(SubjectKeyIdentifierExtension);
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: issuer?.subjectName ?? subject,
    publicKey: keys.publicKey,
    signingKey: signer.key,
    signingAlgorithm: by === undefined ? P256_SIGNING : signer.algorithm,
    serialNumber: makeSerialNumber(),
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + YEAR_MS),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      copied ?? (await SubjectKeyIdentifierExtension.create(keys.publicKey)),
      ...(issuer === undefined ? [] : [await AuthorityKeyIdentifierExtension.create(issuer.publicKey)]),
      ...(constrained === undefined ? [] : [NAME_CONSTRAINTS]),
    ],
  });
  const certPem = `${certificate.toString('pem')}\n`;
  // What cannot be read by the platform would show nothing.
  new NodeCertificate(certPem);
  return { certPem, keyPem };
}
