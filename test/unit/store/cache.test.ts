import assert from 'node:assert/strict';
import type { IServiceExport } from '#src/api/generated/ServiceExport.ts';
import { formatKey } from '#src/api/object.ts';
import { makeCache, whenSynced } from '#src/store/cache.ts';
import type { Store, WatchObserver } from '#src/store/store.ts';

function exportOf(name: string, resourceVersion: string, uid = `uid of ${name}`): IServiceExport {
  const metadata = { namespace: 'shop', name, uid, resourceVersion };
  return { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata };
}

/** A cache, what its store tells it, and the keys it reports. */
function makeWatched() {
  let observer: WatchObserver<'ServiceExport'> | undefined;
  let isClosed = false;
  const watch = (_: string, given: WatchObserver<'ServiceExport'>) => {
    observer = given;
    return { close: () => (isClosed = true) };
  };
  const cache = makeCache({ watch } as unknown as Store, 'ServiceExport');
  const reported: string[] = [];
  const stop = cache.onChange((key) => reported.push(formatKey(key)));
  assert.ok(observer !== undefined);
  return { cache, store: observer, reported, stop, isClosed: () => isClosed };
}

describe('makeCache', () => {
  it('before the first list → not synced, empty', () => {
    const { cache } = makeWatched();
    assert.deepEqual(
      [cache.hasSynced, cache.list(), cache.get({ namespace: 'shop', name: 'a' })],
      [false, [], undefined],
    );
  });

  it('the first list → every key reported, objects sorted and frozen', () => {
    const { cache, store, reported } = makeWatched();
    store.synced([exportOf('b', '1'), exportOf('a', '1')]);
    assert.equal(cache.hasSynced, true);
    assert.deepEqual(reported, ['shop/b', 'shop/a']);
    assert.deepEqual(cache.list(), [exportOf('a', '1'), exportOf('b', '1')]);
    assert.ok(Object.isFrozen(cache.get({ namespace: 'shop', name: 'a' })?.metadata));
    assert.ok(Object.isFrozen(cache.list()));
  });

  it('a list after a gap → exactly the keys that came, went, changed or were made anew', () => {
    const { cache, store, reported } = makeWatched();
    store.synced(['same', 'changed', 'gone', 'anew'].map((name) => exportOf(name, '1')));
    reported.length = 0;
    store.synced([
      exportOf('same', '1'),
      exportOf('changed', '2'),
      exportOf('anew', '1', 'another uid'),
      exportOf('new', '1'),
    ]);
    assert.deepEqual(reported.sort(), ['shop/anew', 'shop/changed', 'shop/gone', 'shop/new']);
    assert.equal(cache.get({ namespace: 'shop', name: 'gone' }), undefined);
  });

  it('changes → reported once each; what is known already or was not there → not reported', () => {
    const { cache, store, reported } = makeWatched();
    store.synced([exportOf('a', '1')]);
    reported.length = 0;
    store.changed(exportOf('a', '1'));
    store.changed(exportOf('a', '2'));
    store.deleted(exportOf('a', '2'));
    store.deleted(exportOf('a', '2'));
    assert.deepEqual(reported, ['shop/a', 'shop/a']);
    assert.deepEqual(cache.list(), []);
  });

  it('a list that was given → does not change later; the same array until something changes', () => {
    const { cache, store } = makeWatched();
    store.synced([exportOf('a', '1')]);
    const listed = cache.list();
    assert.equal(cache.list(), listed);
    store.changed(exportOf('b', '1'));
    assert.deepEqual([listed.length, cache.list().length], [1, 2]);
  });

  it('a listener that was stopped, and a closed cache → silence', () => {
    const { cache, store, reported, stop, isClosed } = makeWatched();
    stop();
    store.synced([exportOf('a', '1')]);
    assert.equal(reported.length, 0);
    cache.onChange((key) => void reported.push(formatKey(key)));
    cache.close();
    store.changed(exportOf('a', '2'));
    assert.deepEqual(reported, []);
    assert.equal(isClosed(), true);
  });
});

describe('whenSynced', () => {
  it('all have synced → resolves, also when they had before', async () => {
    const one = makeWatched();
    const two = makeWatched();
    one.store.synced([]);
    const waiting = whenSynced([one.cache, two.cache], { timeoutMs: 1_000 });
    two.store.synced([]);
    await waiting;
    await whenSynced([one.cache, two.cache], { timeoutMs: 1_000 });
  });

  it('one has not within the time → ERR_TIMEOUT that names its kind', async () => {
    const { cache } = makeWatched();
    await assert.rejects(whenSynced([cache], { timeoutMs: 1 }), { code: 'ERR_TIMEOUT', message: /ServiceExport/ });
  });

  it('an aborted signal, before or meanwhile → its reason', async () => {
    const { cache } = makeWatched();
    const controller = new AbortController();
    const waiting = whenSynced([cache], { timeoutMs: 1_000, signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(waiting, { message: 'enough' });
    await assert.rejects(whenSynced([cache], { timeoutMs: 1_000, signal: controller.signal }), { message: 'enough' });
  });
});
