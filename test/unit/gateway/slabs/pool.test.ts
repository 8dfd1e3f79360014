import assert from 'node:assert/strict';
import { SLAB_BYTES } from '#src/gateway/slabs/limits.ts';
import { makeLooseSlab, makeSlabPool } from '#src/gateway/slabs/pool.ts';

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

  it('released more often than held → an error, before memory is used twice', () => {
    assert.throws(() => makeSlabPool().take()?.release(), /released more often/);
  });

  it('more than half are taken → scarce', () => {
    const pool = makeSlabPool({ slabsMax: 2 });
    pool.take();
    assert.equal(pool.isScarce, false);
    pool.take();
    assert.equal(pool.isScarce, true);
  });
});

describe('makeLooseSlab', () => {
  it('retired → goes nowhere', () => {
    const slab = makeLooseSlab(8);
    slab.retire();
    slab.hold();
    slab.release();
    assert.deepEqual([slab.isPooled, slab.memory.length], [false, 8]);
  });
});
