/** What comes over the stream of a watch: events, a Status instead of them, or nothing for too long. */
import { AppError } from '../../api/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { isJsonMap, type JsonMap } from '../json.ts';
import { WATCH_SILENCE_MS } from './limits.ts';
import { LineTooLongError } from './lines.ts';
import { AnswerError } from './lister.ts';
import type { FeedFailure } from './store-event.ts';

/** What a watch says that cannot be, or an error that it reports. */
export class WatchError extends Error {
  override readonly name = 'WatchError';
  readonly reason: FeedFailure;

  constructor(reason: FeedFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

const EVENT_TYPES = ['ADDED', 'BOOKMARK', 'DELETED', 'ERROR', 'MODIFIED'] as const;
export interface WatchEvent {
  readonly type: (typeof EVENT_TYPES)[number];
  readonly object: JsonMap;
}

/** @throws {WatchError} `malformed` */
export function parseEvent(line: string): WatchEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (cause) {
    throw new WatchError('malformed', 'a line that is no JSON', { cause });
  }
  const type = isJsonMap(event) ? EVENT_TYPES.find((known) => known === event['type']) : undefined;
  const object = isJsonMap(event) ? event['object'] : undefined;
  if (type === undefined || !isJsonMap(object)) throw new WatchError('malformed', 'a line that is no event');
  return { type, object };
}

/** A Status is small; whatever else it is, its beginning does. */
export async function readStatus(chunks: AsyncIterable<Uint8Array>): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > STATUS_BYTES_MAX) break;
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
const STATUS_BYTES_MAX = 65_536;

/** Aborts when nothing comes for {@link WATCH_SILENCE_MS}, from the first byte on. */
export function startSilence(clock: Clock) {
  const silent = new AbortController();
  let lastMs = clock.nowMs();
  let cancel = (): void => undefined;
  function arm(waitMs: number): void {
    cancel = clock.after(waitMs, () => {
      const leftMs = lastMs + WATCH_SILENCE_MS - clock.nowMs();
      if (leftMs <= 0) silent.abort();
      else arm(leftMs);
    });
  }
  return {
    signal: silent.signal,
    async *listenTo(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      lastMs = clock.nowMs();
      arm(WATCH_SILENCE_MS);
      for await (const chunk of chunks) {
        lastMs = clock.nowMs();
        yield chunk;
      }
    },
    stop: () => cancel(),
  };
}

/** Why a list or a watch ended early, from what was thrown. */
export function reasonOf(error: unknown): FeedFailure {
  if (error instanceof WatchError) return error.reason;
  if (error instanceof LineTooLongError) return 'too-large';
  if (error instanceof AnswerError) return reasonOfStatus(error.status);
  if (!(error instanceof AppError)) return 'cut';
  if (error.code === 'ERR_TIMEOUT') return 'timeout';
  return error.code === 'ERR_BOUND_EXCEEDED' ? 'too-large' : 'unreachable';
}

function reasonOfStatus(status: number): FeedFailure {
  switch (status) {
    case 401:
    case 403:
      return 'forbidden';
    case 404:
      return 'not-served';
    case 410:
      return 'expired';
    case 429:
      return 'overloaded';
    default:
      return status >= 500 ? 'server-error' : 'refused';
  }
}
