/** Level-driven (DESIGN §3.6): a second run of a reconciler without a change writes nothing. */
import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import { makeAccessPolicyController } from '#src/controllers/access-policy/reconciler.ts';
import type { Controller } from '#src/controllers/controller.ts';
import { makeServiceExportController } from '#src/controllers/service-export/reconciler.ts';
import { closeCaches, COMMON_KINDS, openCaches, type Caches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import type { Store } from '#src/store/store.ts';
import { waitFor } from '#test/support/wait.ts';

const user = { fieldManager: 'tester' };

describe('a second pass', () => {
  let store: Store;
  let caches: Caches;
  beforeEach(() => {
    store = makeMemoryStore();
    caches = openCaches(store, COMMON_KINDS);
  });
  afterEach(async () => {
    closeCaches(caches);
    await store.close();
  });

  /** Runs the controller for its one key, an hour apart, and returns the object after each run. */
  async function runTwice(
    make: (nowMs: () => number) => Controller,
    read: () => Promise<unknown>,
  ): Promise<[unknown, unknown]> {
    let nowMs = Date.parse('2026-11-20T12:00:00Z');
    const controller = make(() => nowMs);
    const run = async (): Promise<unknown> => {
      const keys: string[] = [];
      controller.resync((key) => keys.push(key));
      assert.equal(keys.length, 1);
      await controller.reconcile(keys[0] ?? '', new AbortController().signal);
      const written = await read();
      await new Promise((resolve) => setImmediate(resolve));
      return written;
    };
    const first = await run();
    nowMs += 3_600_000;
    return [first, await run()];
  }

  it('of service-export → the same object, version and all', async () => {
    await store.apply(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { namespace: 'shop', name: 'db' },
        spec: { ports: [{ port: 5432 }] },
      },
      user,
    );
    await store.apply(
      {
        apiVersion: 'multicluster.x-k8s.io/v1beta1',
        kind: 'ServiceExport',
        metadata: { namespace: 'shop', name: 'db' },
      },
      user,
    );
    await waitFor(
      'the caches have them',
      () => caches.ServiceExport.list().length === 1 && caches.Service.list().length === 1,
    );
    const [first, second] = await runTwice(
      (nowMs) =>
        makeServiceExportController({
          ...{ self: 'east', store, caches, clock: { nowMs }, allowedNamespaces: [] },
          clusterlinkCompat: 'on',
        }),
      () => store.get('ServiceExport', { namespace: 'shop', name: 'db' }),
    );
    assert.deepEqual(second, first);
    const conditions = (first as { status: { conditions: Parameters<typeof findCondition>[0] } }).status.conditions;
    assert.equal(findCondition(conditions, 'Valid')?.status, 'True');
  });

  for (const [action, status] of [
    ['allow', 'True'],
    ['perhaps', 'False'],
  ] as const) {
    it(`of access-policy, action ${action} → the same object, Valid=${status}`, async () => {
      await store.apply(
        {
          apiVersion: 'clusterlink.net/v1alpha1',
          kind: 'AccessPolicy',
          metadata: { namespace: 'shop', name: 'p' },
          spec: { action, from: [{ workloadSelector: {} }], to: [{ workloadSelector: {} }] },
        },
        user,
      );
      await waitFor('the cache has it', () => caches.AccessPolicy.list().length === 1);
      const [first, second] = await runTwice(
        (nowMs) => makeAccessPolicyController({ self: { name: 'east', labels: {} }, store, caches, clock: { nowMs } }),
        () => store.get('AccessPolicy', { namespace: 'shop', name: 'p' }),
      );
      assert.deepEqual(second, first);
      const conditions = (first as { status: { conditions: Parameters<typeof findCondition>[0] } }).status.conditions;
      assert.equal(findCondition(conditions, 'Valid')?.status, status);
    });
  }
});
