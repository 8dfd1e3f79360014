/**
 * What every store must do: memory, directory, and a real API server.
 *
 * Only behaviour that all of them share is asserted: order in lists, exact resource versions and texts of errors are not.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { AppError, type ErrorCode } from '#src/api/errors.ts';
import type { IServiceExport } from '#src/api/generated/ServiceExport.ts';
import type { IServiceImport, ServiceImportSpec } from '#src/api/generated/ServiceImport.ts';
import type { KindMap, KindName } from '#src/api/kinds.ts';
import { keyOf, type Condition, type ObjectKey } from '#src/api/object.ts';
import type { Applied } from '#src/api/applied.ts';
import type { Store } from '#src/store/store.ts';

export interface OpenedStore {
  readonly store: Store;
  /** A namespace that is there and empty; `default` where every namespace is. */
  readonly namespace?: string;
  /** Closes the store and opens it again, if it outlives its process. */
  reopen?(): Promise<Store>;
  close(): Promise<void>;
}

const ALICE = { fieldManager: 'alice' };
const BOB = { fieldManager: 'bob' };
const WAIT_MS = 4_000;

export interface StoreTraits {
  /** False for a store that forgets when it is closed. */
  readonly isDurable: boolean;
}

export function describeStore(name: string, { isDurable }: StoreTraits, open: () => Promise<OpenedStore>): void {
  describe(`Store contract: ${name}`, () => {
    let opened: OpenedStore;
    let store: Store;
    let namespace: string;
    const key = (object: string): ObjectKey => ({ namespace, name: object });

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
      namespace = opened.namespace ?? 'default';
    });
    afterEach(() => opened.close());

    function serviceExport(object: string, parts: Partial<Applied<'ServiceExport'>> = {}): Applied<'ServiceExport'> {
      return {
        apiVersion: 'multicluster.x-k8s.io/v1beta1',
        kind: 'ServiceExport',
        metadata: { namespace, name: object },
        ...parts,
      };
    }

    function serviceImport(object: string, spec: Partial<ServiceImportSpec>): Applied<'ServiceImport'> {
      const metadata = { namespace, name: object };
      return {
        apiVersion: 'multicluster.x-k8s.io/v1beta1',
        kind: 'ServiceImport',
        metadata,
        spec: spec as ServiceImportSpec,
      };
    }

    function exportWithLabels(object: string, exportedLabels: Record<string, string>): Applied<'ServiceExport'> {
      return serviceExport(object, { spec: { exportedLabels } });
    }

    function exportWithConditions(object: string, ...conditions: Condition[]): Applied<'ServiceExport'> {
      return serviceExport(object, { status: { conditions } });
    }

    describe('get and list', () => {
      it('an object that is not there → undefined, and not in the list', async () => {
        assert.equal(await store.get('ServiceExport', key('absent')), undefined);
        assert.deepEqual(namesOf(await store.list('ServiceExport'), namespace), []);
      });

      it('objects of two kinds with one name → each kind has its own', async () => {
        await store.apply(serviceExport('db'), ALICE);
        await store.apply(serviceImport('db', { type: 'Headless', ports: [] }), ALICE);
        assert.equal((await store.get('ServiceExport', key('db')))?.kind, 'ServiceExport');
        assert.equal((await store.get('ServiceImport', key('db')))?.kind, 'ServiceImport');
        assert.deepEqual(namesOf(await store.list('ServiceExport'), namespace), ['db']);
      });

      it('a cluster-scoped object → its key has no namespace', async () => {
        const name = `store-contract-${randomUUID().slice(0, 8)}`;
        await store.apply(baselinePolicy(name), ALICE);
        const found = await store.get('BaselineAccessPolicy', { namespace: '', name });
        assert.deepEqual([found?.metadata?.name, found?.metadata?.namespace], [name, undefined]);
        await store.delete('BaselineAccessPolicy', { namespace: '', name });
      });

      it('what is given → frozen to the last leaf', async () => {
        const applied = await store.apply(exportWithLabels('db', { team: 'a' }), ALICE);
        const got = await store.get('ServiceExport', key('db'));
        const listed = (await store.list('ServiceExport')).find((object) => object.metadata?.name === 'db');
        for (const object of [applied, got, listed]) assertDeepFrozen(object);
      });
    });

    describe('apply', () => {
      it('a new object → uid, creation time in whole seconds, resourceVersion, generation 1', async () => {
        const { metadata, spec } = await store.apply(exportWithLabels('db', { team: 'a' }), ALICE);
        assert.match(metadata?.uid ?? '', /^[0-9a-f-]{36}$/);
        assert.match(metadata?.creationTimestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        assert.notEqual(metadata?.resourceVersion ?? '', '');
        assert.equal(metadata?.generation, 1);
        assert.deepEqual(spec, { exportedLabels: { team: 'a' } });
      });

      it('a changed spec → the change, a new resourceVersion, the next generation, the same uid', async () => {
        const before = await store.apply(exportWithLabels('db', { team: 'a' }), ALICE);
        const after = await store.apply(exportWithLabels('db', { team: 'b' }), ALICE);
        assert.deepEqual(after.spec, { exportedLabels: { team: 'b' } });
        assert.notEqual(after.metadata?.resourceVersion, before.metadata?.resourceVersion);
        assert.equal(after.metadata?.generation, 2);
        assert.equal(after.metadata?.uid, before.metadata?.uid);
        assert.equal(after.metadata?.creationTimestamp, before.metadata?.creationTimestamp);
      });

      it('changed labels of the object → a new resourceVersion, the same generation', async () => {
        const before = await store.apply(serviceExport('db'), ALICE);
        const metadata = { namespace, name: 'db', labels: { app: 'db' }, annotations: { note: 'x' } };
        const after = await store.apply(serviceExport('db', { metadata }), ALICE);
        assert.deepEqual(after.metadata?.labels, { app: 'db' });
        assert.deepEqual(after.metadata?.annotations, { note: 'x' });
        assert.notEqual(after.metadata?.resourceVersion, before.metadata?.resourceVersion);
        assert.equal(after.metadata?.generation, before.metadata?.generation);
      });

      it('the same again → the same resourceVersion, and nobody is told', async () => {
        const before = await store.apply(exportWithLabels('db', { team: 'a' }), ALICE);
        await using seen = await observe(store, 'ServiceExport', namespace);
        const after = await store.apply(exportWithLabels('db', { team: 'a' }), ALICE);
        assert.equal(after.metadata?.resourceVersion, before.metadata?.resourceVersion);
        await store.apply(serviceExport('marker'), ALICE);
        await seen.until('changed marker');
        assert.deepEqual(seen.events, ['synced db', 'changed marker']);
      });

      it('a field that its only owner leaves out → gone', async () => {
        await store.apply(exportWithLabels('db', { team: 'a', tier: 'gold' }), ALICE);
        const after = await store.apply(exportWithLabels('db', { team: 'a' }), ALICE);
        assert.deepEqual(after.spec, { exportedLabels: { team: 'a' } });
      });

      it('two managers with keys of one map → both, and each removes only its own', async () => {
        await store.apply(exportWithLabels('db', { team: 'a' }), ALICE);
        const both = await store.apply(exportWithLabels('db', { tier: 'gold' }), BOB);
        assert.deepEqual(both.spec, { exportedLabels: { team: 'a', tier: 'gold' } });
        const rest = await store.apply(exportWithLabels('db', { region: 'x' }), BOB);
        assert.deepEqual(rest.spec, { exportedLabels: { team: 'a', region: 'x' } });
      });

      it('a field that two managers gave equally → stays until both leave it out', async () => {
        await store.apply(exportWithLabels('db', { team: 'a', tier: 'gold' }), ALICE);
        await store.apply(exportWithLabels('db', { team: 'a' }), BOB);
        const shared = await store.apply(exportWithLabels('db', { tier: 'gold' }), ALICE);
        assert.deepEqual(shared.spec, { exportedLabels: { team: 'a', tier: 'gold' } });
        const rest = await store.apply(exportWithLabels('db', { region: 'x' }), BOB);
        assert.deepEqual(rest.spec, { exportedLabels: { tier: 'gold', region: 'x' } });
      });

      it('a field of another manager with another value → ERR_CONFLICT that names field and owner, nothing changes', async () => {
        const before = await store.apply(exportWithLabels('db', { team: 'a' }), ALICE);
        const error = await rejectedWith(
          'ERR_CONFLICT',
          store.apply(exportWithLabels('db', { team: 'b', tier: 'x' }), BOB),
        );
        assert.match(error.message, /exportedLabels\.team/);
        assert.match(error.message, /alice/);
        assert.deepEqual(await store.get('ServiceExport', key('db')), before);
      });

      it('the same with force → taken, and the other manager meets the conflict from then on', async () => {
        await store.apply(exportWithLabels('db', { team: 'a', tier: 'gold' }), ALICE);
        const taken = await store.apply(exportWithLabels('db', { team: 'b' }), { ...BOB, force: true });
        assert.deepEqual(taken.spec, { exportedLabels: { team: 'b', tier: 'gold' } });
        await rejectedWith('ERR_CONFLICT', store.apply(exportWithLabels('db', { team: 'a' }), ALICE));
      });

      it('a list of another manager, changed → ERR_CONFLICT: lists are atomic', async () => {
        const ports = [{ name: 'pg', port: 5432 }];
        await store.apply(serviceImport('db', { type: 'ClusterSetIP', ports, ips: ['10.0.0.1'] }), ALICE);
        await rejectedWith('ERR_CONFLICT', store.apply(serviceImport('db', { ips: ['10.0.0.1', '10.0.0.2'] }), BOB));
      });

      it('a list of its own, changed → replaced as a whole', async () => {
        const spec = {
          type: 'ClusterSetIP',
          ports: [
            { name: 'a', port: 1 },
            { name: 'b', port: 2 },
          ],
        } as const;
        await store.apply(serviceImport('db', { ...spec, ports: [...spec.ports] }), ALICE);
        const after = await store.apply(serviceImport('db', { ...spec, ports: [{ name: 'b', port: 3 }] }), ALICE);
        assert.deepEqual(
          after.spec?.ports.map(({ name, port }) => ({ name, port })),
          [{ name: 'b', port: 3 }],
        );
      });

      it('an unknown field → ERR_INVALID_OBJECT, and nothing is created', async () => {
        const object = serviceExport('db', { spec: { exportedLabel: { a: 'b' } } as never });
        await rejectedWith('ERR_INVALID_OBJECT', store.apply(object, ALICE));
        assert.equal(await store.get('ServiceExport', key('db')), undefined);
      });

      it('a field of the wrong type → ERR_INVALID_OBJECT, and the object stays as it was', async () => {
        const spec = { type: 'ClusterSetIP', ports: [{ name: 'pg', port: 5432 }] } as const;
        const before = await store.apply(serviceImport('db', { ...spec, ports: [...spec.ports] }), ALICE);
        const wrong = serviceImport('db', { ...spec, ports: [{ name: 'pg', port: 'x' as never }] });
        await rejectedWith('ERR_INVALID_OBJECT', store.apply(wrong, ALICE));
        assert.deepEqual(await store.get('ServiceImport', key('db')), before);
      });

      for (const bad of ['../etc', 'Upper', '', 'a/b', 'x'.repeat(254)]) {
        it(`the name ${JSON.stringify(bad.slice(0, 10))} (${bad.length} characters) → ERR_INVALID_OBJECT`, async () => {
          await rejectedWith('ERR_INVALID_OBJECT', store.apply(serviceExport(bad), ALICE));
        });
      }

      it('a name of 253 characters → an object like any other', async () => {
        const name = `${'x'.repeat(249)}.abc`;
        const metadata = { namespace, name };
        await store.apply(
          { ...baselinePolicy(name), apiVersion: 'clusterlink.net/v1alpha1', kind: 'AccessPolicy', metadata },
          ALICE,
        );
        assert.equal((await store.get('AccessPolicy', key(name)))?.metadata?.name, name);
      });

      it('a uid that is not the object’s → ERR_CONFLICT', async () => {
        await store.apply(serviceExport('db'), ALICE);
        const metadata = { namespace, name: 'db', uid: randomUUID() };
        await rejectedWith('ERR_CONFLICT', store.apply(serviceExport('db', { metadata }), ALICE));
      });
    });

    describe('applyStatus', () => {
      it('no such object → ERR_NOT_FOUND', async () => {
        await rejectedWith('ERR_NOT_FOUND', store.applyStatus(exportWithConditions('db', condition('Valid')), ALICE));
      });

      it('a status → spec, generation and uid stay, the resourceVersion is new', async () => {
        const before = await store.apply(exportWithLabels('db', { team: 'a' }), ALICE);
        const after = await store.applyStatus(exportWithConditions('db', condition('Valid')), ALICE);
        assert.deepEqual(after.spec, before.spec);
        assert.deepEqual(after.status, { conditions: [condition('Valid')] });
        assert.equal(after.metadata?.generation, before.metadata?.generation);
        assert.equal(after.metadata?.uid, before.metadata?.uid);
        assert.notEqual(after.metadata?.resourceVersion, before.metadata?.resourceVersion);
      });

      it('status in apply, spec in applyStatus → both without effect', async () => {
        const both = { spec: { exportedLabels: { a: 'b' } }, status: { conditions: [condition('Valid')] } };
        const applied = await store.apply(serviceExport('db', both), ALICE);
        assert.equal(applied.status, undefined);
        const other = serviceExport('db', { ...both, spec: { exportedLabels: { a: 'c' } } });
        const after = await store.applyStatus(other, ALICE);
        assert.deepEqual(after.spec, { exportedLabels: { a: 'b' } });
      });

      it('apply after applyStatus by the same manager → the status stays', async () => {
        await store.apply(serviceExport('db'), ALICE);
        await store.applyStatus(exportWithConditions('db', condition('Valid')), ALICE);
        const after = await store.apply(exportWithLabels('db', { a: 'b' }), ALICE);
        assert.deepEqual(after.status?.conditions, [condition('Valid')]);
      });

      it('the same again → the same resourceVersion', async () => {
        await store.apply(serviceExport('db'), ALICE);
        const before = await store.applyStatus(exportWithConditions('db', condition('Valid')), ALICE);
        const after = await store.applyStatus(exportWithConditions('db', condition('Valid')), ALICE);
        assert.equal(after.metadata?.resourceVersion, before.metadata?.resourceVersion);
      });

      it('conditions of two managers → merged by type, and each removes only its own', async () => {
        await store.apply(serviceExport('db'), ALICE);
        await store.applyStatus(exportWithConditions('db', condition('Valid'), condition('Ready')), ALICE);
        const both = await store.applyStatus(exportWithConditions('db', condition('Conflict')), BOB);
        assert.deepEqual(typesOf(both), ['Conflict', 'Ready', 'Valid']);
        const rest = await store.applyStatus(exportWithConditions('db', condition('Valid')), ALICE);
        assert.deepEqual(typesOf(rest), ['Conflict', 'Valid']);
      });

      it('a condition of another manager, changed → ERR_CONFLICT, and taken with force', async () => {
        await store.apply(serviceExport('db'), ALICE);
        await store.applyStatus(exportWithConditions('db', condition('Valid')), ALICE);
        const other = exportWithConditions('db', { ...condition('Valid'), status: 'False' });
        const error = await rejectedWith('ERR_CONFLICT', store.applyStatus(other, BOB));
        assert.match(error.message, /conditions.*Valid.*status/);
        const taken = await store.applyStatus(other, { ...BOB, force: true });
        assert.deepEqual(
          taken.status?.conditions?.map(({ status }) => status),
          ['False'],
        );
      });

      it('status.clusters of two managers → merged by cluster', async () => {
        const object = serviceImport('db', { type: 'ClusterSetIP', ports: [] });
        await store.apply(object, ALICE);
        await store.applyStatus({ ...object, status: { clusters: [{ cluster: 'east' }] } }, ALICE);
        const after = await store.applyStatus({ ...object, status: { clusters: [{ cluster: 'west' }] } }, BOB);
        assert.deepEqual(after.status?.clusters?.map(({ cluster }) => cluster).sort(), ['east', 'west']);
      });

      it('an unknown field in the status → ERR_INVALID_OBJECT', async () => {
        await store.apply(serviceExport('db'), ALICE);
        const wrong = serviceExport('db', { status: { phase: 'x' } as never });
        await rejectedWith('ERR_INVALID_OBJECT', store.applyStatus(wrong, ALICE));
      });
    });

    describe('delete', () => {
      it('an object → gone with its status; made again it has another uid', async () => {
        const first = await store.apply(serviceExport('db'), ALICE);
        await store.applyStatus(exportWithConditions('db', condition('Valid')), ALICE);
        await store.delete('ServiceExport', key('db'));
        assert.equal(await store.get('ServiceExport', key('db')), undefined);
        const second = await store.apply(serviceExport('db'), ALICE);
        assert.notEqual(second.metadata?.uid, first.metadata?.uid);
        assert.equal(second.status, undefined);
      });

      it('an object that is not there → success', async () => {
        await store.delete('ServiceExport', key('absent'));
        await store.delete('ServiceExport', key('absent'), { uid: randomUUID() });
      });

      it('another uid → ERR_CONFLICT, and the object stays; its own uid → gone', async () => {
        const { metadata } = await store.apply(serviceExport('db'), ALICE);
        await rejectedWith('ERR_CONFLICT', store.delete('ServiceExport', key('db'), { uid: randomUUID() }));
        assert.notEqual(await store.get('ServiceExport', key('db')), undefined);
        await store.delete('ServiceExport', key('db'), { uid: metadata?.uid ?? '' });
        assert.equal(await store.get('ServiceExport', key('db')), undefined);
      });
    });

    describe('watch', () => {
      it('first what there is, then every change in its order', async () => {
        await store.apply(serviceExport('old'), ALICE);
        await using seen = await observe(store, 'ServiceExport', namespace);
        await store.apply(serviceExport('db'), ALICE);
        await store.apply(exportWithLabels('db', { a: 'b' }), ALICE);
        await store.applyStatus(exportWithConditions('db', condition('Valid')), ALICE);
        await store.delete('ServiceExport', key('db'));
        await seen.until('deleted db');
        assert.deepEqual(seen.events, ['synced old', 'changed db', 'changed db', 'changed db', 'deleted db']);
        for (const object of seen.objects) assertDeepFrozen(object);
      });

      it('nothing there → synced all the same, with nothing', async () => {
        await using seen = await observe(store, 'ServiceExport', namespace);
        assert.deepEqual(seen.events, ['synced']);
      });

      it('changes of another kind → not told', async () => {
        await using seen = await observe(store, 'ServiceExport', namespace);
        await store.apply(serviceImport('db', { type: 'Headless', ports: [] }), ALICE);
        await store.apply(serviceExport('marker'), ALICE);
        await seen.until('changed marker');
        assert.deepEqual(seen.events, ['synced', 'changed marker']);
      });

      it('200 objects, some written at once, and two watchers → each sees the last form of every object', async () => {
        const names = Array.from({ length: 200 }, (_, index) => `db-${String(index).padStart(3, '0')}`);
        await Promise.all(names.slice(0, 100).map((name) => store.apply(serviceExport(name), ALICE)));
        await using one = await observe(store, 'ServiceExport', namespace);
        await Promise.all(names.map((name) => store.apply(exportWithLabels(name, { of: name }), ALICE)));
        await using two = await observe(store, 'ServiceExport', namespace);
        await store.apply(serviceExport('zz-marker'), ALICE);
        for (const seen of [one, two]) {
          await seen.until('changed zz-marker');
          assert.deepEqual(
            names.map((name) => seen.newest(name)?.spec?.exportedLabels?.['of']),
            names,
          );
        }
      });

      it('a closed watch → no further calls', async () => {
        const seen = await observe(store, 'ServiceExport', namespace);
        await using other = await observe(store, 'ServiceExport', namespace);
        await seen[Symbol.asyncDispose]();
        await store.apply(serviceExport('db'), ALICE);
        await other.until('changed db');
        assert.deepEqual(seen.events, ['synced']);
      });
    });

    if (isDurable) {
      describe('reopen', () => {
        it('object and status → as before, and who owns what is still known', async () => {
          await store.apply(exportWithLabels('db', { team: 'a' }), ALICE);
          const before = await store.applyStatus(exportWithConditions('db', condition('Valid')), BOB);
          assert.ok(opened.reopen !== undefined, 'a durable store can be opened again');
          store = await opened.reopen();
          assert.deepEqual(await store.get('ServiceExport', key('db')), before);
          await rejectedWith('ERR_CONFLICT', store.apply(exportWithLabels('db', { team: 'b' }), BOB));
          const same = await store.apply(exportWithLabels('db', { team: 'a' }), ALICE);
          assert.equal(same.metadata?.resourceVersion, before.metadata?.resourceVersion);
        });

        it('a deleted object → still deleted', async () => {
          await store.apply(serviceExport('db'), ALICE);
          await store.delete('ServiceExport', key('db'));
          assert.ok(opened.reopen !== undefined, 'a durable store can be opened again');
          store = await opened.reopen();
          assert.equal(await store.get('ServiceExport', key('db')), undefined);
        });
      });
    }
  });
}

/** Records what a watch says about one namespace, from `synced` on. */
async function observe<K extends KindName>(store: Store, kind: K, namespace: string) {
  const events: string[] = [];
  const objects: KindMap[K][] = [];
  const newest = new Map<string, KindMap[K]>();
  let wake = (): void => undefined;
  const isHere = (object: KindMap[K]): boolean => keyOf(object).namespace === namespace;
  const nameOf = (object: KindMap[K]): string => keyOf(object).name;
  function note(event: string, seen: readonly KindMap[K][]): void {
    const here = seen.filter(isHere);
    if (event !== 'synced' && here.length === 0) return;
    objects.push(...here);
    for (const object of here) newest.set(nameOf(object), object);
    events.push([event, ...here.map(nameOf).sort()].join(' '));
    wake();
  }
  const watch = store.watch(kind, {
    synced: (all) => note('synced', all),
    changed: (object) => note('changed', [object]),
    deleted: (object) => note('deleted', [object]),
  });
  async function until(isDone: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    while (!isDone()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) assert.fail(`no ${what} within ${WAIT_MS} ms; seen: ${events.slice(-20).join(', ')}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
  await until(() => events.length > 0, 'synced');
  return {
    events,
    objects,
    newest: (name: string) => newest.get(name),
    until: (event: string) => until(() => events.includes(event), event),
    [Symbol.asyncDispose]: () => Promise.resolve(watch.close()),
  };
}

function namesOf(
  objects: readonly { metadata?: { name?: string; namespace?: string } }[],
  namespace: string,
): string[] {
  return objects
    .filter(({ metadata }) => metadata?.namespace === namespace)
    .map(({ metadata }) => metadata?.name ?? '');
}

function typesOf({ status }: IServiceExport | IServiceImport): string[] {
  return (status?.conditions ?? []).map(({ type }) => type).sort();
}

function condition(type: string): Condition {
  return { type, status: 'True', reason: 'Tested', message: 'ok', lastTransitionTime: '2026-01-02T03:04:05Z' };
}

function baselinePolicy(name: string): Applied<'BaselineAccessPolicy'> {
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'BaselineAccessPolicy',
    metadata: { name },
    spec: { action: 'allow', from: [{ workloadSelector: {} }], to: [{ workloadSelector: {} }] },
  };
}

async function rejectedWith(code: ErrorCode, promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(
    (value) => assert.fail(`resolved with ${JSON.stringify(value)} instead of ${code}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof AppError, `not an AppError: ${String(error)}`);
  assert.equal(error.code, code, error.message);
  assert.notEqual(error.fix ?? '', '', 'an error says what to do');
  return error;
}

function assertDeepFrozen(value: unknown): void {
  assert.notEqual(value, undefined);
  const pending = [value];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    assert.ok(Object.isFrozen(next), `not frozen: ${JSON.stringify(next)}`);
    pending.push(...(Object.values(next) as unknown[]));
  }
}
