import assert from 'node:assert/strict';
import type { Applied } from '#src/api/applied.ts';
import { AppError } from '#src/api/errors.ts';
import type { IClusterProperty } from '#src/api/generated/ClusterProperty.ts';
import { REFUSED_WRITE_LIFE_MS } from '#src/controllers/limits.ts';
import { makeWriter } from '#src/controllers/writer.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import type { Store } from '#src/store/store.ts';

function property(value: string): Applied<'ClusterProperty'> {
  return {
    apiVersion: 'about.k8s.io/v1beta1',
    kind: 'ClusterProperty',
    metadata: { name: 'x.example' },
    spec: { value },
  };
}

describe('makeWriter', () => {
  let memory: Store;
  let calls: string[];
  let store: Store;
  beforeEach(() => {
    memory = makeMemoryStore();
    calls = [];
    store = {
      ...memory,
      apply: (object, options) => {
        calls.push(`apply as ${options.fieldManager}`);
        return memory.apply(object, options);
      },
    };
  });
  afterEach(() => memory.close());

  it('the same wish on an object that did not change → the store is not asked', async () => {
    const writer = makeWriter(store, 'me');
    const present = await writer.apply(property('a'), undefined);
    await writer.apply(property('a'), present);
    assert.equal(await writer.apply(property('a'), present), present);
    assert.deepEqual(calls, ['apply as me', 'apply as me']);
  });

  it('another wish, or an object that changed → the store is asked', async () => {
    const writer = makeWriter(store, 'me');
    const present = await writer.apply(property('a'), undefined);
    await writer.apply(property('a'), present);
    await writer.apply(property('b'), present);
    await writer.apply(property('b'), structuredClone(present));
    assert.equal(calls.length, 4);
  });

  it('a write that failed → asked again', async () => {
    const failing = { ...store, apply: () => Promise.reject(new Error('down')) } as Store;
    const writer = makeWriter(failing, 'me');
    const present = await memory.apply(property('a'), { fieldManager: 'me' });
    await assert.rejects(writer.apply(property('a'), present), /down/);
    await assert.rejects(writer.apply(property('a'), present), /down/);
  });

  it('a write that is refused for its form → not sent again for a while; another wish or object is, and the same later', async () => {
    let [nowMs, sent] = [0, 0];
    const refusing = {
      ...store,
      apply: () => Promise.reject(new AppError('ERR_INVALID_OBJECT', `no ${(sent += 1)}`)),
    } as Store;
    const writer = makeWriter(refusing, 'me', { clock: { nowMs: () => nowMs } });
    const fails = async (value: string, message: RegExp, present?: IClusterProperty): Promise<void> => {
      await assert.rejects(writer.apply(property(value), present), message);
    };
    await fails('a', /no 1/);
    nowMs = REFUSED_WRITE_LIFE_MS - 1;
    await fails('a', /no 1/);
    nowMs = REFUSED_WRITE_LIFE_MS;
    await fails('a', /no 2/);
    await fails('b', /no 3/);
    await fails('b', /no 3/);
    await fails('b', /no 4/, await memory.apply(property('a'), { fieldManager: 'me' }));
  });

  it('remove → that object by its uid, and what was remembered is forgotten', async () => {
    const writer = makeWriter(store, 'me');
    const present = await writer.apply(property('a'), undefined);
    await writer.remove(present);
    assert.equal(await memory.get('ClusterProperty', { namespace: '', name: 'x.example' }), undefined);
    await memory.apply(property('b'), { fieldManager: 'other' });
    await assert.rejects(writer.remove(present), { code: 'ERR_CONFLICT' });
  });
});
