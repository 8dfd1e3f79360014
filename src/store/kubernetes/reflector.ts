/**
 * One kind as an API server has it: a complete list, then its changes, for ever.
 *
 *     list --ok--> replaced -> watch --ends, cut, silent, 429, 5xx--> wait -> watch from the last version seen
 *      ^  failed: wait            |
 *      '-- 410, 403, 404, makes no sense twice --'
 *
 * It never ends but by `close`, and never takes a list that failed for an empty one: until the next complete list what was
 * known stays. Waits have full jitter and start again from the least when a watch makes progress.
 */
import type { KindName } from '../../api/kinds.ts';
import type { Clock } from '../../runtime/clock.ts';
import { isJsonMap } from '../json.ts';
import type { ApiTransport } from './transport.ts';
import { makeBackOff } from './back-off.ts';
import { EVENT_BYTES_MAX, LIST_PAGE_OBJECTS, LIST_PAGE_OBJECTS_MAX, WATCH_OPEN_TIMEOUT_MS } from './limits.ts';
import { WATCH_SECONDS_MAX, WATCH_SECONDS_MIN, WATCH_SILENCE_MS } from './limits.ts';
import { splitLines } from './lines.ts';
import { AnswerError, listAll } from './lister.ts';
import { withQuery } from './paths.ts';
import { receive, type Received } from './received.ts';
import type { FeedFailure, StoreEvent } from './store-event.ts';
import { parseEvent, readStatus, reasonOf, startSilence, WatchError } from './watch-stream.ts';

/** Told in order, one call at a time. */
export interface ReflectorSink {
  /** Everything there is. */
  replaced(objects: readonly Received[]): void;
  changed(object: Received): void;
  /** With its last form. */
  deleted(object: Received): void;
  /** What keeps the kind from being current; undefined when it is again. */
  failed(failure: FailureReport | undefined): void;
}

export interface FailureReport {
  readonly reason: FeedFailure;
  readonly verb: 'list' | 'watch';
  /** The server's answer, or what was thrown. */
  readonly error: unknown;
}

export interface ReflectorOptions {
  readonly kind: KindName;
  /** Only objects with such labels; default all. */
  readonly selector: string | undefined;
  readonly transport: ApiTransport;
  /** The path of the collection, of the version that is served now; undefined when none is. */
  readonly resolve: () => Promise<string | undefined>;
  readonly sink: ReflectorSink;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onEvent: (event: StoreEvent) => void;
}

export interface Reflector {
  /** Lists again now, on a path resolved anew. */
  restart(): void;
  close(): void;
}

/** How a watch ended: go on from the last version, or list again. */
type WatchEnd = 'again' | 'relist';

/** A watch that says things that make no sense is opened again once; then a list tells how it is. */
const SENSELESS_MAX = 2;

export function startReflector(options: ReflectorOptions): Reflector {
  const { kind, selector, transport, resolve, sink, clock, random, onEvent } = options;
  const backOff = makeBackOff(random);
  let closing = new AbortController();
  let isClosed = false;
  let pageObjects = LIST_PAGE_OBJECTS;
  let senseless = 0;
  /** Whether the list before was asked for since a version was too old: a server whose versions expire at once is waited for. */
  let hasExpired = false;

  async function run(): Promise<void> {
    while (!isClosed) {
      // A new one for each round, so that `restart` ends this round and no other.
      closing = new AbortController();
      const { signal } = closing;
      try {
        await listThenWatch(signal);
      } catch (error) {
        if (isClosed || signal.aborted) continue;
        report('list', error);
        await pause(error, signal);
      }
    }
  }

  async function listThenWatch(signal: AbortSignal): Promise<void> {
    const path = await resolve();
    if (path === undefined) throw new WatchError('not-served', 'the server does not serve it');
    const startMs = clock.nowMs();
    const { objects, resourceVersion } = await listAll({ transport, kind, path, selector, pageObjects, signal });
    if (signal.aborted) return;
    pageObjects = LIST_PAGE_OBJECTS;
    onEvent({ type: 'listed', kind, objects: objects.length, durationMs: clock.nowMs() - startMs });
    sink.replaced(objects);
    sink.failed(undefined);
    const position = { resourceVersion };
    while (!signal.aborted && (await watchOnce(path, position, signal)) === 'again');
  }

  async function watchOnce(path: string, position: Position, signal: AbortSignal): Promise<WatchEnd> {
    const progress = { seen: false };
    try {
      await followWatch({ path, position, signal, progress });
      // The server ends a watch at its timeout. One that ends without a word is waited for like a failure.
      if (!progress.seen) await pause(undefined, signal);
      return 'again';
    } catch (error) {
      if (signal.aborted) return 'again';
      const reason = reasonOf(error);
      report('watch', error);
      // After an outage the version is too old: that is no failure more, and clients wait for what has changed since.
      if (reason === 'expired' && !hasExpired) {
        hasExpired = true;
        return 'relist';
      }
      senseless = reason === 'malformed' || reason === 'server-error' ? senseless + 1 : 0;
      await pause(error, signal);
      if (senseless < SENSELESS_MAX && !NEEDS_LIST.has(reason)) return 'again';
      senseless = 0;
      return 'relist';
    }
  }

  async function followWatch({ path, position, signal, progress }: FollowOptions): Promise<void> {
    const silence = startSilence(clock);
    try {
      const seconds = Math.round(WATCH_SECONDS_MIN + random() * (WATCH_SECONDS_MAX - WATCH_SECONDS_MIN));
      const { status, chunks, retryAfterMs } = await transport.stream({
        method: 'GET',
        path: withQuery(path, {
          watch: 'true',
          allowWatchBookmarks: 'true',
          resourceVersion: position.resourceVersion,
          timeoutSeconds: seconds,
          labelSelector: selector,
        }),
        timeoutMs: WATCH_OPEN_TIMEOUT_MS,
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (status !== 200) {
        const body = await readStatus(chunks);
        throw new AnswerError({ status, body, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
      }
      onEvent({ type: 'watching', kind });
      sink.failed(undefined);
      for await (const line of splitLines(silence.listenTo(chunks), EVENT_BYTES_MAX)) {
        if (signal.aborted) return;
        takeEvent(line, position);
        if (!progress.seen) {
          progress.seen = true;
          hasExpired = false;
          backOff.reset();
        }
      }
    } catch (error) {
      throw silence.signal.aborted ? new WatchError('silent', `nothing for ${WATCH_SILENCE_MS} ms`) : error;
    } finally {
      silence.stop();
    }
  }

  function takeEvent(line: string, position: Position): void {
    const event = parseEvent(line);
    if (event.type === 'ERROR') {
      const code = event.object['code'];
      throw new AnswerError({ status: typeof code === 'number' ? code : 500, body: event.object });
    }
    const version = isJsonMap(event.object['metadata']) ? event.object['metadata']['resourceVersion'] : undefined;
    if (event.type !== 'BOOKMARK') {
      const received = receive(kind, event.object);
      if (received === undefined) throw new WatchError('malformed', `an event ${event.type} without an object`);
      if (event.type === 'DELETED') sink.deleted(received);
      else sink.changed(received);
    }
    if (typeof version === 'string' && version !== '') position.resourceVersion = version;
  }

  function report(verb: 'list' | 'watch', error: unknown): void {
    const reason = reasonOf(error);
    onEvent({ type: verb === 'list' ? 'list-failed' : 'watch-failed', kind, reason });
    // Ordinary ends of a watch are no problem of anybody; one that cannot be opened again is.
    if (verb === 'list' || backOff.failures > 0 || reason === 'forbidden') sink.failed({ reason, verb, error });
    if (reason === 'expired' && verb === 'list') pageObjects = Math.min(pageObjects * 2, LIST_PAGE_OBJECTS_MAX);
  }

  function pause(error: unknown, signal: AbortSignal): Promise<void> {
    const askedMs = error instanceof AnswerError ? (error.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(askedMs, backOff.nextMs());
    const { promise, resolve: wake } = Promise.withResolvers<void>();
    const cancel = clock.after(waitMs, wake);
    const onAbort = (): void => wake();
    if (signal.aborted) wake();
    signal.addEventListener('abort', onAbort);
    return promise.finally(() => {
      cancel();
      signal.removeEventListener('abort', onAbort);
    });
  }

  void run();
  return {
    restart() {
      backOff.reset();
      closing.abort();
    },
    close() {
      isClosed = true;
      closing.abort();
    },
  };
}

/** Where the watch stands. */
interface Position {
  resourceVersion: string;
}

interface FollowOptions {
  readonly path: string;
  readonly position: Position;
  readonly signal: AbortSignal;
  readonly progress: { seen: boolean };
}

const NEEDS_LIST: ReadonlySet<FeedFailure> = new Set(['expired', 'forbidden', 'not-served', 'refused', 'too-large']);
