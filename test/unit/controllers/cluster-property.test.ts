import assert from 'node:assert/strict';
import { makeClusterPropertyController } from '#src/controllers/cluster-property/reconciler.ts';
import { closeCaches, openCaches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import type { Store } from '#src/store/store.ts';
import { waitFor } from '#test/support/wait.ts';

const ID = 'cluster.clusterset.k8s.io';
const SET = 'clusterset.k8s.io';

describe('makeClusterPropertyController', () => {
  let store: Store;
  let caches: ReturnType<typeof openCaches<'ClusterProperty'>>;
  beforeEach(() => {
    store = makeMemoryStore();
    caches = openCaches(store, ['ClusterProperty']);
  });
  afterEach(async () => {
    closeCaches(caches);
    await store.close();
  });

  const reconcile = async (key: string, fabric = 'demo') => {
    const present = await store.list('ClusterProperty');
    await waitFor('the cache follows', () => JSON.stringify(caches.ClusterProperty.list()) === JSON.stringify(present));
    await makeClusterPropertyController({ self: 'east', fabric, store, caches }).reconcile(
      key,
      new AbortController().signal,
    );
  };
  const valueOf = async (name: string) => (await store.get('ClusterProperty', { namespace: '', name }))?.spec.value;
  const setByOthers = (name: string, value: string) =>
    store.apply(
      { apiVersion: 'about.k8s.io/v1beta1', kind: 'ClusterProperty', metadata: { name }, spec: { value } },
      { fieldManager: 'kubectl' },
    );

  it('none there → the peer’s name, and the fabric’s (ABT-01, ABT-05); a second run writes nothing', async () => {
    await reconcile(ID);
    await reconcile(SET);
    assert.deepEqual([await valueOf(ID), await valueOf(SET)], ['east', 'demo']);
    const before = await store.list('ClusterProperty');
    await reconcile(ID);
    await reconcile(SET);
    assert.deepEqual(await store.list('ClusterProperty'), before);
  });

  it('the fabric got another name → our own property follows', async () => {
    await reconcile(SET);
    await reconcile(SET, 'other');
    assert.equal(await valueOf(SET), 'other');
  });

  for (const name of [ID, SET]) {
    it(`somebody else set ${name} to another value → ERR_CONFLICT, and it stays (ABT-10)`, async () => {
      await setByOthers(name, 'theirs');
      await assert.rejects(reconcile(name), { code: 'ERR_CONFLICT', retryable: false });
      assert.equal(await valueOf(name), 'theirs');
    });
  }

  it('somebody else set the same value → it stays theirs', async () => {
    const before = await setByOthers(ID, 'east');
    await reconcile(ID);
    assert.deepEqual(await store.get('ClusterProperty', { namespace: '', name: ID }), before);
  });

  it('a property of any other name → none of ours', async () => {
    await setByOthers('colour.example', 'blue');
    await reconcile('colour.example');
    assert.equal(await valueOf('colour.example'), 'blue');
  });
});
