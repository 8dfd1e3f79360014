import assert from 'node:assert/strict';
import { makeMemoryStore } from '#src/store/memory.ts';
import { describeStore } from '#test/support/store-contract.ts';

describeStore('memory', { isDurable: false }, () => {
  const store = makeMemoryStore();
  return Promise.resolve({ store, close: () => store.close() });
});

describe('makeMemoryStore', () => {
  it('a given clock and uids → creation in whole seconds, uids as given', async () => {
    const store = makeMemoryStore({ nowMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 999), uid: () => 'uid-1' });
    const { metadata } = await store.apply(
      {
        apiVersion: 'multicluster.x-k8s.io/v1beta1',
        kind: 'ServiceExport',
        metadata: { namespace: 'shop', name: 'db' },
      },
      { fieldManager: 'test' },
    );
    assert.equal(metadata?.creationTimestamp, '2026-01-02T03:04:05Z');
    assert.equal(metadata?.uid, 'uid-1');
    await store.close();
  });

  it('a closed store → what was there can be read, writes are ERR_STORE_CLOSED', async () => {
    const store = makeMemoryStore();
    await store.close();
    assert.deepEqual(await store.list('ServiceExport'), []);
    await assert.rejects(store.delete('ServiceExport', { namespace: 'shop', name: 'db' }), {
      code: 'ERR_STORE_CLOSED',
    });
  });
});
