/** One worker process: a data plane as it would be in the main process, with its channel over the pipe to it. */
import { inspect } from 'node:util';
import { AppError } from '../../api/errors.ts';
import type { PeerIdentity } from '../../fabric/files.ts';
import type { ChannelEnd } from '../../runtime/channel.ts';
import { setHeapGrowth } from '../../runtime/heap-growth.ts';
import type { PlaceClaims } from '../listeners.ts';
import type { DownMessage, UpMessage } from '../messages.ts';
import { startDataPlane, type DataPlane } from '../plane.ts';
import { makeLeases, type Leases } from './leases.ts';
import type { FromWorker, Place, ToWorker, WorkerError } from './messages.ts';
import { fromWorkerOutbound } from './outbound.ts';
import { makeProcessChannel } from './process-channel.ts';

/** What a worker that has failed may take to reset what is open. */
const CRASH_TIMEOUT_MS = 1_000;

type Start = Extract<ToWorker, { kind: 'start' }>;

export function runWorker(): void {
  setHeapGrowth();
  const channel = makeProcessChannel<FromWorker, ToWorker>(process);
  const places = makeClaims((message) => channel.post(message));
  let leases: Leases | undefined;
  let identity: PeerIdentity | undefined;
  let plane: DataPlane | undefined;
  const planeChannel = makePlaneChannel((message) => channel.post({ kind: 'up', message }));

  async function start({ options, identity: first, first: messages }: Start): Promise<void> {
    identity = first;
    leases = makeLeases({
      workers: options.workers ?? 1,
      post: (request) => channel.post({ kind: 'lease', ...request }),
    });
    for (const message of messages) planeChannel.deliver(message);
    try {
      const { outbound, ...same } = options;
      plane = await startDataPlane({
        ...same,
        ...(outbound === undefined ? {} : { outbound: fromWorkerOutbound(outbound) }),
        identity: () => identity ?? first,
        places: places.claims,
        shares: leases.shares,
        channel: planeChannel.end,
      });
      channel.post({ kind: 'started' });
    } catch (error) {
      channel.post({ kind: 'failed', error: toWorkerError(error) });
      channel.close();
    }
  }

  async function end(): Promise<void> {
    await plane?.close();
    channel.close();
    process.disconnect?.();
  }

  // What is open ends with a reset, as everything does that did not end well: left to the kernel it would look like an end.
  process.once('uncaughtException', (error) => {
    process.stderr.write(`${inspect(error)}\n`);
    setTimeout(() => process.exit(1), CRASH_TIMEOUT_MS);
    void (plane?.close() ?? Promise.resolve()).finally(() => process.exit(1));
  });
  // Whoever has no main process any more serves nobody: nothing would be denied to it, and nobody would see it.
  channel.onClose(() => process.exit(0));
  channel.onMessage((message) => {
    switch (message.kind) {
      case 'start':
        return void start(message);
      case 'identity':
        identity = message.identity;
        return;
      case 'down':
        return planeChannel.deliver(message.message);
      case 'claimed':
        return places.answer(message.id, message.code);
      case 'leased':
        return leases?.answer(message);
      case 'tight':
        return leases?.tighten(message.key);
      case 'end':
        return void end();
    }
  });
  channel.post({ kind: 'loaded' });
}

/**
 * What came before the data plane listens is delivered when it begins to, at once: it knows its peers before its own listener is
 * open, and so refuses none of them as a stranger.
 */
function makePlaneChannel(post: (message: UpMessage) => void) {
  let listener: ((message: DownMessage) => void) | undefined;
  const held: DownMessage[] = [];
  const end: ChannelEnd<UpMessage, DownMessage> = {
    post,
    onMessage(newListener) {
      listener = newListener;
      for (const message of held.splice(0)) newListener(message);
    },
    onClose: () => undefined,
    close: () => undefined,
  };
  return {
    end,
    deliver(message: DownMessage): void {
      if (listener === undefined) held.push(message);
      else listener(message);
    },
  };
}

/** Places are the main process's to give: it alone sees who else listens. */
function makeClaims(post: (message: FromWorker) => void) {
  const waiting = new Map<number, (code: string | undefined) => void>();
  let last = 0;
  const claims: PlaceClaims = {
    claim(place: Place) {
      const id = ++last;
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      waiting.set(id, resolve);
      post({ kind: 'claim', id, place });
      return promise;
    },
    release: (place: Place) => post({ kind: 'release', place }),
  };
  return {
    claims,
    answer(id: number, code: string | undefined): void {
      waiting.get(id)?.(code);
      waiting.delete(id);
    },
  };
}

function toWorkerError(error: unknown): WorkerError {
  if (!(error instanceof AppError)) return { message: error instanceof Error ? error.message : String(error) };
  return { code: error.code, message: error.message, ...(error.fix === undefined ? {} : { fix: error.fix }) };
}
