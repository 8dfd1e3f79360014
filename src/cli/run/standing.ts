/** How peers, their records and imports stand, as metrics: what the alerts of monitoring/ are made of. */
import { formatKey } from '../../api/object.ts';
import { REASONS } from '../../api/reasons.ts';
import type { ExchangeMetrics } from '../../exchange/peer-alarms.ts';
import type { ImportObservation, PeerObservation } from '../../gateway/messages.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Metrics } from '../../runtime/metrics.ts';

export interface Standing {
  onPeer(observation: PeerObservation): void;
  onImport(observation: ImportObservation): void;
  /** `namespace/name` of the imports that there are; others are spoken of no more. */
  retainImports(objects: ReadonlySet<string>): void;
  readonly onConfirmed: ExchangeMetrics['onConfirmed'];
  /** When this replica last heard that the records of a peer here are all there are, ms since 1970; undefined: it has not. */
  confirmedMs(peer: string): number | undefined;
}

/** The age of records of a peer that has confirmed none yet: since 1970, so that no threshold is too long for it. */
const NEVER = 0;

export interface StandingOptions {
  readonly metrics: Pick<Metrics, 'importWithoutSource' | 'peerCertificateExpiry' | 'recordsConfirmed'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

export function makeStanding({ metrics, clock }: StandingOptions): Standing {
  const { importWithoutSource, peerCertificateExpiry, recordsConfirmed } = metrics;
  const known = new Set<string>();
  const confirmed = new Map<string, number>();
  const withoutSource = new Set<string>();

  function forgetPeer(peer: string): void {
    known.delete(peer);
    confirmed.delete(peer);
    peerCertificateExpiry.remove({ peer });
    recordsConfirmed.remove({ peer });
  }

  /** By one up and one down: so it stays right for imports that share "other". */
  function setWithoutSource(object: string, state: 'has none' | 'has some'): void {
    const isSet = withoutSource.has(object);
    if (isSet === (state === 'has none')) return;
    importWithoutSource.add({ import: object }, isSet ? -1 : 1);
    if (!isSet) return void withoutSource.add(object);
    withoutSource.delete(object);
    importWithoutSource.remove({ import: object });
  }

  return {
    onPeer({ name: peer, reason, certificateExpires }) {
      if (reason === REASONS.PeerUnknown) return forgetPeer(peer);
      if (!known.has(peer)) recordsConfirmed.set({ peer }, NEVER);
      known.add(peer);
      // The last one that it has shown, also while there is no session: it may have expired.
      if (certificateExpires !== undefined) {
        peerCertificateExpiry.set({ peer }, Math.floor(Date.parse(certificateExpires) / 1000));
      }
    },
    onImport({ key, sources }) {
      setWithoutSource(formatKey(key), sources.some(({ usable }) => usable) ? 'has some' : 'has none');
    },
    retainImports(objects) {
      for (const object of withoutSource) if (!objects.has(object)) setWithoutSource(object, 'has some');
    },
    onConfirmed(peer) {
      if (!known.has(peer)) return;
      const nowMs = clock.nowMs();
      confirmed.set(peer, nowMs);
      recordsConfirmed.set({ peer }, Math.floor(nowMs / 1000));
    },
    confirmedMs: (peer) => confirmed.get(peer),
  };
}
