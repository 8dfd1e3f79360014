import assert from 'node:assert/strict';
import type { Applied } from '#src/api/applied.ts';
import type { IExport } from '#src/api/generated/Export.ts';
import type { ObjectKey } from '#src/api/object.ts';
import type { ForeseeTarget } from '#src/catalogue/host-targets.ts';
import type { ExportTarget } from '#src/catalogue/pod-targets.ts';
import { desiredExportValid, findExportTale } from '#src/controllers/export/desired.ts';
import { makeExportController } from '#src/controllers/export/reconciler.ts';
import type { ToldEvent } from '#src/controllers/teller.ts';
import { closeCaches, COMMON_KINDS, openCaches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';

const key = { namespace: 'shop', name: 'db' };
const exported = (spec: IExport['spec'] = { port: 5432 }, at: ObjectKey = key): Applied<'Export'> => ({
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'Export',
  metadata: { ...at },
  ...(spec === undefined ? {} : { spec }),
});
const serviceAt = (at: ObjectKey): Applied<'Service'> => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...at },
  spec: { ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }] },
});
const serviceExport: Applied<'ServiceExport'> = {
  apiVersion: 'multicluster.x-k8s.io/v1beta1',
  kind: 'ServiceExport',
  metadata: key,
};

describe('desiredExportValid', () => {
  it("offered → ExportValid=True Verified, ClusterLink's words", () => {
    assert.deepEqual(desiredExportValid({ valid: true, reason: 'Valid', message: '' }, 3), {
      type: 'ExportValid',
      status: 'True',
      reason: 'Verified',
      message: '',
      observedGeneration: 3,
    });
  });

  it('refused → ExportValid=False with the reason, and a tale of it', () => {
    const draft = desiredExportValid({ valid: false, reason: 'NoPort', message: 'x. Fix: y.' }, 1);
    assert.deepEqual([draft.type, draft.status, draft.reason], ['ExportValid', 'False', 'NoPort']);
    assert.deepEqual(findExportTale([draft]), { reason: 'NoPort', note: 'x. Fix: y.' });
    assert.equal(findExportTale([]), undefined);
  });
});

describe('makeExportController', () => {
  async function scene(foresee: ForeseeTarget = () => 'permitted') {
    const store = makeMemoryStore();
    const caches = openCaches(store, COMMON_KINDS);
    await Promise.all(Object.values(caches).map(({ synced }) => synced));
    const events: ToldEvent<IExport>[] = [];
    const enqueued: string[] = [];
    const clock = { nowMs: () => Date.parse('2026-11-20T12:00:00Z') };
    const controller = makeExportController({
      ...{ store, caches, clock, allowedNamespaces: [], foresee },
      onEvent: (event) => events.push(event),
    });
    const stops = controller.watches((name) => enqueued.push(name));
    return {
      ...{ store, events, enqueued, controller },
      async run(...objects: Applied<'Service' | 'ServiceExport' | 'Export'>[]) {
        for (const object of objects) await store.apply(object, { fieldManager: 'user', force: true });
        await controller.reconcile('shop/db', new AbortController().signal);
        const [condition] = (await store.get('Export', key))?.status?.conditions ?? [];
        return condition;
      },
      async close() {
        stops.forEach((stop) => stop());
        closeCaches(caches);
        await store.close();
      },
    };
  }
  const brief = (condition: Awaited<ReturnType<Awaited<ReturnType<typeof scene>>['run']>>): string =>
    `${condition?.type}=${condition?.status} ${condition?.reason}`;

  it('no Service, then one, then a ServiceExport of the name, then none → the condition follows', async () => {
    const world = await scene();
    assert.equal(brief(await world.run(exported())), 'ExportValid=False NoService');
    assert.equal(brief(await world.run(serviceAt(key))), 'ExportValid=True Verified');
    assert.equal(brief(await world.run(serviceExport)), 'ExportValid=False NameTaken');
    await world.store.delete('ServiceExport', key);
    assert.equal(brief(await world.run()), 'ExportValid=True Verified');
    assert.deepEqual(
      world.events.map(({ reason, regarding }) => `${regarding.kind} ${reason}`),
      ['Export NoService', 'Export NameTaken'],
    );
    await world.close();
  });

  it('a second run → writes nothing and tells nothing', async () => {
    const world = await scene();
    await world.run(exported());
    const before = await world.store.get('Export', key);
    await world.run();
    assert.equal((await world.store.get('Export', key))?.metadata?.resourceVersion, before?.metadata?.resourceVersion);
    assert.equal(world.events.length, 1);
    await world.close();
  });

  it('CFL-8.6 a host that may not be dialled → TargetForbidden with the remedy; one that may → Verified', async () => {
    const asked: ExportTarget[] = [];
    const world = await scene((target) => {
      asked.push(target);
      return target.host === '169.254.169.254' ? 'forbidden' : 'permitted';
    });
    const condition = await world.run(exported({ host: '169.254.169.254', port: 80 }));
    assert.equal(brief(condition), 'ExportValid=False TargetForbidden');
    assert.match(condition?.message ?? '', /^spec\.host: 169\.254\.169\.254:80 .*Fix: .*exports\.targets/);
    assert.deepEqual(asked, [{ namespace: 'shop', host: '169.254.169.254', port: 80 }]);
    assert.equal(brief(await world.run(exported({ host: 'db.example', port: 80 }))), 'ExportValid=True Verified');
    await world.close();
  });

  it('an address that a pod of the namespace may have → Unknown, with what it hangs on, and an event', async () => {
    const world = await scene(() => 'unseen');
    const condition = await world.run(exported({ host: '10.1.0.9', port: 80 }));
    assert.equal(brief(condition), 'ExportValid=Unknown TargetUnseen');
    assert.match(
      condition?.message ?? '',
      /^spec\.host: 10\.1\.0\.9:80 .*a pod of namespace shop\. Fix: .*exports\.targets/,
    );
    assert.deepEqual(
      world.events.map(({ reason }) => reason),
      ['TargetUnseen'],
    );
    await world.close();
  });

  it('a Service by its host name → that Service decides, and its changes wake the Export', async () => {
    const world = await scene();
    await world.run(exported({ host: 'pg.shop.svc.cluster.local', port: 5432 }));
    world.enqueued.length = 0;
    assert.equal(brief(await world.run(serviceAt({ namespace: 'shop', name: 'pg' }))), 'ExportValid=True Verified');
    assert.deepEqual(world.enqueued, ['shop/db', 'shop/db'], 'the Service, and the status that was written');
    await world.run(serviceAt(key), serviceAt({ namespace: 'bank', name: 'pg' }));
    assert.deepEqual(world.enqueued, ['shop/db', 'shop/db'], 'of other Services nothing is said');
    await world.close();
  });

  it('an Export that has gone → nothing', async () => {
    const world = await scene();
    assert.equal(await world.run(), undefined);
    assert.deepEqual(world.events, []);
    await world.close();
  });
});
