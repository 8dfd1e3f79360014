/** What a responder counts: in memory that another thread can read at any time, without a word between them. */
import type { Transport } from './message.ts';
import { RCODE, TYPE } from './records.ts';

export type DropReason = (typeof DROP_REASONS)[number];
/** Never a name or an address that somebody sent: all label values come from short lists. */
const DROP_REASONS = [
  /** The client is of no configured network. */
  'client-not-allowed',
  /** Connections of all clients, or of this one, are at their bound. */
  'connections',
  /** No reply can be sent there. */
  'source-port-zero',
  'rate-limited',
  /** The kernel does not take replies as fast as they are made, or refused one. */
  'send',
  'too-short',
  'too-long',
  /** It is itself a reply. */
  'not-a-query',
  /** A TCP client that stopped in the middle of a query, or does not read. */
  'slow-client',
] as const;

/** Which way a reply was made: see `fast-path.ts`. */
export type ReplyPath = (typeof PATHS)[number];
const PATHS = ['fast', 'full'] as const;
const TRANSPORTS = ['udp', 'tcp'] as const satisfies readonly Transport[];
/** `none`: the question could not be read. */
const TYPES = [...Object.keys(TYPE), 'other', 'none'];
const RCODES = [...Object.keys(RCODE), 'other'];
const TYPE_INDEX = new Map<number | undefined, number>([
  ...Object.entries(TYPE).map(([name, code]) => [code, TYPES.indexOf(name)] as const),
  [undefined, TYPES.indexOf('none')],
]);
const RCODE_INDEX = new Map<number, number>(Object.entries(RCODE).map(([name, code]) => [code, RCODES.indexOf(name)]));

const REPLY_CELLS = TRANSPORTS.length * PATHS.length * TYPES.length * RCODES.length;
const CELLS = REPLY_CELLS + TRANSPORTS.length * DROP_REASONS.length;

export interface ReplyLabels {
  readonly transport: Transport;
  readonly path: ReplyPath;
  /** In words. */
  readonly type: string;
  readonly rcode: string;
}
export interface DropLabels {
  readonly transport: Transport;
  readonly reason: DropReason;
}

export interface Counter {
  /** @param type - undefined where the question could not be read. */
  countReply(transport: Transport, path: ReplyPath, type: number | undefined, rcode: number): void;
  countDrop(transport: Transport, reason: DropReason): void;
}

/** Of one thread that counts. Cells wrap at 2^32: see {@link CountReader}. */
export interface Counts extends Counter {
  readonly memory: SharedArrayBuffer;
}

export function makeCounts(memory = new SharedArrayBuffer(CELLS * Uint32Array.BYTES_PER_ELEMENT)): Counts {
  const cells = new Uint32Array(memory);
  const add = (index: number): void => {
    cells[index] = (cells[index] ?? 0) + 1;
  };
  return {
    memory,
    countReply(transport, path, type, rcode) {
      const typeIndex = TYPE_INDEX.get(type) ?? TYPES.length - 2;
      const rcodeIndex = RCODE_INDEX.get(rcode) ?? RCODES.length - 1;
      const way = (transport === 'udp' ? 0 : 1) * PATHS.length + (path === 'fast' ? 0 : 1);
      add((way * TYPES.length + typeIndex) * RCODES.length + rcodeIndex);
    },
    countDrop: (transport, reason) =>
      add(REPLY_CELLS + (transport === 'udp' ? 0 : DROP_REASONS.length) + DROP_REASONS.indexOf(reason)),
  };
}

export interface CountSink {
  addReplies(labels: ReplyLabels, by: number): void;
  addDrops(labels: DropLabels, by: number): void;
}

export interface CountReader {
  /** Tells what came since the last call; at least once in 2^32 replies of a kind. */
  take(sink: CountSink): void;
}

export function readCounts(memory: SharedArrayBuffer): CountReader {
  const cells = new Uint32Array(memory);
  const told = new Uint32Array(cells.length);
  return {
    take(sink) {
      cells.forEach((_, index) => {
        const now = Atomics.load(cells, index);
        const by = (now - (told[index] ?? 0)) >>> 0;
        told[index] = now;
        if (by === 0) return;
        if (index < REPLY_CELLS) sink.addReplies(replyLabels(index), by);
        else sink.addDrops(dropLabels(index - REPLY_CELLS), by);
      });
    },
  };
}

function replyLabels(index: number): ReplyLabels {
  const rcode = RCODES[index % RCODES.length] ?? 'other';
  const rest = Math.floor(index / RCODES.length);
  const type = TYPES[rest % TYPES.length] ?? 'other';
  const way = Math.floor(rest / TYPES.length);
  const path = PATHS[way % PATHS.length] ?? 'full';
  return { transport: TRANSPORTS[Math.floor(way / PATHS.length)] ?? 'udp', path, type, rcode };
}

function dropLabels(index: number): DropLabels {
  const reason = DROP_REASONS[index % DROP_REASONS.length] ?? 'send';
  return { transport: TRANSPORTS[Math.floor(index / DROP_REASONS.length)] ?? 'udp', reason };
}
