/**
 * Two ends of a conversation in one process that keeps the manners of one between a process and its worker: messages are
 * cloned when posted, arrive in order, and on a later turn. Code that runs over it runs over a MessagePort too.
 */
import { AppError } from '../api/errors.ts';
import { CHANNEL_MESSAGES_MAX } from './limits.ts';

export interface ChannelEnd<Out, In> {
  /**
   * Sends a copy. After either end was closed it does nothing.
   *
   * @throws {AppError} `ERR_BOUND_EXCEEDED` when {@link CHANNEL_MESSAGES_MAX} messages wait.
   * @throws {DOMException} `DataCloneError` for a message that cannot be cloned (functions, sockets).
   */
  post(message: Out): void;
  /** Sets who hears. What came before waits for the first listener. */
  onMessage(listener: (message: In) => void): void;
  /** Called once, after the last message, when the other end has closed. */
  onClose(listener: () => void): void;
  /** Ends both ways: what this end has posted still arrives, what it has not heard yet is dropped. */
  close(): void;
}

export interface ChannelPair<Down, Up> {
  /** The end of whoever makes the worker. */
  readonly parent: ChannelEnd<Down, Up>;
  readonly child: ChannelEnd<Up, Down>;
}

export function makeChannelPair<Down, Up>(): ChannelPair<Down, Up> {
  const down = makeLane<Down>();
  const up = makeLane<Up>();
  return { parent: makeEnd(down, up), child: makeEnd(up, down) };
}

function makeEnd<Out, In>(out: Lane<Out>, into: Lane<In>): ChannelEnd<Out, In> {
  return {
    post: (message) => out.push(message),
    onMessage: (listener) => into.listen(listener),
    onClose: (listener) => into.onEnd(listener),
    close() {
      into.cancel();
      out.end();
    },
  };
}

/** One direction. */
interface Lane<Message> {
  push(message: Message): void;
  listen(listener: (message: Message) => void): void;
  /** From the writer: nothing follows. */
  end(): void;
  onEnd(listener: () => void): void;
  /** From the reader: nothing is wanted any more. */
  cancel(): void;
}

function makeLane<Message>(): Lane<Message> {
  let queue: Message[] = [];
  let listener: ((message: Message) => void) | undefined;
  let endListener: (() => void) | undefined;
  let state: 'open' | 'ended' | 'told' | 'cancelled' = 'open';
  let scheduled = false;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(deliver);
  }

  /** One batch a turn: what a listener posts in answer waits for the next. */
  function deliver(): void {
    scheduled = false;
    const batch = listener === undefined ? [] : queue.splice(0);
    let delivered = 0;
    try {
      for (const message of batch) {
        if (state === 'cancelled') return;
        delivered++;
        listener?.(message);
      }
    } finally {
      // A listener that throws crashes the process, as it would in a worker; if somebody catches that, nothing is lost.
      if (delivered < batch.length && state !== 'cancelled') {
        queue = [...batch.slice(delivered), ...queue];
        schedule();
      }
    }
    if (state === 'ended' && queue.length === 0 && endListener !== undefined) {
      state = 'told';
      endListener();
    }
  }

  return {
    push(message) {
      if (state !== 'open') return;
      const copy = copyOf(message);
      if (queue.length >= CHANNEL_MESSAGES_MAX) {
        throw new AppError('ERR_BOUND_EXCEEDED', `channel: ${CHANNEL_MESSAGES_MAX} messages wait for the other end`);
      }
      queue.push(copy);
      schedule();
    },
    listen(newListener) {
      listener = newListener;
      schedule();
    },
    end() {
      if (state !== 'open') return;
      state = 'ended';
      schedule();
    },
    onEnd(newListener) {
      endListener = newListener;
      schedule();
    },
    cancel() {
      state = 'cancelled';
      queue = [];
    },
  };
}

/** Most messages are small records of plain values, for which the general way costs twenty times as much. */
function copyOf<Message>(message: Message): Message {
  return isRecord(message) ? copyRecord(message, 1) : structuredClone(message);
}

/** @param depth - how far records within it are looked into; where there is more, or anything else, it is cloned in the general way. */
function copyRecord<T extends object>(record: T, depth: number): T {
  const copy = { ...record } as Record<string, unknown>;
  for (const key in copy) {
    const value = copy[key];
    if (isPlainValue(value)) continue;
    if (depth === 0 || !isRecord(value)) return structuredClone(record);
    copy[key] = copyRecord(value, depth - 1);
  }
  return copy as T;
}

function isPlainValue(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol');
}

function isRecord(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype;
}
