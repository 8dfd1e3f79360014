import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { FRAME_TYPES, HEADER_BYTES, makeFrameDecoder, type FrameHeader } from '#src/gateway/yamux/frame.ts';
import { BATCH_BYTES_MAX, FRAME_ALONE_BYTES_MAX, FRAME_BYTES_MAX } from '#src/gateway/yamux/limits.ts';
import { makeOutgoing, type Outgoing } from '#src/gateway/yamux/outgoing.ts';
import { makeCountedSendMemory, type CountedSendMemory } from '#test/support/counted-memory.ts';

interface Bench {
  readonly outgoing: Outgoing;
  readonly memory: CountedSendMemory;
  /** What was written, each piece as it was then. */
  readonly pieces: Buffer[];
  readonly written: () => number;
  /** The socket has taken what it was given. @returns whether it had been given anything. */
  take(error?: Error): Promise<boolean>;
}

function openBench(): Bench {
  const pieces: Buffer[] = [];
  const memory = makeCountedSendMemory();
  let done: ((error?: Error) => void) | undefined;
  let written = 0;
  const socket = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, callback) {
      pieces.push(Buffer.from(chunk));
      done = callback;
    },
  });
  socket.on('error', () => undefined);
  const outgoing = makeOutgoing({ socket, memory, onWritten: () => void written++ });
  return {
    outgoing,
    memory,
    pieces,
    written: () => written,
    async take(error) {
      const callback = done;
      done = undefined;
      callback?.(error);
      await new Promise((resolve) => setImmediate(resolve));
      return callback !== undefined;
    },
  };
}

const PING: FrameHeader = { type: FRAME_TYPES.ping, flags: 1, streamId: 0, length: 7 };
const dataOf = (length: number): FrameHeader => ({ type: FRAME_TYPES.data, flags: 0, streamId: 3, length });

/** The frames in it, as a receiver reads them. */
function framesOf(bytes: Buffer): { header: FrameHeader; payload: Buffer }[] {
  const frames: { header: FrameHeader; payload: Buffer }[] = [];
  const decoder = makeFrameDecoder({
    onHeader: (header) => void frames.push({ header, payload: Buffer.alloc(0) }),
    onPayload(piece) {
      const last = frames.at(-1);
      assert.ok(last);
      last.payload = Buffer.concat([last.payload, piece]);
    },
    onFrameEnd: () => undefined,
  });
  decoder.push(bytes);
  return frames;
}

describe('makeOutgoing', () => {
  it('frames before a flush → one piece; those while it is written → the next one', async () => {
    const { outgoing, pieces, take, memory, written } = openBench();
    outgoing.add(PING);
    outgoing.add(dataOf(5), [Buffer.from('he'), Buffer.from('llo')]);
    assert.equal(pieces.length, 0);
    assert.equal(outgoing.bytes, 2 * HEADER_BYTES + 5);
    outgoing.flush();
    outgoing.add(PING);
    outgoing.flush();
    outgoing.add(PING);
    assert.deepEqual(pieces.map(framesOf), [
      [
        { header: PING, payload: Buffer.alloc(0) },
        { header: dataOf(5), payload: Buffer.from('hello') },
      ],
    ]);
    assert.ok(await take());
    assert.equal(written(), 1);
    assert.equal(framesOf(pieces[1] ?? Buffer.alloc(0)).length, 2);
    assert.ok(await take());
    assert.deepEqual([outgoing.bytes, memory.taken], [0, 0]);
  });

  it('not flushed → nothing goes, even when the socket has taken something', async () => {
    const { outgoing, pieces, take } = openBench();
    outgoing.add(PING);
    outgoing.flush();
    await take();
    outgoing.add(PING);
    assert.equal(await take(), false);
    assert.equal(pieces.length, 1);
  });

  it('more than a piece has room for → several, in order, one after the other', async () => {
    const { outgoing, pieces, take } = openBench();
    for (let count = 0; count < 9; count++) {
      outgoing.add(dataOf(FRAME_BYTES_MAX), [Buffer.alloc(FRAME_BYTES_MAX, count)]);
    }
    outgoing.flush();
    assert.equal(pieces.length, 1);
    while (await take());
    assert.ok(pieces.every(({ length }) => length <= BATCH_BYTES_MAX));
    assert.deepEqual(
      pieces.flatMap(framesOf).map(({ payload }) => payload[0]),
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
    );
  });

  it('small frames, then the longest → the same piece', () => {
    const { outgoing, pieces } = openBench();
    for (let count = 0; count < 100; count++) outgoing.add(PING);
    outgoing.add(dataOf(FRAME_ALONE_BYTES_MAX), [Buffer.alloc(FRAME_ALONE_BYTES_MAX)]);
    outgoing.flush();
    assert.equal(framesOf(pieces[0] ?? Buffer.alloc(0)).length, 101);
  });

  it('the end → all that was added is written', async () => {
    const { outgoing, pieces, take, memory } = openBench();
    outgoing.add(PING);
    outgoing.flush();
    for (let count = 0; count < 9; count++) {
      outgoing.add(dataOf(FRAME_BYTES_MAX), [Buffer.alloc(FRAME_BYTES_MAX, count)]);
    }
    outgoing.end();
    while (await take());
    assert.equal(pieces.flatMap(framesOf).length, 10);
    assert.equal(memory.taken, 0);
  });

  it('the socket fails → its memory comes back, and nothing more is tried', async () => {
    const { outgoing, pieces, take, memory, written } = openBench();
    outgoing.add(PING);
    outgoing.flush();
    outgoing.add(PING);
    outgoing.flush();
    await take(new Error('gone'));
    assert.equal(pieces.length, 1);
    assert.equal(written(), 0);
    assert.equal(memory.taken, 1);
  });

  it('any frames, flushes and takes → the same frames arrive, in order, out of memory that is spoiled behind', async () => {
    const act = fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 2_000 }) },
      { weight: 2, arbitrary: fc.integer({ min: 2_000, max: FRAME_ALONE_BYTES_MAX }) },
      { weight: 3, arbitrary: fc.constantFrom('flush' as const, 'take' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
        const { outgoing, pieces, take, memory } = openBench();
        const added: { header: FrameHeader; payload: Buffer }[] = [];
        for (const each of acts) {
          if (each === 'flush') outgoing.flush();
          else if (each === 'take') await take();
          else if (each === 0) {
            outgoing.add(PING);
            added.push({ header: PING, payload: Buffer.alloc(0) });
          } else {
            const payload = Buffer.alloc(each, added.length);
            outgoing.add(dataOf(each), [payload.subarray(0, each >> 1), payload.subarray(each >> 1)]);
            added.push({ header: dataOf(each), payload });
          }
        }
        outgoing.flush();
        while (await take());
        assert.deepEqual(framesOf(Buffer.concat(pieces)), added);
        assert.deepEqual([outgoing.bytes, memory.taken], [0, 0]);
      }),
      { numRuns: 50 },
    );
  });
});
