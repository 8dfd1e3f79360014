/**
 * A process of its own: a client that asks for one name every millisecond, times each answer, and says when the answer has an
 * address. With each query goes a datagram to itself: the time that this takes is the client's own, and is taken off that of the answer.
 */
import { createSocket } from 'node:dgram';
import { decode, encode } from 'dns-packet';
import { LOOPBACK as HOST, type Place } from './system.ts';

const PACE_MS = 1;
const RECURSION_DESIRED = 0x0100;
const IDS = 0x10000;

export type WatchOrder =
  | { readonly kind: 'watch'; readonly to: Place; readonly name: string; readonly address: string }
  | { readonly kind: 'take'; readonly fromMs: number; readonly toMs: number };

export type WatchReport =
  | { readonly kind: 'seen'; readonly atMs: number }
  /** Of the queries that waited for an answer at any time from `fromMs` to `toMs`; one that has none has its age. Own time is off. */
  | { readonly kind: 'taken'; readonly longestMs: number; readonly asked: number };

interface Asked {
  readonly sentMs: number;
  answeredMs?: number;
  /** When the datagram to itself was there. */
  mirroredMs?: number;
}

const socket = createSocket('udp4');
const mirror = createSocket('udp4');
let watched: Extract<WatchOrder, { kind: 'watch' }> | undefined;
let query: Buffer = Buffer.alloc(0);
let isSeen = false;
/** By the id of the query: those since the last order to watch. */
const asked = new Map<number, Asked>();
let nextId = 0;

/** One clock for all processes of a machine: CLOCK_MONOTONIC. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function report(message: WatchReport): void {
  process.send?.(message);
}

function ask(): void {
  if (watched === undefined) return;
  nextId = (nextId + 1) % IDS;
  asked.set(nextId, { sentMs: nowMs() });
  const message = Buffer.from(query);
  message.writeUInt16BE(nextId, 0);
  socket.send(message, watched.to.port, watched.to.host);
  mirror.send(message, mirror.address().port, HOST);
}

mirror.on('message', (message) => {
  const one = asked.get(message.readUInt16BE(0));
  if (one !== undefined) one.mirroredMs = nowMs();
});

socket.on('message', (answer) => {
  const atMs = nowMs();
  const one = asked.get(answer.readUInt16BE(0));
  if (one === undefined) return;
  one.answeredMs = atMs;
  if (isSeen || !hasAddress(answer)) return;
  isSeen = true;
  report({ kind: 'seen', atMs });
});

function hasAddress(answer: Buffer): boolean {
  return (decode(answer).answers ?? []).some((record) => record.type === 'A' && record.data === watched?.address);
}

function take({ fromMs, toMs }: Extract<WatchOrder, { kind: 'take' }>): void {
  const now = nowMs();
  const meanwhile = [...asked.values()].filter(
    ({ sentMs, answeredMs = now }) => answeredMs >= fromMs && sentMs <= toMs,
  );
  const waited = meanwhile.map(({ answeredMs = now, mirroredMs = now }) => answeredMs - mirroredMs);
  report({ kind: 'taken', longestMs: Math.max(0, ...waited), asked: meanwhile.length });
}

function watch(order: Extract<WatchOrder, { kind: 'watch' }>): void {
  asked.clear();
  isSeen = false;
  query = encode({ type: 'query', flags: RECURSION_DESIRED, questions: [{ type: 'A', name: order.name }] });
  watched = order;
}

process.on('message', (order: WatchOrder) => (order.kind === 'watch' ? watch(order) : take(order)));
process.on('disconnect', () => process.exit(0));
mirror.bind(0, HOST, () => setInterval(ask, PACE_MS));
