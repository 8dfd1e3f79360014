import assert from 'node:assert/strict';
import type { Applied } from '#src/api/applied.ts';
import type { TargetProspect } from '#src/catalogue/host-targets.ts';
import { observeMerge } from '#src/controllers/import/observe.ts';
import { closeCaches, COMMON_KINDS, openCaches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';

const HOSTED: Applied<'Export'> = {
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'Export',
  metadata: { namespace: 'shop', name: 'vm' },
  spec: { host: '192.0.2.7', port: 5432 },
};

describe('observeMerge', () => {
  for (const [prospect, ready] of [
    ['forbidden', 0],
    ['permitted', 1],
    ['unseen', 1],
  ] as const satisfies [TargetProspect, number][]) {
    it(`CFL-8.6 an Export of ours to a host that is ${prospect} → ${ready} ready endpoints`, async () => {
      const store = makeMemoryStore();
      await store.apply(HOSTED, { fieldManager: 'user' });
      const caches = openCaches(store, COMMON_KINDS);
      await Promise.all(Object.values(caches).map(({ synced }) => synced));
      const { records } = observeMerge({
        ...{ self: { name: 'west', labels: {} }, caches, allowedNamespaces: [], now: '2026-11-20T12:00:00Z' },
        foresee: () => prospect,
      });
      assert.deepEqual(
        records.map(({ peer, record }) => [peer, record.name, record.readyEndpoints]),
        [['west', 'vm', ready]],
      );
      closeCaches(caches);
      await store.close();
    });
  }
});
