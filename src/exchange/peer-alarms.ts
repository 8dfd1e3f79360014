/** Says aloud what is wrong between this peer and another: in the log once, in metrics, and in the status of its Peer object. */
import { dateConditions, findCondition } from '../api/conditions.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import type { Condition } from '../api/object.ts';
import { toTimestamp } from '../api/timestamp.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { CachesOf } from '../store/caches.ts';
import type { Store } from '../store/store.ts';
import type { LedgerLimit } from './ledger.ts';
import type { Hold } from './losses.ts';
import { desiredPeerConditions, type Usage } from './peer-conditions.ts';

/** The field manager of these conditions, apart from the one that says whether a peer can be reached; frozen. */
export const EXCHANGE_STATUS_MANAGER = 'clusterlink-mcs-gateway-exchange';

/** What is counted of a peer. */
export interface ExchangeMetrics {
  /** Undefined: nothing is known of it any more. */
  onUsage(peer: string, usage: Usage | undefined): void;
  onHeld(peer: string, records: number | undefined): void;
  onRefused(peer: string, limit: LedgerLimit): void;
  /** So many exports that it may see are not told to it, since it takes no more. */
  onLeftOut(peer: string, exports: number): void;
  /** It has said all its records, or that nothing has changed, and what it said is what is here. */
  onConfirmed(peer: string): void;
}

export interface PeerState {
  readonly hold: Hold | undefined;
  /** Installations that claim its name at once; empty when there is one. */
  readonly duplicates: readonly string[];
  readonly usage: Usage;
}

export interface PeerAlarmsOptions {
  readonly store: Store;
  readonly caches: CachesOf<'Peer'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ExchangeMetrics;
}

export interface PeerAlarms {
  /** Log and metrics at once; the conditions on change only. */
  tell(peer: string, state: PeerState): Promise<void>;
  /** Its Peer object is gone, or another replica speaks of it. */
  forget(peer: string): void;
}

export function makePeerAlarms({ store, caches, clock, logger, metrics }: PeerAlarmsOptions): PeerAlarms {
  const told = new Map<string, PeerState>();

  function log(peer: string, { hold, duplicates }: PeerState, before: PeerState | undefined): void {
    if (hold !== undefined && hold.since !== before?.hold?.since) {
      logger.warn({ peer, ...hold }, 'Records that a peer does not name any more are held');
    }
    if (hold === undefined && before?.hold !== undefined)
      logger.info({ peer }, 'No records of a peer are held any more');
    if (duplicates.length > 0 && before?.duplicates.length !== duplicates.length) {
      logger.warn({ peer, epochs: duplicates }, 'Two installations claim one peer: its records are frozen');
    }
    if (duplicates.length === 0 && (before?.duplicates.length ?? 0) > 0) {
      logger.info({ peer }, 'One installation speaks for a peer again');
    }
  }

  return {
    async tell(peer, state) {
      const before = told.get(peer);
      told.set(peer, state);
      log(peer, state, before);
      metrics.onUsage(peer, state.usage);
      metrics.onHeld(peer, state.hold?.records ?? 0);
      const object = caches.Peer.get({ namespace: SYSTEM_NAMESPACE, name: peer });
      if (object === undefined) return;
      const present = object.status?.conditions;
      const observedGeneration = object.metadata?.generation ?? 1;
      const drafts = desiredPeerConditions({ peer, ...state, present, observedGeneration });
      const conditions = dateConditions(drafts, present, toTimestamp(clock.nowMs()));
      const isSame = conditions.every((condition) => isSaid(condition, findCondition(present, condition.type)));
      if (isSame) return;
      await store.applyStatus(
        {
          apiVersion: object.apiVersion,
          kind: 'Peer',
          metadata: { namespace: SYSTEM_NAMESPACE, name: peer },
          status: { conditions },
        },
        { fieldManager: EXCHANGE_STATUS_MANAGER, force: true },
      );
    },
    forget(peer) {
      if (!told.delete(peer)) return;
      metrics.onUsage(peer, undefined);
      metrics.onHeld(peer, undefined);
    },
  };
}

function isSaid(wanted: Condition, present: Condition | undefined): boolean {
  return present?.status === wanted.status && present.reason === wanted.reason && present.message === wanted.message;
}
