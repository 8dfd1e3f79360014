/** Certificates that our own signer would refuse to make, under the CA of a test fabric. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { makeKeyPair, P256_SIGNING, parsePrivateKey, toKeyPem, toSigningKey } from '#src/fabric/keys.ts';
import { SubjectAlternativeNameExtension, X509Certificate, X509CertificateGenerator } from '#src/fabric/x509.ts';
import type { TestFabric } from './fabric.ts';

const HOUR_MS = 3_600_000;

export async function makeOddIdentity(
  { path }: Pick<TestFabric, 'path'>,
  {
    sans,
    notAfter = new Date(Date.now() + HOUR_MS),
    fabric = 'test',
  }: { readonly sans: readonly string[]; readonly notAfter?: Date; readonly fabric?: string },
): Promise<PeerIdentity> {
  const folder = join(path, fabric);
  const [caPem, caKeyPem] = await Promise.all(
    ['cert.pem', 'key.pem'].map((file) => readFile(join(folder, file), 'utf8')),
  );
  const keys = await makeKeyPair();
  const leaf = await X509CertificateGenerator.create({
    subject: `CN=${sans[0] ?? ''}`,
    issuer: new X509Certificate(caPem ?? '').subject,
    publicKey: keys.publicKey,
    signingKey: toSigningKey(parsePrivateKey(caKeyPem ?? '', 'CA'), 'CA').key,
    signingAlgorithm: P256_SIGNING,
    notBefore: new Date(notAfter.getTime() - 2 * HOUR_MS),
    notAfter,
    extensions: [new SubjectAlternativeNameExtension(sans.map((value) => ({ type: 'dns' as const, value })))],
  });
  const keyPem = toKeyPem(keys.privateKey);
  return { peer: sans[0] ?? '', keyPem, certPem: leaf.toString('pem'), caPem: caPem ?? '', notAfter };
}
