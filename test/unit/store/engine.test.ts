import assert from 'node:assert/strict';
import { makeEngine, type EngineOptions, type Persistence } from '#src/store/engine.ts';
import { MANAGER_NAME_CHARS_MAX, MANAGERS_PER_OBJECT_MAX, OBJECT_BYTES_MAX } from '#src/store/limits.ts';
import type { StoredObject } from '#src/store/stored-object.ts';
import type { Applied } from '#src/api/applied.ts';

const KEY = { namespace: 'shop', name: 'db' };

function exportOf(name: string, labels: Record<string, string> = {}): Applied<'ServiceExport'> {
  const metadata = { namespace: 'shop', name };
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceExport',
    metadata,
    spec: { exportedLabels: labels },
  };
}

function makeTestEngine(options: Partial<EngineOptions> = {}) {
  const saved: string[] = [];
  const persistence: Persistence = {
    save: ({ key, resourceVersion }) => Promise.resolve(void saved.push(`save ${key.name} ${resourceVersion}`)),
    remove: ({ key }) => Promise.resolve(void saved.push(`remove ${key.name}`)),
  };
  let uids = 0;
  const engine = makeEngine({
    validate: () => [],
    persistence,
    nowMs: () => 0,
    uid: () => `uid-${(uids += 1)}`,
    ...options,
  });
  return { engine, saved };
}

describe('makeEngine', () => {
  it('a change of owners that no reader sees → saved, but the same object and nobody told', async () => {
    const { engine, saved } = makeTestEngine();
    const first = await engine.apply(exportOf('db', { a: 'x' }), { fieldManager: 'one' });
    const told: unknown[] = [];
    engine.watch('ServiceExport', {
      synced: () => undefined,
      changed: (object) => told.push(object),
      deleted: () => undefined,
    });
    const second = await engine.apply(exportOf('db', { a: 'x' }), { fieldManager: 'two' });
    assert.equal(second, first);
    assert.deepEqual([saved, told], [['save db 1', 'save db 1'], []]);
  });

  it('nothing new → not saved', async () => {
    const { engine, saved } = makeTestEngine();
    await engine.apply(exportOf('db'), { fieldManager: 'one' });
    await engine.apply(exportOf('db'), { fieldManager: 'one' });
    assert.deepEqual(saved, ['save db 1']);
  });

  it('writes of one object at once → one after the other, none lost', async () => {
    let running = 0;
    const save = async (): Promise<void> => {
      assert.equal((running += 1), 1);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    const { engine } = makeTestEngine({ persistence: { save, remove: () => Promise.resolve() } });
    const managers = Array.from({ length: 20 }, (_, index) => `m${index}`);
    await Promise.all(
      managers.map((fieldManager) => engine.apply(exportOf('db', { [fieldManager]: 'x' }), { fieldManager })),
    );
    const labels = (await engine.get('ServiceExport', KEY))?.spec?.exportedLabels ?? {};
    assert.deepEqual(Object.keys(labels).sort(), managers.sort());
  });

  it('objects up to the bound → created; one more, also at once → ERR_BOUND_EXCEEDED; after a delete → created', async () => {
    const { engine } = makeTestEngine({ objectsMax: 2 });
    const results = await Promise.allSettled(
      ['a', 'b', 'c'].map((name) => engine.apply(exportOf(name), { fieldManager: 'one' })),
    );
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected'],
    );
    await assert.rejects(engine.apply(exportOf('c'), { fieldManager: 'one' }), { code: 'ERR_BOUND_EXCEEDED' });
    await engine.apply(exportOf('a', { still: 'changeable' }), { fieldManager: 'one' });
    await engine.delete('ServiceExport', { namespace: 'shop', name: 'a' });
    await engine.apply(exportOf('c'), { fieldManager: 'one' });
  });

  it('managers up to the bound → applied; one more → ERR_BOUND_EXCEEDED', async () => {
    const { engine } = makeTestEngine();
    const apply = (index: number) =>
      engine.apply(exportOf('db', { [`k${index}`]: 'x' }), { fieldManager: `m${index}` });
    for (let index = 0; index < MANAGERS_PER_OBJECT_MAX; index += 1) await apply(index);
    await assert.rejects(apply(MANAGERS_PER_OBJECT_MAX), { code: 'ERR_BOUND_EXCEEDED' });
  });

  it('an object of more than 1 MiB → ERR_BOUND_EXCEEDED', async () => {
    const { engine } = makeTestEngine();
    await engine.apply(exportOf('db', { a: 'x'.repeat(OBJECT_BYTES_MAX - 1_000) }), { fieldManager: 'one' });
    const tooLarge = engine.apply(exportOf('db', { a: 'x'.repeat(OBJECT_BYTES_MAX) }), { fieldManager: 'one' });
    await assert.rejects(tooLarge, { code: 'ERR_BOUND_EXCEEDED' });
  });

  for (const [fieldManager, code] of [
    ['x'.repeat(MANAGER_NAME_CHARS_MAX), undefined],
    ['x'.repeat(MANAGER_NAME_CHARS_MAX + 1), 'ERR_INVALID_OBJECT'],
    ['', 'ERR_INVALID_OBJECT'],
  ] as const) {
    it(`a field manager of ${fieldManager.length} characters → ${code ?? 'taken'}`, async () => {
      const { engine } = makeTestEngine();
      const applied = engine.apply(exportOf('db'), { fieldManager });
      await (code === undefined ? applied : assert.rejects(applied, { code }));
    });
  }

  for (const [what, object] of [
    ['an unknown kind', { ...exportOf('db'), kind: 'Deployment' }],
    ['another apiVersion', { ...exportOf('db'), apiVersion: 'multicluster.x-k8s.io/v1alpha1' }],
    ['a namespaced kind without a namespace', { ...exportOf('db'), metadata: { name: 'db' } }],
    [
      'a cluster-scoped kind with one',
      { ...exportOf('db'), apiVersion: 'mcs.clusterlink.net/v1alpha1', kind: 'ClusterImportRule' },
    ],
    ['a namespace that is a path', { ...exportOf('db'), metadata: { namespace: '..', name: 'db' } }],
  ] as const) {
    it(`${what} → ERR_INVALID_OBJECT`, async () => {
      const { engine } = makeTestEngine();
      const applied = engine.apply(object as Applied<'ServiceExport'>, { fieldManager: 'one' });
      await assert.rejects(applied, { code: 'ERR_INVALID_OBJECT' });
    });
  }

  it('loaded objects → there as saved; new versions are greater than theirs', async () => {
    const stored: StoredObject = {
      kind: 'ServiceExport',
      key: KEY,
      uid: 'u',
      creationTimestamp: '2026-01-02T03:04:05Z',
      generation: 4,
      resourceVersion: 41,
      main: { one: { spec: { exportedLabels: { a: 'x' } } } },
      status: {},
      declaration: undefined,
    };
    const { engine } = makeTestEngine({ loaded: [stored] });
    const { metadata } = (await engine.get('ServiceExport', KEY)) ?? {};
    assert.deepEqual([metadata?.uid, metadata?.generation, metadata?.resourceVersion], ['u', 4, '41']);
    const changed = await engine.apply(exportOf('db', { a: 'y' }), { fieldManager: 'one' });
    assert.deepEqual([changed.metadata?.generation, changed.metadata?.resourceVersion], [5, '42']);
  });

  it('a save that fails → the error, the old object, nobody told', async () => {
    let isFull = false;
    const save = (): Promise<void> => (isFull ? Promise.reject(new Error('full')) : Promise.resolve());
    const { engine } = makeTestEngine({ persistence: { save, remove: save } });
    const before = await engine.apply(exportOf('db'), { fieldManager: 'one' });
    isFull = true;
    await assert.rejects(engine.apply(exportOf('db', { a: 'x' }), { fieldManager: 'one' }), { message: 'full' });
    await assert.rejects(engine.delete('ServiceExport', KEY), { message: 'full' });
    assert.equal(await engine.get('ServiceExport', KEY), before);
  });

  it('an object of our own that a manifest declares, then no longer → taken over, then gone', async () => {
    const { engine } = makeTestEngine();
    const { metadata } = await engine.apply(exportOf('db', { ours: 'x' }), { fieldManager: 'one' });
    await engine.declare('ServiceExport', KEY, {
      document: { spec: { exportedLabels: { a: 'y' } } },
      file: 'a.yaml',
      line: 1,
    });
    const declared = await engine.get('ServiceExport', KEY);
    assert.equal(declared?.metadata?.uid, metadata?.uid);
    assert.deepEqual(declared?.spec, { exportedLabels: { ours: 'x', a: 'y' } });
    await engine.withdraw('ServiceExport', KEY);
    assert.equal(await engine.get('ServiceExport', KEY), undefined);
  });

  it('close while a write runs → waits for it', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { engine } = makeTestEngine({ persistence: { save: () => promise, remove: () => promise } });
    const applied = engine.apply(exportOf('db'), { fieldManager: 'one' });
    let isClosed = false;
    const closed = engine.close().then(() => (isClosed = true));
    await new Promise((done) => setImmediate(done));
    assert.equal(isClosed, false);
    resolve();
    await Promise.all([applied, closed]);
  });
});
