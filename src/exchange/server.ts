/** The exporter's side: tells each peer the records it may see, as a snapshot and then as changes. */
import { isDeepStrictEqual } from 'node:util';
import { formatKey, parseKey } from '../api/object.ts';
import type { ExportRecord } from '../api/record.ts';
import { digestOf, hashOf, type Hashed } from './digest.ts';
import { DIGEST_INTERVAL_MS, IMPORTER_LINES_AT_ONCE_MAX, IMPORTER_LINES_PER_SECOND_MAX } from './limits.ts';
import { parseImporterMessage, type ExporterMessage, type ImporterMessage } from './messages.ts';
import { makePace } from './pace.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ExchangeHandlers, ExchangeStream } from './transport.ts';

export type PeerReport = Extract<ImporterMessage, { op: 'report' }>;

export interface ExchangeServerOptions {
  /** The uid of this installation. */
  readonly epoch: string;
  readonly clock: Clock;
  onReport(peer: string, report: PeerReport): void;
  onProblem(peer: string, problem: string): void;
}

export interface ExchangeServer {
  /** A peer has opened an exchange stream. */
  accept(peer: string, stream: ExchangeStream): ExchangeHandlers;
  /** What each peer may see now. Until the first call nobody is answered: a half-known catalogue would read as withdrawals. */
  publish(visibleTo: (peer: string) => readonly ExportRecord[]): void;
  /** The revocation lists in force here, base64 or PEM: told to everybody who understands them. Until the first call none. */
  publishRevocations(lists: readonly string[]): void;
  /** Its Peer object has gone. */
  forget(peer: string): void;
  close(): void;
}

/** One importer that listens. */
interface Subscription {
  readonly peer: string;
  readonly stream: ExchangeStream;
  /** Its `watch`, until it is answered. */
  watch: Extract<ImporterMessage, { op: 'watch' }> | undefined;
  /** What it is told, or is being told: by `namespace/name`. Undefined before its snapshot. */
  told: Map<string, Hashed> | undefined;
  /** What is still to be said; made as the stream takes it, so that nothing queues for a slow importer. */
  speech: Iterator<ExporterMessage> | undefined;
  /** What it may see could differ from what it is told. */
  isStale: boolean;
  /** It understands revocation lists. */
  hearsRevocations: boolean;
  /** It has not been told those of now. */
  owesRevocations: boolean;
  writable: boolean;
}

export function makeExchangeServer({ epoch, clock, onReport, onProblem }: ExchangeServerOptions): ExchangeServer {
  const subscriptions = new Set<Subscription>();
  let visibleTo: ((peer: string) => readonly ExportRecord[]) | undefined;
  let revocations: readonly string[] | undefined;
  const pace = makePace({ intervalMs: 1_000 / IMPORTER_LINES_PER_SECOND_MAX, burst: IMPORTER_LINES_AT_ONCE_MAX });
  let cancelBeat = (): void => undefined;

  /** Says what there is to say while the stream takes it. */
  function pump(subscription: Subscription): void {
    while (subscription.writable && subscriptions.has(subscription)) {
      subscription.speech ??= nextSpeech(subscription);
      const next = subscription.speech?.next();
      if (next === undefined) return;
      if (next.done === true) subscription.speech = undefined;
      else subscription.writable = subscription.stream.send(next.value);
    }
  }

  function nextSpeech(subscription: Subscription): Iterator<ExporterMessage> | undefined {
    const { peer, watch, told, isStale, owesRevocations } = subscription;
    if (visibleTo === undefined || (watch === undefined && (told === undefined || !isStale))) {
      // After the snapshot: an importer takes nothing else inside of one.
      if (told === undefined || !owesRevocations || revocations === undefined) return undefined;
      subscription.owesRevocations = false;
      const lists: ExporterMessage = { op: 'revocations', lists: revocations };
      return [lists].values();
    }
    const records = visibleTo(peer);
    const seen = new Map(records.map((record) => [formatKey(record), toHashed(record)]));
    Object.assign(subscription, { watch: undefined, isStale: false, told: seen });
    if (watch === undefined) return sayChanges({ records, seen, told: told ?? new Map() });
    return saySnapshot({ records, digest: digestOf(seen.values()), have: watch.have, epoch });
  }

  function beat(): void {
    cancelBeat = clock.after(DIGEST_INTERVAL_MS, () => {
      for (const subscription of subscriptions) {
        subscription.isStale = true;
        pump(subscription);
        const { told, speech, writable, stream } = subscription;
        if (told === undefined || speech !== undefined || !writable) continue;
        subscription.writable = stream.send({ op: 'digest', digest: digestOf(told.values()) });
      }
      beat();
    });
  }
  beat();

  return {
    accept(peer, stream) {
      const subscription: Subscription = {
        peer,
        stream,
        watch: undefined,
        told: undefined,
        speech: undefined,
        isStale: false,
        hearsRevocations: false,
        owesRevocations: false,
        writable: true,
      };
      subscriptions.add(subscription);
      return {
        onLine(line) {
          try {
            const message = parseImporterMessage(line);
            const restMs = pace.spend(peer, 1);
            if (message.op === 'report') {
              onReport(peer, message);
              return restMs;
            }
            const hearsRevocations = message.features?.includes('revocations') === true;
            Object.assign(subscription, { watch: message, told: undefined, speech: undefined });
            Object.assign(subscription, { hearsRevocations, owesRevocations: hearsRevocations });
            pump(subscription);
            return restMs;
          } catch (error) {
            onProblem(peer, error instanceof Error ? error.message : String(error));
            subscriptions.delete(subscription);
            stream.close();
            return 0;
          }
        },
        onWritable() {
          subscription.writable = true;
          pump(subscription);
        },
        onClosed() {
          subscriptions.delete(subscription);
        },
      };
    },
    publish(next) {
      visibleTo = next;
      for (const subscription of subscriptions) {
        subscription.isStale = true;
        pump(subscription);
      }
    },
    publishRevocations(lists) {
      if (isDeepStrictEqual(lists, revocations)) return;
      revocations = [...lists];
      for (const subscription of subscriptions) {
        subscription.owesRevocations = subscription.hearsRevocations;
        pump(subscription);
      }
    },
    forget: (peer) => pace.forget(peer),
    close() {
      cancelBeat();
      for (const { stream } of subscriptions) stream.close();
      subscriptions.clear();
    },
  };
}

/** Records never change in place, and most are the same ones each time. */
const hashedByRecord = new WeakMap<ExportRecord, Hashed>();

function toHashed(record: ExportRecord): Hashed {
  const present = hashedByRecord.get(record);
  if (present !== undefined) return present;
  const hashed = { namespace: record.namespace, name: record.name, hash: hashOf(record) };
  hashedByRecord.set(record, hashed);
  return hashed;
}

function* saySnapshot(input: {
  readonly records: readonly ExportRecord[];
  readonly digest: string;
  readonly have: string | null;
  readonly epoch: string;
}): Generator<ExporterMessage> {
  const { records, digest, have, epoch } = input;
  if (have === digest) {
    yield { op: 'unchanged' };
    return;
  }
  for (const record of records) yield { op: 'record', record };
  yield { op: 'synced', digest, epoch };
}

function* sayChanges(input: {
  readonly records: readonly ExportRecord[];
  readonly seen: ReadonlyMap<string, Hashed>;
  readonly told: ReadonlyMap<string, Hashed>;
}): Generator<ExporterMessage> {
  const { records, seen, told } = input;
  // First, since an importer that is told as much as it takes has room for no other.
  for (const key of told.keys()) if (!seen.has(key)) yield { op: 'withdrawn', ...parseKey(key) };
  for (const record of records) {
    const key = formatKey(record);
    if (told.get(key)?.hash !== seen.get(key)?.hash) yield { op: 'record', record };
  }
}
