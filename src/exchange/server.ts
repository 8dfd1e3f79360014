/** The exporter's side: tells each peer the records it may see, as a snapshot and then as changes. */
import { formatKey } from '../api/object.ts';
import type { ExportRecord } from '../api/record.ts';
import { canonicalJson, digestOf } from './digest.ts';
import { DIGEST_INTERVAL_MS } from './limits.ts';
import { parseImporterMessage, type ExporterMessage, type ImporterMessage } from './messages.ts';
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
  close(): void;
}

/** One importer that listens. */
interface Subscription {
  readonly peer: string;
  readonly stream: ExchangeStream;
  /** Its `watch`, until it was answered. */
  watch: Extract<ImporterMessage, { op: 'watch' }> | undefined;
  /** What it knows: canonical JSON by key. Undefined before its snapshot. */
  sent: Map<string, string> | undefined;
}

export function makeExchangeServer({ epoch, clock, onReport, onProblem }: ExchangeServerOptions): ExchangeServer {
  const subscriptions = new Set<Subscription>();
  let visibleTo: ((peer: string) => readonly ExportRecord[]) | undefined;
  let cancelBeat = (): void => undefined;

  function serve(subscription: Subscription): void {
    if (visibleTo === undefined) return;
    const records = visibleTo(subscription.peer);
    if (subscription.sent !== undefined) sendChanges(subscription, records);
    else if (subscription.watch !== undefined) sendSnapshot(subscription, records, subscription.watch.have);
  }

  function sendSnapshot(subscription: Subscription, records: readonly ExportRecord[], have: string | null): void {
    const digest = digestOf(records);
    if (have === digest) say(subscription, { op: 'unchanged' });
    else {
      for (const record of records) say(subscription, { op: 'record', record });
      say(subscription, { op: 'synced', digest, epoch });
    }
    subscription.sent = new Map(records.map((record) => [formatKey(record), canonicalJson(record)]));
    subscription.watch = undefined;
  }

  function beat(): void {
    cancelBeat = clock.after(DIGEST_INTERVAL_MS, () => {
      for (const subscription of subscriptions) {
        if (subscription.sent === undefined || visibleTo === undefined) continue;
        serve(subscription);
        say(subscription, { op: 'digest', digest: digestOf(visibleTo(subscription.peer)) });
      }
      beat();
    });
  }
  beat();

  return {
    accept(peer, stream) {
      const subscription: Subscription = { peer, stream, watch: undefined, sent: undefined };
      subscriptions.add(subscription);
      return {
        onLine(line) {
          try {
            const message = parseImporterMessage(line);
            if (message.op === 'report') return onReport(peer, message);
            subscription.watch = message;
            subscription.sent = undefined;
            serve(subscription);
          } catch (error) {
            onProblem(peer, error instanceof Error ? error.message : String(error));
            subscriptions.delete(subscription);
            stream.close();
          }
        },
        onClosed() {
          subscriptions.delete(subscription);
        },
      };
    },
    publish(next) {
      visibleTo = next;
      for (const subscription of subscriptions) serve(subscription);
    },
    close() {
      cancelBeat();
      for (const { stream } of subscriptions) stream.close();
      subscriptions.clear();
    },
  };
}

function sendChanges(subscription: Subscription, records: readonly ExportRecord[]): void {
  const before = subscription.sent ?? new Map<string, string>();
  const after = new Map<string, string>();
  for (const record of records) {
    const key = formatKey(record);
    const json = canonicalJson(record);
    after.set(key, json);
    if (before.get(key) !== json) say(subscription, { op: 'record', record });
  }
  for (const key of before.keys()) {
    if (after.has(key)) continue;
    const [namespace = '', name = ''] = key.split('/');
    say(subscription, { op: 'withdrawn', namespace, name });
  }
  subscription.sent = after;
}

function say({ stream }: Subscription, message: ExporterMessage): void {
  stream.send(message);
}
