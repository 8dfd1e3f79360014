/**
 * The roots that a Peer names for itself: the text of its annotation, as certificates. Pure.
 *
 * An annotation, and no field of the spec: Peer is ClusterLink's kind, and an API server that has ClusterLink's own CRD drops a
 * field that it does not know without a word. The fabric's roots would then count for that peer, and nobody would notice. An
 * annotation reaches us whatever CRD is installed.
 */
import { X509Certificate } from 'node:crypto';
import { PEER_ROOTS_BYTES_MAX, PEER_ROOTS_MAX, ROOT_NAME_BYTES_MAX } from './validation/limits.ts';

export type ParsedRoots =
  | { readonly ok: true; readonly roots: readonly X509Certificate[] }
  | { readonly ok: false; readonly message: string; readonly fix: string };

/** Nothing else may stand in it: what is not understood could be a private key, or a root that was meant to count. */
const CERTIFICATES = /^\s*(?:-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+$/;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
const PUT_ROOT =
  "Put the certificate of that peer's CA there, in PEM, and nothing else; delete it to believe fabric.ca.";

/** From one to {@link PEER_ROOTS_MAX} self-signed CAs, or what is wrong with the text. */
export function parsePeerRoots(text: string): ParsedRoots {
  if (Buffer.byteLength(text) > PEER_ROOTS_BYTES_MAX) {
    return wrong(`is larger than ${PEER_ROOTS_BYTES_MAX} bytes`);
  }
  if (text.includes('PRIVATE KEY')) {
    return {
      ok: false,
      message: 'has a private key in it',
      fix: 'Delete it, and make a new key: whoever can read Peer objects has seen this one.',
    };
  }
  if (!CERTIFICATES.test(text)) return wrong('is not certificates in PEM');
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length > PEER_ROOTS_MAX) return wrong(`has ${blocks.length} certificates, more than ${PEER_ROOTS_MAX}`);
  const roots: X509Certificate[] = [];
  for (const block of blocks) {
    const root = readCertificate(block);
    if (root === undefined) return wrong('has a certificate that cannot be read');
    const problem = problemOf(root);
    if (problem !== undefined) return wrong(problem);
    roots.push(root);
  }
  return { ok: true, roots };
}

function readCertificate(block: string): X509Certificate | undefined {
  try {
    return new X509Certificate(block);
  } catch {
    return undefined;
  }
}

/** An intermediate is no root: who has signed it would vouch too, and nobody has said so. */
function problemOf(root: X509Certificate): string | undefined {
  if (!root.ca) return 'has a certificate that is not a CA';
  if (!root.checkIssued(root) || !root.verify(root.publicKey)) return 'has a CA that is not self-signed';
  return Buffer.byteLength(root.subject) > ROOT_NAME_BYTES_MAX ? 'has a CA with too long a name' : undefined;
}

function wrong(message: string): ParsedRoots {
  return { ok: false, message, fix: PUT_ROOT };
}
