import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { lendTo } from '#src/gateway/slabs/lend.ts';
import { COPY_BELOW_BYTES, SPARE_BUFFER_BYTES } from '#src/gateway/slabs/limits.ts';
import { makeSlabPool, takeIdleSlab, takeSpareSlab, type Slab } from '#src/gateway/slabs/pool.ts';

interface Sink {
  readonly sink: Socket;
  readonly written: Buffer[];
  /** Takes what waits. */
  finish(error?: Error): void;
}

/** Takes everything at once, or when it is told to. */
function makeSink(taking: 'at once' | 'later'): Sink {
  const written: Buffer[] = [];
  let done: ((error?: Error | null) => void) | undefined;
  const sink = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      written.push(chunk);
      if (taking === 'at once') callback();
      else done = callback;
    },
  });
  sink.on('error', () => undefined);
  // What of a socket is needed here.
  return { sink: sink as unknown as Socket, written, finish: (error) => done?.(error) };
}

const sharesMemory = (bytes: Buffer | undefined, slab: Slab): boolean => bytes?.buffer === slab.memory.buffer;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('lendTo', () => {
  it('taken at once → uncopied, and nothing is held', async () => {
    const slab = makeSlabPool().take();
    assert.ok(slab);
    const { sink, written } = makeSink('at once');
    let told = 0;
    lendTo({ sink, pieces: [slab.memory.subarray(0, 100)], slab, onHeld: () => told++ });
    assert.deepEqual([sharesMemory(written[0], slab), slab.isHeld], [true, false]);
    await turn();
    assert.deepEqual([told, slab.isHeld], [1, false]);
  });

  it('several pieces, taken at once → uncopied and in order, nothing is held, told once', async () => {
    const slab = makeSlabPool().take();
    assert.ok(slab);
    const { sink, written } = makeSink('at once');
    const pieces = [slab.memory.subarray(5, 10), slab.memory.subarray(20, 40), slab.memory.subarray(50, 51)];
    let told = 0;
    lendTo({ sink, pieces, slab, onHeld: () => told++ });
    assert.deepEqual([written, slab.isHeld], [pieces, false]);
    await turn();
    assert.equal(told, 1);
  });

  it('several pieces that wait → held until the last one is taken', async () => {
    const slab = makeSlabPool().take();
    assert.ok(slab);
    const { sink, written, finish } = makeSink('later');
    lendTo({ sink, pieces: [slab.memory.subarray(0, 5), slab.memory.subarray(5, 10)], slab });
    finish();
    await turn();
    assert.deepEqual([written.length, slab.isHeld], [2, true]);
    finish();
    await turn();
    assert.equal(slab.isHeld, false);
  });

  it('several small pieces behind another → one copy', () => {
    const pool = makeSlabPool();
    const slab = pool.take();
    assert.ok(slab);
    const { sink, written, finish } = makeSink('later');
    lendTo({ sink, pieces: [slab.memory.subarray(0, 1)], slab, pool });
    slab.memory.write('abcdef', 10);
    lendTo({ sink, pieces: [slab.memory.subarray(10, 13), slab.memory.subarray(14, 16)], slab, pool });
    slab.memory.fill(0);
    finish();
    assert.equal(written[1]?.toString(), 'abcef');
  });

  for (const error of [undefined, new Error('reset')]) {
    it(`waits, then ${error === undefined ? 'is taken' : 'fails'} → held until then`, async () => {
      const slab = makeSlabPool().take();
      assert.ok(slab);
      const { sink, written, finish } = makeSink('later');
      lendTo({ sink, pieces: [slab.memory.subarray(0, 100)], slab });
      assert.deepEqual([sharesMemory(written[0], slab), slab.isHeld], [true, true]);
      finish(error);
      await turn();
      assert.equal(slab.isHeld, false);
    });
  }

  it('destroyed while much waits → nothing is held', async () => {
    const slab = makeSlabPool().take();
    assert.ok(slab);
    const { sink, finish } = makeSink('later');
    for (let index = 0; index < 3; index++) lendTo({ sink, pieces: [slab.memory.subarray(0, COPY_BELOW_BYTES)], slab });
    sink.destroy();
    finish(new Error('destroyed'));
    await turn();
    assert.equal(slab.isHeld, false);
  });

  const waiting: readonly (readonly [string, number, number, boolean])[] = [
    ['a small piece behind another', COPY_BELOW_BYTES - 1, 32, true],
    ['a large one', COPY_BELOW_BYTES, 32, false],
    ['a large one while slabs are scarce', COPY_BELOW_BYTES, 1, true],
  ];
  for (const [what, bytes, slabsMax, isCopied] of waiting) {
    it(`${what} → ${isCopied ? 'copied' : 'not copied'}`, () => {
      const pool = makeSlabPool({ slabsMax });
      const slab = pool.take();
      assert.ok(slab);
      const { sink } = makeSink('later');
      lendTo({ sink, pieces: [slab.memory.subarray(0, 1)], slab, pool });
      const { writableLength } = sink;
      let holds = 0;
      const counted: Slab = { ...slab, isPooled: true, hold: () => void holds++ };
      lendTo({ sink, pieces: [slab.memory.subarray(1, 1 + bytes)], slab: counted, pool });
      assert.equal(sink.writableLength, writableLength + bytes);
      assert.equal(holds, isCopied ? 0 : 1);
    });
  }

  it('a slab beside the pool → what it keeps is at most four times what waits', () => {
    const spare = takeSpareSlab() ?? assert.fail('none is left');
    const idle = takeIdleSlab();
    const wasteful = spare.memory.subarray(0, SPARE_BUFFER_BYTES / 4 - 1);
    const enough = spare.memory.subarray(0, SPARE_BUFFER_BYTES / 4);
    for (const [bytes, slab, isHeld] of [
      [wasteful, spare, false],
      [enough, spare, true],
      [idle.memory.subarray(0, 1), idle, true],
    ] as const) {
      lendTo({ sink: makeSink('later').sink, pieces: [bytes], slab });
      assert.equal(slab.isHeld, isHeld);
    }
  });
});
