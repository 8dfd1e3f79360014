/**
 * The revocation lists of this process: from its own file and from what peers have said, to what is in force in the data plane
 * and is passed on; with their log lines and metrics.
 *
 * What peers say is kept in PeerRecords, so that it outlives this process, and every replica comes to the same lists.
 */
import { X509Certificate } from 'node:crypto';
import { formatError } from '../../api/errors.ts';
import { ANNOTATIONS } from '../../api/names.ts';
import { followLists, readLists } from '../../fabric/follow-lists.ts';
import { CRLS_MAX } from '../../fabric/limits.ts';
import { makeListsInForce } from '../../fabric/lists-in-force.ts';
import { toRevokedSerials, type RevocationList } from '../../fabric/revocation.ts';
import type { RevokedSerials } from '../../fabric/revoked-serials.ts';
import { makeTrust } from '../../fabric/trust.ts';
import type { Config } from '../../runtime/config.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { CachesOf } from '../../store/caches.ts';
import type { Identity } from './identity.ts';

export interface Revocations {
  /** Who is revoked: for the data plane. */
  revoked(): readonly RevokedSerials[];
  /** Whether this peer's own certificate is among them. */
  isOwnRevoked(): boolean;
  /** The lists in force, DER in base64: for other peers. */
  lists(): readonly string[];
  /** The result ends it. */
  onChange(listener: () => void): () => void;
  close(): void;
}

export interface RevocationsOptions {
  readonly config: Pick<Config, 'fabric' | 'peer'>;
  readonly identity: Identity;
  /** Synced. */
  readonly caches: CachesOf<'Peer' | 'PeerRecords'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Between two looks at the file; tests shorten it. */
  readonly lookMs?: number;
}

/** Between two looks whether a list has become stale. */
const STALE_INTERVAL_MS = 60_000;
/** Changes of objects that come together are looked at together. */
const UPDATE_DELAY_MS = 50;
/** Of a fingerprint, in metrics and log lines: enough to tell the roots of a fabric apart. */
const FINGERPRINT_DIGITS = 16;

/**
 * Resolves when what is known at the start is in force.
 *
 * @throws {AppError} as {@link readLists}: later a file that does not do changes nothing, but at the start there is nothing in force
 *   that it could leave, and whoever was revoked would be let in.
 */
export async function startRevocations(options: RevocationsOptions): Promise<Revocations> {
  const { config, identity, caches, logger, metrics, lookMs } = options;
  if (config.fabric.crl !== undefined) await readLists(config.fabric.crl);
  const inForce = makeListsInForce();
  const listeners = new Set<() => void>();
  let fromFile: readonly string[] = [];
  let lists: readonly RevocationList[] = [];
  let seen = '';
  let isOwnRevoked = false;
  let isOpen = false;
  /** Lists of the file that nobody who is believed has signed, and that were told. */
  let toldForeign = '';
  const stale = new Set<string>();

  /** Level-driven: whatever is known when it runs. */
  function update(): void {
    const input = gather();
    const text = JSON.stringify([input.caPem, identity.current().certPem, [...input.rootsByPeer], input.texts]);
    if (text === seen) return;
    const before = lists;
    const updated = inForce.update(input);
    lists = updated.inForce;
    seen = text;
    if (lists.map(({ digest }) => digest).join() !== before.map(({ digest }) => digest).join()) tellChange(before);
    tellForeign(updated.foreign.filter((list) => fromFile.includes(list.text)).length);
    judgeOwn();
  }

  function tellForeign(count: number): void {
    const told = count === 0 ? '' : `${count} of ${config.fabric.crl ?? ''}`;
    if (told !== '' && told !== toldForeign) {
      logger.warn(
        { lists: count, file: config.fabric.crl },
        'Revocation lists of the file revoke nobody: no CA that is believed here has signed them',
      );
    }
    toldForeign = told;
  }

  function gather(): Parameters<typeof inForce.update>[0] {
    const rootsByPeer = new Map(
      caches.Peer.list().flatMap(({ metadata }) => {
        const roots = metadata?.annotations?.[ANNOTATIONS.roots];
        return roots === undefined ? [] : [[metadata?.name ?? '', roots] as const];
      }),
    );
    const said = caches.PeerRecords.list().flatMap(({ spec }) => spec.revocations ?? []);
    return { caPem: identity.current().caPem, rootsByPeer, texts: [...new Set([...fromFile, ...said])].sort() };
  }

  function tellChange(before: readonly RevocationList[]): void {
    for (const { issuer } of before) {
      if (!lists.some((list) => list.issuer === issuer)) metrics.crlNextUpdateSeconds.remove({ issuer: short(issuer) });
    }
    for (const { issuer, digest, number, entries } of lists) {
      if (before.some((list) => list.digest === digest)) continue;
      const told = { issuer: short(issuer), number: number.toString(), revoked: entries.length };
      logger.info(told, 'Revocation list in force');
    }
    tellAges();
    for (const listener of listeners) listener();
  }

  function tellAges(): void {
    for (const { issuer, nextUpdateMs } of lists) {
      if (nextUpdateMs === undefined) continue;
      const leftMs = nextUpdateMs - Date.now();
      metrics.crlNextUpdateSeconds.set({ issuer: short(issuer) }, leftMs / 1000);
      if (leftMs > 0) stale.delete(issuer);
      else if (!stale.has(issuer)) {
        stale.add(issuer);
        logger.warn(
          { issuer: short(issuer), due: new Date(nextUpdateMs).toISOString() },
          'Revocation list is stale, and stays in force. Fix: "npx clusterlink-mcs renew crl" at the owner of that CA',
        );
      }
    }
  }

  /** The others will not take it: whoever runs this must hear of it here. */
  function judgeOwn(): void {
    const { certPem, caPem } = identity.current();
    const trust = makeTrust({ self: config.peer, caPem, revoked: lists.map(toRevokedSerials) });
    const why = trust.judge({ peer: config.peer, certificate: new X509Certificate(certPem), nowMs: Date.now() });
    const isRevoked = why?.reason === 'REVOKED';
    metrics.certificateRevoked.set(isRevoked ? 1 : 0);
    if (isRevoked && !isOwnRevoked) {
      logger.error(
        { reason: why.reason },
        `This peer's own certificate was revoked: others refuse it. Fix: ask the owner of the fabric for a new one`,
      );
    }
    isOwnRevoked = isRevoked;
  }

  let due: NodeJS.Timeout | undefined;
  function updateSoon(): void {
    if (!isOpen) return;
    due ??= setTimeout(() => {
      due = undefined;
      update();
    }, UPDATE_DELAY_MS);
  }
  const endFollowing =
    config.fabric.crl === undefined
      ? () => undefined
      : await followLists({
          file: config.fabric.crl,
          onChange(found) {
            fromFile = found;
            updateSoon();
          },
          onProblem: (error) =>
            logger.warn({ error: formatError(error) }, 'Revocation lists stay as they were: the file does not do'),
          ...(lookMs === undefined ? {} : { lookMs }),
        });
  update();
  isOpen = true;
  const timer = setInterval(tellAges, STALE_INTERVAL_MS);
  const stops = [
    caches.Peer.onChange(updateSoon),
    caches.PeerRecords.onChange(updateSoon),
    identity.onChange(updateSoon),
    endFollowing,
  ];

  return {
    revoked: () => lists.map(toRevokedSerials),
    isOwnRevoked: () => isOwnRevoked,
    // Of more than peers take, those of the fabric, which all of them know.
    lists: () => lists.slice(0, CRLS_MAX).map(({ text }) => text),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      clearTimeout(due);
      clearInterval(timer);
      stops.forEach((stop) => stop());
    },
  };
}

function short(fingerprint: string): string {
  return fingerprint.slice(0, FINGERPRINT_DIGITS);
}
