/** Certificates for test API servers: two authorities a server (one for it, one for its clients) and what they sign. */
import { createPublicKey } from 'node:crypto';
import { stringify } from 'yaml';
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
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '#src/fabric/x509.ts';

/** Longer than any run of tests; one hour back, for tests that set clocks. */
const LIFE_MS = 7 * 86_400_000;
const BACK_MS = 3_600_000;

export interface Subject {
  /** The user name that Kubernetes reads from the certificate (CN). */
  readonly user: string;
  /** The groups (O). */
  readonly groups?: readonly string[];
  /** IP addresses for a serving certificate. */
  readonly addresses?: readonly string[];
}

export async function makeAuthority(name: string): Promise<CertificateAndKey> {
  const keys = await makeKeyPair();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    keys,
    ...validity(),
    serialNumber: makeSerialNumber(),
    signingAlgorithm: P256_SIGNING,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certPem: `${certificate.toString('pem')}\n`, keyPem: toKeyPem(keys.privateKey) };
}

export async function signCertificate(
  authority: CertificateAndKey,
  { user, groups = [], addresses = [] }: Subject,
): Promise<CertificateAndKey> {
  const keys = await makeKeyPair();
  const signer = toSigningKey(parsePrivateKey(authority.keyPem, 'authority'), 'authority');
  const organization = groups.length === 0 ? [] : [{ O: [...groups] }];
  const certificate = await X509CertificateGenerator.create({
    issuer: new X509Certificate(authority.certPem).subject,
    subject: [...organization, { CN: [user] }],
    publicKey: keys.publicKey,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    ...validity(),
    serialNumber: makeSerialNumber(),
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]),
      ...(addresses.length === 0
        ? []
        : [new SubjectAlternativeNameExtension(addresses.map((value) => ({ type: 'ip', value })))]),
    ],
  });
  return { certPem: `${certificate.toString('pem')}\n`, keyPem: toKeyPem(keys.privateKey) };
}

/** A pair of keys that signs service account tokens: what it signs with, and the public half it checks with. */
export async function makeTokenKeys(): Promise<{ readonly privatePem: string; readonly publicPem: string }> {
  const privatePem = toKeyPem((await makeKeyPair()).privateKey);
  return {
    privatePem,
    publicPem: createPublicKey(privatePem).export({ type: 'spki', format: 'pem' }).toString(),
  };
}

export interface KubeconfigParts {
  readonly name: string;
  readonly url: string;
  readonly serverCa: string;
  readonly identity: CertificateAndKey;
}

/** A kubeconfig file with one cluster, one user and one context, all of that name; it holds a key. */
export function toKubeconfig({ name, url, serverCa, identity }: KubeconfigParts): string {
  const data = (pem: string): string => Buffer.from(pem).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: url, 'certificate-authority-data': data(serverCa) } }],
    users: [
      {
        name,
        user: { 'client-certificate-data': data(identity.certPem), 'client-key-data': data(identity.keyPem) },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  });
}

function validity(): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - BACK_MS), notAfter: new Date(now + LIFE_MS) };
}
