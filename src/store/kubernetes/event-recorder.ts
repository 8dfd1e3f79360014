/**
 * Events of events.k8s.io/v1: what a user reads below `kubectl describe`. Repetitions count up (`series`), each object has a
 * bounded rate, and nothing here ever throws or waits: an event is a courtesy.
 */
import { createHash, randomUUID } from 'node:crypto';
import { formatError } from '../../api/errors.ts';
import { formatKey, keyOf, type KubeObject } from '../../api/object.ts';
import { systemClock, type Clock } from '../../runtime/clock.ts';
import type { JsonMap } from '../json.ts';
import type { ApiAnswer, ApiTransport } from './transport.ts';
import { microTime } from './lease.ts';
import { EVENT_BURST_MAX, EVENT_NAME_CHARS_MAX, EVENT_NOTE_CHARS_MAX, EVENT_OBJECTS_MAX } from './limits.ts';
import { EVENT_REFILL_MS, EVENT_SERIES_LIFE_MS, EVENT_SERIES_MAX, EVENTS_WAITING_MAX } from './limits.ts';
import { REQUEST_TIMEOUT_MS } from './limits.ts';
import type { KubernetesLogger } from './logger.ts';

export interface RecordedEvent {
  /** The object it is about. Events of cluster-scoped ones are in the namespace `default`. */
  readonly regarding: KubeObject;
  readonly related?: KubeObject;
  readonly type: 'Normal' | 'Warning';
  /** Why, in camel case: `NoService`. */
  readonly reason: string;
  /** What was done or tried, in camel case: `Export`. */
  readonly action: string;
  /** A sentence for people; cut at {@link EVENT_NOTE_CHARS_MAX}. */
  readonly note: string;
}

export interface EventRecorder {
  record(event: RecordedEvent): void;
  /** Events that were not written: too many, or refused by the API server. */
  readonly dropped: number;
  /** Resolves when nothing waits any more. */
  idle(): Promise<void>;
}

export interface EventRecorderOptions {
  readonly access: Pick<ApiTransport, 'request'>;
  /** `mcs.clusterlink.net/controller`: a qualified name. */
  readonly component: string;
  /** The pod or process. */
  readonly instance: string;
  readonly logger: KubernetesLogger;
  /** Monotonic. */
  readonly clock?: Clock;
  readonly wallMs?: () => number;
}

interface Series {
  readonly path: string;
  count: number;
  lastMs: number;
}

export function makeEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { access, component, instance, logger, clock = systemClock, wallMs = Date.now } = options;
  const seriesById = new Map<string, Series>();
  const takeToken = makeTokenBuckets(clock);
  let tail: Promise<void> = Promise.resolve();
  let waiting = 0;
  let dropped = 0;
  let hasWarned = false;

  function drop(why: string): void {
    dropped += 1;
    // Once: a role without this right would fill the log.
    if (!hasWarned) logger.warn({ why }, 'Event was dropped');
    hasWarned = true;
  }

  async function write(event: RecordedEvent): Promise<void> {
    const id = idOf(event);
    const series = seriesById.get(id);
    const nowMs = clock.nowMs();
    if (series !== undefined && nowMs - series.lastMs < EVENT_SERIES_LIFE_MS) {
      const count = series.count + 1;
      const body = { series: { count, lastObservedTime: microTime(wallMs()) } };
      const answer = await send('PATCH', series.path, body);
      if (answer.status === 200) {
        Object.assign(series, { count, lastMs: nowMs });
        remember(id, series);
        return;
      }
      // Events live an hour at the server: what is gone is made anew.
      if (answer.status !== 404) return drop(`status ${answer.status}`);
    }
    const made = toEvent(event, { component, instance, wallMs: wallMs() });
    const answer = await send('POST', made.collection, made.body);
    if (answer.status === 201) remember(id, { path: `${made.collection}/${made.name}`, count: 1, lastMs: nowMs });
    else drop(`status ${answer.status}`);
  }

  function remember(id: string, series: Series): void {
    seriesById.delete(id);
    seriesById.set(id, series);
    const [oldest] = seriesById.keys();
    if (seriesById.size > EVENT_SERIES_MAX && oldest !== undefined) seriesById.delete(oldest);
  }

  function send(method: 'PATCH' | 'POST', path: string, body: JsonMap): Promise<ApiAnswer> {
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    return access.request({ method, path, body, contentType, timeoutMs: REQUEST_TIMEOUT_MS });
  }

  return {
    record(event) {
      if (waiting >= EVENTS_WAITING_MAX) return drop('too many are waiting');
      if (!takeToken(objectIdOf(event.regarding))) {
        dropped += 1;
        return;
      }
      waiting += 1;
      tail = tail
        .then(() => write(event))
        .catch((error: unknown) => drop(formatError(error)))
        .finally(() => (waiting -= 1));
    },
    get dropped() {
      return dropped;
    },
    async idle() {
      while (waiting > 0) await tail;
    },
  };
}

/** One bucket an object: {@link EVENT_BURST_MAX} at once, then one in {@link EVENT_REFILL_MS}. */
function makeTokenBuckets(clock: Clock): (id: string) => boolean {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return (id) => {
    const nowMs = clock.nowMs();
    const { tokens, atMs } = buckets.get(id) ?? { tokens: EVENT_BURST_MAX, atMs: nowMs };
    const filled = Math.min(EVENT_BURST_MAX, tokens + (nowMs - atMs) / EVENT_REFILL_MS);
    buckets.delete(id);
    buckets.set(id, { tokens: filled < 1 ? filled : filled - 1, atMs: nowMs });
    const [oldest] = buckets.keys();
    if (buckets.size > EVENT_OBJECTS_MAX && oldest !== undefined) buckets.delete(oldest);
    return filled >= 1;
  };
}

interface Reporter {
  readonly component: string;
  readonly instance: string;
  readonly wallMs: number;
}

function toEvent({ regarding, related, type, reason, action, note }: RecordedEvent, by: Reporter) {
  const { namespace, name: objectName } = keyOf(regarding);
  const place = namespace === '' ? 'default' : namespace;
  const prefix = objectName.slice(0, EVENT_NAME_CHARS_MAX).replace(/[^a-z0-9]+$/, '');
  const name = `${prefix === '' ? 'object' : prefix}.${randomUUID().slice(0, 18)}`;
  const body: JsonMap = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name, namespace: place },
    eventTime: microTime(by.wallMs),
    reportingController: by.component,
    reportingInstance: by.instance.slice(0, QUALIFIED_CHARS_MAX),
    type,
    reason: reason.slice(0, QUALIFIED_CHARS_MAX),
    action: action.slice(0, QUALIFIED_CHARS_MAX),
    note: note.slice(0, EVENT_NOTE_CHARS_MAX),
    regarding: toReference(regarding),
    ...(related === undefined ? {} : { related: toReference(related) }),
  };
  return { name, body, collection: `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(place)}/events` };
}
/** The API's bound on reason, action and instance. */
const QUALIFIED_CHARS_MAX = 128;

function toReference({ apiVersion, kind, metadata = {} }: KubeObject): JsonMap {
  const { namespace, name, uid, resourceVersion } = metadata;
  const entries = Object.entries({ apiVersion, kind, namespace, name, uid, resourceVersion });
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function objectIdOf(object: KubeObject): string {
  return object.metadata?.uid ?? `${object.kind} ${formatKey(keyOf(object))}`;
}

function idOf({ regarding, reason, note }: RecordedEvent): string {
  return createHash('sha256')
    .update(JSON.stringify([objectIdOf(regarding), reason, note]))
    .digest('base64');
}
