import assert from 'node:assert/strict';
import type { Applied } from '#src/api/applied.ts';
import { guardWrites } from '#src/store/guarded.ts';
import { makeMemoryStore } from '#src/store/memory.ts';

const property: Applied<'ClusterProperty'> = {
  apiVersion: 'about.k8s.io/v1beta1',
  kind: 'ClusterProperty',
  metadata: { name: 'x.example' },
  spec: { value: 'a' },
};
const key = { namespace: '', name: 'x.example' };

describe('guardWrites', () => {
  it('allowed → writes go through; not any more → every write is refused, reads are not', async () => {
    const memory = makeMemoryStore();
    let mayWrite = true;
    const store = guardWrites(memory, () => mayWrite);
    await store.apply(property, { fieldManager: 'me' });
    mayWrite = false;
    const writes = [
      () => store.apply({ ...property, spec: { value: 'b' } }, { fieldManager: 'me' }),
      () => store.applyStatus(property, { fieldManager: 'me' }),
      () => store.delete('ClusterProperty', key),
    ];
    for (const write of writes) await assert.rejects(write(), { code: 'ERR_STORE_CLOSED' });
    assert.equal((await store.get('ClusterProperty', key))?.spec.value, 'a');
    mayWrite = true;
    await store.delete('ClusterProperty', key);
    assert.equal(await store.get('ClusterProperty', key), undefined);
    await memory.close();
  });
});
