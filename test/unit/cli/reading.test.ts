import assert from 'node:assert/strict';
import { makeRead } from '#src/cli/run/reading.ts';
import type { Store } from '#src/store/store.ts';

const SERVICE_IMPORT = {
  apiVersion: 'multicluster.x-k8s.io/v1beta1',
  kind: 'ServiceImport',
  metadata: { namespace: 'store', name: 'db' },
};

describe('makeRead', () => {
  const asked: string[] = [];
  const store = {
    list: (kind: string) => {
      asked.push(kind);
      return kind === 'ServiceImport' ? Promise.resolve([SERVICE_IMPORT]) : Promise.reject(new Error('forbidden'));
    },
  } as unknown as Store;
  const watched = { Peer: { get: () => undefined, list: () => [] } };

  it('a kind that is watched → what is known, without a question', async () => {
    const { Peer: peers } = await makeRead({ store, watched })(['Peer']);
    assert.equal(peers, watched.Peer);
    assert.deepEqual(asked, []);
  });
  it('another → asked for each time, and found by its key', async () => {
    const read = makeRead({ store, watched });
    const { ServiceImport: imports } = await read(['ServiceImport', 'Peer']);
    assert.deepEqual(imports.get({ namespace: 'store', name: 'db' }), SERVICE_IMPORT);
    assert.equal(imports.get({ namespace: 'store', name: 'other' }), undefined);
    await read(['ServiceImport']);
    assert.deepEqual(asked, ['ServiceImport', 'ServiceImport']);
  });
  it('the API server refuses → what it says', () =>
    assert.rejects(makeRead({ store, watched })(['ImportRule']), /forbidden/));
});
