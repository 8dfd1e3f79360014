/** What a peer that is out of its mind might send: a sensible conversation, spoiled here and there. */
import fc from 'fast-check';
import { encodeHeader, FLAGS, FRAME_TYPES, type FrameHeader } from '#src/gateway/yamux/frame.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';

const { data, windowUpdate, ping, goAway } = FRAME_TYPES;

/** Frames of a dialler that keeps to the protocol, for most of the ids that it picks. */
const FRAME: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(odd(), bytes()).map(([id, payload]) => frame({ streamId: id }, payload)) },
  { weight: 3, arbitrary: fc.tuple(odd(), bytes()).map(([id, payload]) => opening(id, payload)) },
  { weight: 2, arbitrary: odd().map((id) => frame({ streamId: id, flags: FLAGS.fin })) },
  { weight: 1, arbitrary: any().map((id) => frame({ type: windowUpdate, streamId: id, flags: FLAGS.rst })) },
  { weight: 2, arbitrary: fc.tuple(even(), bytes()).map(([id, payload]) => frame({ streamId: id }, payload)) },
  { weight: 2, arbitrary: fc.tuple(any(), fc.nat(400_000)).map(([id, length]) => granting(id, length)) },
  { weight: 1, arbitrary: fc.nat(9).map((length) => frame({ type: ping, flags: FLAGS.syn, streamId: 0, length })) },
  { weight: 1, arbitrary: fc.nat(3).map((length) => frame({ type: goAway, streamId: 0, length })) },
);

function odd(): fc.Arbitrary<number> {
  return fc.nat(5).map((index) => 1 + 2 * index);
}

/** Of the streams that the session under test opens. */
function even(): fc.Arbitrary<number> {
  return fc.nat(1).map((index) => 2 + 2 * index);
}

function any(): fc.Arbitrary<number> {
  return fc.oneof(odd(), even());
}

function bytes(): fc.Arbitrary<Buffer> {
  return fc.oneof(fc.nat(300), fc.nat(70_000)).map((length) => Buffer.alloc(length, length));
}

function frame(header: Partial<FrameHeader>, payload: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([
    encodeHeader({ type: data, flags: 0, streamId: 1, length: payload.length, ...header }),
    payload,
  ]);
}

function opening(streamId: number, payload: Buffer): Buffer {
  return frame({ streamId, flags: FLAGS.syn }, payload);
}

function granting(streamId: number, length: number): Buffer {
  return frame({ type: windowUpdate, streamId, length });
}

/** Where it strikes: a part of the whole. */
const AT = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
type Spoil = (whole: Buffer) => Buffer;

const at = (whole: Buffer, part: number): number => Math.floor(part * whole.length);

const SPOIL: fc.Arbitrary<Spoil> = fc.oneof(
  fc.tuple(AT, fc.integer({ min: 1, max: 255 })).map(
    ([part, bits]): Spoil =>
      (whole) =>
        flip(whole, part, bits),
  ),
  fc.tuple(AT, fc.nat(40)).map(([part, length]): Spoil => (whole) => {
    const from = at(whole, part);
    return Buffer.concat([whole.subarray(0, from), whole.subarray(from + length)]);
  }),
  fc.tuple(AT, fc.uint8Array({ maxLength: 40 })).map(([part, put]): Spoil => (whole) => {
    const from = at(whole, part);
    return Buffer.concat([whole.subarray(0, from), put, whole.subarray(from)]);
  }),
  fc.tuple(AT, AT, fc.nat(200)).map(([part, other, length]): Spoil => (whole) => {
    const [from, to] = [at(whole, part), at(whole, other)];
    return Buffer.concat([whole.subarray(0, to), whole.subarray(from, from + length), whole.subarray(to)]);
  }),
);

function flip(whole: Buffer, part: number, bits: number): Buffer {
  const spoiled = Buffer.from(whole);
  const index = at(whole, part);
  if (index < spoiled.length) spoiled[index] = (spoiled[index] ?? 0) ^ bits;
  return spoiled;
}

/** Bytes that a session has to bear, in the pieces in which they come. A report names it by its size: the seed has the rest. */
export interface Conversation {
  readonly pieces: readonly Buffer[];
  [fc.toStringMethod](): string;
}

/** Half of them are not spoiled. */
export const CONVERSATION: fc.Arbitrary<Conversation> = fc
  .tuple(
    fc.array(FRAME, { minLength: 1, maxLength: 40 }),
    fc.oneof(fc.constant<Spoil[]>([]), fc.array(SPOIL, { minLength: 1, maxLength: 4 })),
    fc.array(AT, { maxLength: 6 }),
  )
  .map(([frames, spoils, cuts]) => {
    let whole: Buffer = Buffer.concat([opening(1, Buffer.alloc(0)), ...frames]);
    for (const spoil of spoils) whole = spoil(whole);
    const marks = cuts.map((part) => at(whole, part)).sort((a, b) => a - b);
    return {
      pieces: [0, ...marks].map((from, index) => whole.subarray(from, marks[index] ?? whole.length)),
      [fc.toStringMethod]: () => `${whole.length} bytes, cut at ${marks.join(', ')}`,
    };
  });

/** What the one who serves the streams does with one of them; it depends on its id alone. */
export function serveSomehow(stream: YamuxStream): void {
  switch (stream.id % 5) {
    case 0:
      return; // Never read.
    case 1:
      stream.on('data', (piece: Buffer) => void stream.write(piece)).on('end', () => stream.end());
      return;
    case 2:
      stream.resume().end(Buffer.alloc(50_000));
      return;
    case 3:
      stream.once('data', () => stream.reset());
      return;
    default:
      stream.on('data', () => {
        stream.pause();
        setImmediate(() => stream.resume());
      });
      stream.write(Buffer.alloc(300_000));
  }
}
