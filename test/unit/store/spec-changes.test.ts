import assert from 'node:assert/strict';
import { openCaches, closeCaches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import { onSpecChange } from '#src/store/spec-changes.ts';
import { waitFor } from '#test/support/wait.ts';

describe('onSpecChange', () => {
  it('comes, changes, goes → told; a status → not', async () => {
    const store = makeMemoryStore();
    const caches = openCaches(store, ['Peer']);
    const told: string[] = [];
    const stop = onSpecChange(caches.Peer, ({ name }) => told.push(name));
    const peer = (gateways: { host: string; port: number }[]) => ({
      apiVersion: 'clusterlink.net/v1alpha1' as const,
      kind: 'Peer' as const,
      metadata: { namespace: 'clusterlink-system', name: 'east' },
      spec: { gateways },
    });
    const { apiVersion, kind, metadata } = peer([]);
    await store.apply(peer([]), { fieldManager: 'tester' });
    await waitFor('it has come', () => told.length === 1);
    await store.applyStatus({ apiVersion, kind, metadata, status: { sessions: 1 } }, { fieldManager: 'tester' });
    await waitFor('the cache has it', () => caches.Peer.get(metadata)?.status?.sessions === 1);
    assert.equal(told.length, 1);
    await store.apply(peer([{ host: 'h', port: 1 }]), { fieldManager: 'tester' });
    await waitFor('it has changed', () => told.length === 2);
    await store.delete('Peer', metadata);
    await waitFor('it is gone', () => told.length === 3);
    stop();
    closeCaches(caches);
    await store.close();
  });
});
