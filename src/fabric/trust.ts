/**
 * Whether the owner of a certificate is believed to be a peer: asked at every handshake, and anew whenever roots, revocation
 * lists or the time have changed.
 *
 * OpenSSL has judged the handshake, with all roots that are in force here. What it cannot know is judged here: which of them may
 * vouch for this name, what was revoked, and what has expired since.
 */
import type { X509Certificate } from 'node:crypto';
import { ANNOTATIONS } from '../api/names.ts';
import { REASONS } from '../api/reasons.ts';
import { toAuthority, type Authority } from './authority-facts.ts';
import type { Distrust } from './distrust.ts';
import { CHAIN_MAX } from './limits.ts';
import { toSerial, type RevokedSerials } from './revoked-serials.ts';
import { assignRoots, type Bundle } from './roots.ts';

export interface TrustInput {
  /** The name of this peer: its siblings carry it, and no root but the fabric's vouches for it. */
  readonly self: string;
  /** `fabric.ca` of an identity that was loaded: it can be read. */
  readonly caPem: string;
  /** By peer, of those that name roots of their own: the text of the annotation, whatever is in it. */
  readonly rootsByPeer?: ReadonlyMap<string, string>;
  readonly revoked?: readonly RevokedSerials[];
}

export interface Trust {
  /** PEM: the roots that a server believes, all of them, since it cannot know who calls. Never empty. */
  readonly serverCaPem: string;
  /** PEM: the roots that vouch for a peer that is dialled. Never empty. */
  rootsFor(
    peer: string,
  ): { readonly ok: true; readonly caPem: string } | { readonly ok: false; readonly why: Distrust };
  /** Why the certificate does not prove this name; undefined: it does. */
  judge(question: {
    readonly peer: string;
    /** With the chain that came with it. */
    readonly certificate: X509Certificate;
    readonly nowMs: number;
  }): Distrust | undefined;
}

/** What does not change while trust stays the same. */
type Standing = { readonly why: Distrust } | { readonly validToMs: number };

export function makeTrust({ self, caPem, rootsByPeer = new Map(), revoked = [] }: TrustInput): Trust {
  const { fabric, own, unionPem } = assignRoots(caPem, rootsByPeer);
  const revokedKeys = new Set(revoked.flatMap(({ issuer, serials }) => serials.map((serial) => `${issuer} ${serial}`)));
  const standings = new WeakMap<X509Certificate, Map<string, Standing>>();

  function bundleFor(peer: string): Bundle | { readonly problem: string } {
    return (peer === self ? undefined : own.get(peer)) ?? fabric;
  }

  function standingOf(peer: string, certificate: X509Certificate): Standing {
    const known = standings.get(certificate) ?? new Map<string, Standing>();
    const standing = known.get(peer) ?? judgeChains(peer, certificate);
    standings.set(certificate, known.set(peer, standing));
    return standing;
  }

  function judgeChains(peer: string, leaf: X509Certificate): Standing {
    const bundle = bundleFor(peer);
    if ('problem' in bundle) return { why: problemOf(peer, bundle.problem) };
    const chains = tryChainsOf(leaf, bundle).filter(isPermitted);
    const good = chains.filter((chain) => !isRevoked(leaf, chain));
    if (good.length > 0) {
      // The root may be there twice, for the same key: the one that lasts longest counts.
      return { validToMs: Math.max(...good.map((chain) => validToMsOf(leaf, chain))) };
    }
    if (chains.length > 0) {
      const message = `peer ${peer}: its certificate, serial ${toSerial(leaf.serialNumber)}, was revoked`;
      return { why: { reason: REASONS.Revoked, message } };
    }
    const roots = bundle === fabric ? 'that is in fabric.ca' : 'that its Peer object names';
    return {
      why: {
        reason: REASONS.PeerRootMismatch,
        message: `peer ${peer}: its certificate is not signed by a CA ${roots}`,
      },
    };
  }

  function isRevoked(leaf: X509Certificate, chain: readonly Authority[]): boolean {
    return chain.some(({ keyFingerprint }, index) => {
      const issued = index === 0 ? leaf : chain[index - 1]?.certificate;
      return issued !== undefined && revokedKeys.has(`${keyFingerprint} ${toSerial(issued.serialNumber)}`);
    });
  }

  return {
    serverCaPem: unionPem,
    rootsFor(peer) {
      const bundle = bundleFor(peer);
      return 'problem' in bundle
        ? { ok: false, why: problemOf(peer, bundle.problem) }
        : { ok: true, caPem: bundle.pem };
    },
    judge({ peer, certificate, nowMs }) {
      const standing = standingOf(peer, certificate);
      if ('why' in standing) return standing.why;
      if (nowMs <= standing.validToMs) return undefined;
      const message = `peer ${peer}: its certificate has expired on ${new Date(standing.validToMs).toISOString()}`;
      return { reason: REASONS.CertExpired, message };
    },
  };
}

function problemOf(peer: string, problem: string): Distrust {
  const message = `peer ${peer}: nobody vouches for it, since the annotation ${ANNOTATIONS.roots} of its Peer ${problem}`;
  return { reason: REASONS.PeerRootMismatch, message };
}

/** None where something in it cannot be read: what a peer has sent must not end the process. */
function tryChainsOf(leaf: X509Certificate, bundle: Bundle): Authority[][] {
  try {
    return chainsOf(leaf, bundle);
  } catch {
    return [];
  }
}

/** All ways from a certificate to an anchor: the CAs on it, the signer of the certificate first. */
function chainsOf(leaf: X509Certificate, { anchors, helpers }: Bundle): Authority[][] {
  const chains: Authority[][] = [];
  const between: Authority[] = [];
  let link = leaf;
  while (between.length + 1 < CHAIN_MAX) {
    for (const anchor of anchors) if (isSignedBy(link, anchor.certificate)) chains.push([...between, anchor]);
    const sent = nextSent(link, anchors);
    const signer =
      sent === undefined ? helpers.find(({ certificate }) => isSignedBy(link, certificate)) : toAuthority(sent);
    if (signer === undefined) break;
    between.push(signer);
    link = signer.certificate;
  }
  return chains;
}

/** What came along and has signed the link. A root that came along too was looked at already. */
function nextSent(link: X509Certificate, anchors: readonly Authority[]): X509Certificate | undefined {
  const sent: X509Certificate | undefined = link.issuerCertificate;
  if (sent === undefined || sent.fingerprint256 === link.fingerprint256) return undefined;
  if (anchors.some(({ certificate }) => certificate.fingerprint256 === sent.fingerprint256)) return undefined;
  return isSignedBy(link, sent) ? sent : undefined;
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/**
 * OpenSSL may have come to another root than the one that counts here, by a CA with the same key: what the CAs on this way say of
 * its length is asked again, and where one of them vouches for certain names only, nobody has asked whether this is one of them.
 */
function isPermitted(chain: readonly Authority[]): boolean {
  return chain.every(({ pathLengthMax, isConstrained }, index) => index <= pathLengthMax && !isConstrained);
}

function validToMsOf(leaf: X509Certificate, chain: readonly Authority[]): number {
  return Math.min(...[leaf, ...chain.map(({ certificate }) => certificate)].map((link) => link.validToDate.getTime()));
}
