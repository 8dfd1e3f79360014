/** An API server that says what a test tells it to, and a clock that stands until a test moves it. */
import { AppError } from '#src/api/errors.ts';
import type { Clock } from '#src/runtime/clock.ts';
import type { ApiAnswer, ApiRequest, ApiStream, ApiTransport } from '#src/store/kubernetes/transport.ts';

export interface ManualClock extends Clock {
  /** Moves time, and runs what is due, each with all that follows from it. */
  advance(ms: number): Promise<void>;
  readonly timers: number;
}

/** Long enough for every promise that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export function makeManualClock(): ManualClock {
  let nowMs = 0;
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  return {
    nowMs: () => nowMs,
    after(ms, callback) {
      const timer = { atMs: nowMs + ms, callback };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        await settle();
        const due = [...timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (due === undefined) break;
        timers.delete(due);
        nowMs = Math.max(nowMs, due.atMs);
        due.callback();
      }
      nowMs = endMs;
      await settle();
    },
    get timers() {
      return timers.size;
    },
  };
}

/** A watch that the server has open. */
export interface ScriptedWatch {
  readonly path: string;
  readonly query: URLSearchParams;
  /** One event as a line. */
  event(type: string, object: unknown): Promise<void>;
  bytes(text: string): Promise<void>;
  /** The server ends it. */
  end(): Promise<void>;
  /** The connection breaks. */
  cut(): Promise<void>;
  readonly isAborted: boolean;
}

export interface ScriptedServer extends ApiTransport {
  /** Answers lists and everything else in turn, the last one for ever; an error is thrown. */
  answer(...answers: readonly (Error | Partial<ApiAnswer>)[]): void;
  /** What the next watches get instead of a stream. */
  refuseWatch(...answers: readonly (Error | Partial<ApiAnswer>)[]): void;
  /** Requests that were answered, as `GET /path?query`. */
  readonly requests: string[];
  readonly bodies: unknown[];
  readonly watches: ScriptedWatch[];
  /** The newest watch. */
  watch(): ScriptedWatch;
}

export function makeScriptedServer(): ScriptedServer {
  let answers: (Error | Partial<ApiAnswer>)[] = [];
  const refusals: (Error | Partial<ApiAnswer>)[] = [];
  const requests: string[] = [];
  const bodies: unknown[] = [];
  const watches: ScriptedWatch[] = [];

  function openWatch(request: ApiRequest): ApiStream {
    const [path = '', query = ''] = request.path.split('?');
    const queue: (Error | Uint8Array | undefined)[] = [];
    let wake = (): void => undefined;
    const push = async (item: Error | Uint8Array | undefined): Promise<void> => {
      queue.push(item);
      wake();
      await settle();
    };
    request.signal?.addEventListener('abort', () => void push(new Error('aborted')));
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (;;) {
        while (queue.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        const item = queue.shift();
        if (item === undefined) return;
        if (item instanceof Error) throw item;
        yield item;
      }
    }
    watches.push({
      path,
      query: new URLSearchParams(query),
      event: (type, object) => push(Buffer.from(`${JSON.stringify({ type, object })}\n`)),
      bytes: (text) => push(Buffer.from(text)),
      end: () => push(undefined),
      cut: () => push(new Error('socket hang up')),
      get isAborted() {
        return request.signal?.aborted ?? false;
      },
    });
    return { status: 200, chunks: chunks() };
  }

  return {
    answer(...given) {
      answers = [...given];
    },
    refuseWatch: (...given) => void refusals.push(...given),
    requests,
    bodies,
    watches,
    watch() {
      const newest = watches.at(-1);
      if (newest === undefined) throw new Error('no watch was opened');
      return newest;
    },
    request(request) {
      request.signal?.throwIfAborted();
      requests.push(`${request.method} ${request.path}`);
      bodies.push(request.body);
      const next = answers.length > 1 ? answers.shift() : answers[0];
      if (next instanceof Error) return Promise.reject(next);
      return Promise.resolve({ status: 200, body: undefined, ...next });
    },
    stream(request) {
      const refusal = refusals.shift();
      if (refusal instanceof Error) return Promise.reject(refusal);
      if (refusal === undefined) return Promise.resolve(openWatch(request));
      const { body, ...head } = { status: 200, body: undefined, ...refusal };
      const chunks = (async function* () {
        yield await Promise.resolve(Buffer.from(JSON.stringify(body ?? {})));
      })();
      return Promise.resolve({ ...head, chunks });
    },
  };
}

export function unreachable(): AppError {
  return new AppError('ERR_STORE_UNAVAILABLE', 'API server of test: ECONNREFUSED', { retryable: true });
}

export interface ObjectParts {
  readonly version: number;
  readonly uid?: string;
  readonly managedFields?: unknown;
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** A ServiceExport as an API server gives it. */
export function exportOf(name: string, { version, uid, managedFields, ...parts }: ObjectParts) {
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceExport',
    metadata: {
      namespace: 'shop',
      name,
      uid: uid ?? `uid of ${name}`,
      resourceVersion: String(version),
      ...(managedFields === undefined ? {} : { managedFields }),
    },
    ...parts,
  };
}

export function pageOf(version: number, items: readonly unknown[], more?: string): Partial<ApiAnswer> {
  const metadata = { resourceVersion: String(version), ...(more === undefined ? {} : { continue: more }) };
  return { status: 200, body: { kind: 'List', metadata, items } };
}

export function statusOf(code: number, reason: string, parts: object = {}): Partial<ApiAnswer> {
  const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: reason, reason, code, ...parts };
  return { status: code, body };
}
