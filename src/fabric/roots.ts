/**
 * Which roots vouch for which peer: those that its Peer object names and no other, or those of the fabric. Pure.
 *
 * A server cannot know who calls before the handshake, so OpenSSL gets all of these roots there; who may vouch for whom is judged
 * after it (trust.ts). It follows that no root may stand in another's way: see {@link assignRoots}.
 */
import type { X509Certificate } from 'node:crypto';
import { parsePeerRoots } from '../api/peer-roots.ts';
import { ROOT_NAMES_BYTES_MAX } from './limits.ts';
import { parseCertificates } from './peer-identity.ts';
import { toAuthority, type Authority } from './authority-facts.ts';

/** The roots that vouch for one peer, or for all that name none. */
export interface Bundle {
  /** Self-signed CAs: where a chain ends. */
  readonly anchors: readonly Authority[];
  /** CAs that are not: they vouch for nobody, and help where a peer shows its own certificate alone. */
  readonly helpers: readonly Authority[];
  readonly pem: string;
}

export interface AssignedRoots {
  readonly fabric: Bundle;
  /** By peer, of those that name roots: these, or why nobody vouches for it. */
  readonly own: ReadonlyMap<string, Bundle | { readonly problem: string }>;
  /** All of them, each once. Never empty: Node would take an empty text for "the CAs that browsers believe". */
  readonly unionPem: string;
}

/**
 * @param caPem - `fabric.ca` of an identity that was loaded: it can be read.
 * @param textByPeer - the annotation `mcs.clusterlink.net/roots` of each Peer that has one, whatever is in it.
 */
export function assignRoots(caPem: string, textByPeer: ReadonlyMap<string, string>): AssignedRoots {
  const fabric = toBundle(parseCertificates(caPem, 'fabric.ca'), caPem);
  const parsed = new Map<string, Bundle | { readonly problem: string }>();
  for (const peer of [...textByPeer.keys()].sort()) {
    const roots = parsePeerRoots(textByPeer.get(peer) ?? '');
    parsed.set(
      peer,
      roots.ok
        ? toBundle(roots.roots, roots.roots.map((root) => root.toString()).join(''))
        : { problem: roots.message },
    );
  }
  const own = withoutAmbiguous(fabric, parsed);
  const pems = new Map<string, string>();
  let nameBytes = 0;
  const known = new Set(all(fabric).map(({ certificate }) => certificate.fingerprint256));
  for (const [peer, bundle] of own) {
    if ('problem' in bundle) continue;
    const more = bundle.anchors.filter(
      ({ certificate: { fingerprint256 } }) => !known.has(fingerprint256) && !pems.has(fingerprint256),
    );
    const moreBytes = more.reduce((sum, { certificate }) => sum + Buffer.byteLength(certificate.subject), 0);
    if (nameBytes + moreBytes > ROOT_NAMES_BYTES_MAX) {
      own.set(peer, { problem: 'names roots, and there is no room for more of them' });
      continue;
    }
    nameBytes += moreBytes;
    for (const { certificate } of more) pems.set(certificate.fingerprint256, certificate.toString());
  }
  return { fabric, own, unionPem: [`${caPem.trimEnd()}\n`, ...pems.values()].join('') };
}

/** All CAs that may vouch for somebody here: who of them has signed a revocation list is believed about its own certificates. */
export function believedRoots(caPem: string, textByPeer: ReadonlyMap<string, string>): Authority[] {
  const { fabric, own } = assignRoots(caPem, textByPeer);
  const anchors = [fabric, ...own.values()].flatMap((bundle) => ('problem' in bundle ? [] : bundle.anchors));
  return [...new Map(anchors.map((anchor) => [anchor.certificate.fingerprint256, anchor])).values()];
}

function toBundle(certificates: readonly X509Certificate[], pem: string): Bundle {
  const authorities = certificates.filter(({ ca }) => ca).map(toAuthority);
  return {
    anchors: authorities.filter(({ isSelfSigned }) => isSelfSigned),
    helpers: authorities.filter(({ isSelfSigned }) => !isSelfSigned),
    pem,
  };
}

/**
 * OpenSSL finds the signer of a certificate by its name and its key identifier. Two CAs with both the same and different keys
 * would make it take one for the other, and refuse peers of the second: a company could lock out the peers of another by naming
 * its root like theirs. Between such, the fabric's CAs win; of two peers' roots neither counts, since nobody can tell who copied.
 * Names alone may be the same: those of fabrics are, where nobody has chosen one.
 */
function withoutAmbiguous(
  fabric: Bundle,
  parsed: ReadonlyMap<string, Bundle | { readonly problem: string }>,
): Map<string, Bundle | { readonly problem: string }> {
  const namesakes = Map.groupBy(
    [fabric, ...parsed.values()].flatMap((bundle) => ('problem' in bundle ? [] : all(bundle))),
    ({ certificate }) => certificate.subject,
  );
  // One without an identifier is found by its name alone.
  const isLike = (a: Authority, b: Authority): boolean =>
    a.keyFingerprint !== b.keyFingerprint &&
    (a.keyIdentifier === undefined || b.keyIdentifier === undefined || a.keyIdentifier === b.keyIdentifier);
  const isAmbiguous = (root: Authority): boolean =>
    (namesakes.get(root.certificate.subject) ?? []).some((other) => isLike(root, other));
  return new Map(
    [...parsed].map(([peer, bundle]) =>
      'problem' in bundle || !bundle.anchors.some(isAmbiguous)
        ? [peer, bundle]
        : [
            peer,
            { problem: 'names a root that has the name and the key identifier of another CA that is believed here' },
          ],
    ),
  );
}

function all({ anchors, helpers }: Bundle): readonly Authority[] {
  return [...anchors, ...helpers];
}
