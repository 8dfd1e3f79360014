import assert from 'node:assert/strict';
import { SHARED_STRINGS_MAX } from '#src/store/kubernetes/limits.ts';
import { settle } from '#src/store/kubernetes/settle.ts';

describe('settle', () => {
  it('any JSON → equal, and frozen down to the last list', () => {
    const raw = (): object => ({ a: ['x', { b: null, c: [1, true, 'y'.repeat(100)] }], d: { e: 'x' } });
    const settled = settle(raw()) as { a: [string, { c: unknown[] }]; d: object };
    assert.deepEqual(settled, raw());
    for (const part of [settled, settled.a, settled.a[1], settled.a[1].c, settled.d]) assert.ok(Object.isFrozen(part));
  });

  it('what is frozen already → left as it is', () => {
    const inner = Object.freeze({ name: 'x' });
    assert.equal(settle({ inner }).inner, inner);
  });

  it('more strings than are kept → all of them right', () => {
    const names = Array.from({ length: SHARED_STRINGS_MAX + 10 }, (_, index) => `name-${index}`);
    assert.deepEqual(settle([...names, ...names]), [...names, ...names]);
  });
});
