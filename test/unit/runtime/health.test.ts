import assert from 'node:assert/strict';
import { makeHealth } from '#src/runtime/health.ts';

describe('makeHealth', () => {
  it('nothing expected yet → not ready: an empty process is not a ready one', () => {
    assert.deepEqual(makeHealth().missing(), ['process: is starting']);
  });
  it('expected → missing until it says ready, and again when it says so', () => {
    const health = makeHealth();
    const [store, dns] = [health.expect('store'), health.expect('dns')];
    assert.deepEqual(health.missing(), ['store: has not started', 'dns: has not started']);
    store.ready();
    dns.missing('waits for its first snapshot');
    assert.deepEqual(health.missing(), ['dns: waits for its first snapshot']);
    dns.ready();
    assert.deepEqual(health.missing(), []);
    store.missing('lost its folder');
    assert.deepEqual(health.missing(), ['store: lost its folder']);
  });
  it('draining → not ready, whatever components say', () => {
    const health = makeHealth();
    health.expect('store').ready();
    health.drain();
    assert.deepEqual(health.missing(), ['process: is shutting down']);
    assert.deepEqual(health.components(), [
      { name: 'store', missing: undefined },
      { name: 'process', missing: 'is shutting down' },
    ]);
  });
});
