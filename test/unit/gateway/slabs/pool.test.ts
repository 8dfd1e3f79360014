import assert from 'node:assert/strict';
import {
  IDLE_BUFFER_BYTES,
  IDLE_SLABS_KEPT_MAX,
  SLAB_BYTES,
  SPARE_BUFFER_BYTES,
  SPARE_SLABS_KEPT_MAX,
  SPARE_SLABS_MAX,
} from '#src/gateway/slabs/limits.ts';
import { makeSlabPool, takeIdleSlab, takeSpareSlab, type Slab } from '#src/gateway/slabs/pool.ts';

describe('makeSlabPool', () => {
  it('as many are taken as there may be → no further one, until one comes back', () => {
    const pool = makeSlabPool({ slabsMax: 2 });
    const [first, second] = [pool.take(), pool.take()];
    assert.equal(first?.memory.length, SLAB_BYTES);
    assert.equal(pool.taken, 2);
    assert.equal(pool.take(), undefined);
    second?.retire();
    assert.equal(pool.taken, 1);
    assert.equal(pool.take(), second);
  });

  it('retired while it is held → comes back with its last release, and once', () => {
    const returned: Buffer[] = [];
    const pool = makeSlabPool({ onReturn: (memory) => returned.push(memory) });
    const slab = pool.take();
    assert.ok(slab);
    slab.hold();
    slab.hold();
    slab.retire();
    slab.release();
    assert.deepEqual([slab.isHeld, pool.taken, returned.length], [true, 1, 0]);
    slab.release();
    assert.deepEqual([slab.isHeld, pool.taken], [false, 0]);
    assert.deepEqual(returned, [slab.memory]);
  });

  it('released by all while its reader goes on → stays with the reader', () => {
    const pool = makeSlabPool();
    const slab = pool.take();
    slab?.hold();
    slab?.release();
    assert.equal(pool.taken, 1);
  });

  it('from any place → what begins there; the same object again where a record begins', () => {
    const slab = makeSlabPool().take();
    assert.ok(slab);
    assert.equal(slab.from(0), slab.memory);
    for (const offset of [1, 16_383, 16_384, 16_396, SLAB_BYTES - 16_384, SLAB_BYTES - 1]) {
      const view = slab.from(offset);
      assert.ok(view.buffer === slab.memory.buffer);
      assert.deepEqual([view.byteOffset, view.length], [offset, SLAB_BYTES - offset]);
      assert.equal(slab.from(offset) === view, offset % 16_384 === 0);
    }
  });

  it('released more often than held → an error, before memory is used twice', () => {
    assert.throws(() => makeSlabPool().take()?.release(), /released more often/);
  });

  it('in quarantine → never used again, whoever releases or retires it; it counts as taken', () => {
    const pool = makeSlabPool({ slabsMax: 1, onReturn: () => assert.fail() });
    const slab = pool.take();
    slab?.hold();
    slab?.quarantine();
    slab?.quarantine();
    slab?.release();
    slab?.retire();
    assert.deepEqual([pool.taken, pool.quarantined, pool.take()], [1, 1, undefined]);
  });

  it('more than half are taken → scarce', () => {
    const pool = makeSlabPool({ slabsMax: 2 });
    pool.take();
    assert.equal(pool.isScarce, false);
    pool.take();
    assert.equal(pool.isScarce, true);
  });
});

describe('takeSpareSlab', () => {
  const spare = (): Slab => takeSpareSlab() ?? assert.fail('none is left');

  it('retired and held by nobody → the next one is it; beside the pool', () => {
    const slab = spare();
    slab.hold();
    slab.retire();
    assert.notEqual(spare(), slab);
    slab.release();
    assert.equal(spare(), slab);
    assert.deepEqual([slab.isPooled, slab.memory.length], [false, SPARE_BUFFER_BYTES]);
  });

  it('in quarantine → not used again', () => {
    const slab = spare();
    slab.quarantine();
    slab.retire();
    assert.notEqual(spare(), slab);
  });

  it(`${SPARE_SLABS_MAX} are taken → no more, until one comes back or is never used again`, () => {
    const taken: Slab[] = [];
    for (let slab = takeSpareSlab(); slab !== undefined; slab = takeSpareSlab()) taken.push(slab);
    assert.ok(taken.length <= SPARE_SLABS_MAX);
    for (const act of ['retire', 'quarantine'] as const) {
      taken.pop()?.[act]();
      taken.push(spare());
      assert.equal(takeSpareSlab(), undefined);
    }
    for (const slab of taken) slab.retire();
  });

  it('SPARE_SLABS_KEPT_MAX are kept → one more is not', () => {
    const taken = Array.from({ length: SPARE_SLABS_KEPT_MAX + 1 }, () => spare());
    for (const slab of taken) slab.retire();
    const again = new Set(taken.map(() => spare()));
    assert.equal(taken.filter((slab) => again.has(slab)).length, SPARE_SLABS_KEPT_MAX);
  });
});

describe('takeIdleSlab', () => {
  it('retired → used again, but not while it is held', () => {
    const slab = takeIdleSlab();
    assert.deepEqual([slab.memory.length, slab.isPooled], [IDLE_BUFFER_BYTES, false]);
    slab.hold();
    slab.retire();
    const other = takeIdleSlab();
    assert.notEqual(other, slab);
    slab.release();
    assert.equal(takeIdleSlab(), slab);
  });

  it(`${IDLE_SLABS_KEPT_MAX} are kept → one more is not`, () => {
    const many = Array.from({ length: IDLE_SLABS_KEPT_MAX + 1 }, takeIdleSlab);
    for (const slab of many) slab.retire();
    const again = new Set(Array.from({ length: IDLE_SLABS_KEPT_MAX + 1 }, takeIdleSlab));
    assert.equal(many.filter((slab) => again.has(slab)).length, IDLE_SLABS_KEPT_MAX);
  });
});
