import assert from 'node:assert/strict';
import type { IServiceExport } from '#src/api/generated/ServiceExport.ts';
import type { Applied } from '#src/api/applied.ts';
import { makeServiceExportController } from '#src/controllers/service-export/reconciler.ts';
import type { ToldEvent } from '#src/controllers/teller.ts';
import { closeCaches, COMMON_KINDS, openCaches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import { desiredExportConditions } from '#src/controllers/service-export/desired.ts';
import { recordFirstPort } from '#src/controllers/service-export/first-port.ts';

const valid = {
  kind: 'ServiceExport',
  namespace: 'shop',
  name: 'db',
  valid: true,
  reason: 'Valid',
  message: '',
} as const;
const invalid = {
  kind: 'ServiceExport',
  namespace: 'shop',
  name: 'db',
  valid: false,
  reason: 'NoService',
  message: 'There is no Service shop/db.',
} as const;

function brief(conditions: ReturnType<typeof desiredExportConditions>): string[] {
  return conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
}

describe('desiredExportConditions', () => {
  it('valid and alone → Valid, Ready, no conflict (CFL-28)', () => {
    assert.deepEqual(brief(desiredExportConditions({ generation: 1, verdict: valid, conflicts: [] })), [
      'Valid=True Valid',
      'Ready=True Ready',
      'Conflict=False NoConflicts',
    ]);
  });

  it('no Service → not valid, not ready, and no Conflict condition (EXP-09)', () => {
    const conflicts = [{ reasons: ['PortConflict'], loses: true, message: 'x' }];
    assert.deepEqual(brief(desiredExportConditions({ generation: 1, verdict: invalid, conflicts })), [
      'Valid=False NoService',
      'Ready=False Pending',
    ]);
  });

  it('several verdicts → reasons united in the order of CFL-12, each message once (CFL-11)', () => {
    const conflicts = [
      { reasons: ['SessionAffinityConflict', 'PortConflict'], loses: false, message: 'b' },
      { reasons: ['PortConflict', 'TypeConflict'], loses: true, message: 'a' },
      { reasons: [], loses: false, message: 'not told' },
      { reasons: ['PortConflict'], loses: true, message: 'a' },
    ];
    const conflict = desiredExportConditions({ generation: 3, verdict: valid, conflicts })[2];
    assert.deepEqual(conflict, {
      type: 'Conflict',
      status: 'True',
      reason: 'TypeConflict,PortConflict,SessionAffinityConflict',
      message: 'a\nb',
      observedGeneration: 3,
    });
  });

  it('a reason that no specification knows, from a peer → not repeated', () => {
    const conflicts = [{ reasons: ['Evil'], loses: true, message: 'x' }];
    assert.equal(desiredExportConditions({ generation: 1, verdict: valid, conflicts })[2]?.reason, 'NoConflicts');
  });
});

describe('makeServiceExportController', () => {
  const key = { namespace: 'shop', name: 'db' };
  const service: Applied<'Service'> = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: key,
    spec: { ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }] },
  };
  const report = (reasons: string[]): Applied<'PeerRecords'> => ({
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'PeerRecords',
    metadata: { namespace: 'clusterlink-system', name: 'west' },
    spec: {
      peer: 'west',
      epoch: 'one',
      digest: 'd',
      records: [],
      report: { receivedAt: '2026-11-20T11:00:00Z', conflicts: [{ ...key, reasons, loses: true }], imports: [] },
    },
  });

  it('invalid, then a conflict, then another → one event each; none again after a restart, nor while all is well (EXP-14)', async () => {
    const store = makeMemoryStore();
    const caches = openCaches(store, COMMON_KINDS);
    await Promise.all(Object.values(caches).map(({ synced }) => synced));
    const events: ToldEvent<IServiceExport>[] = [];
    const enqueued: string[] = [];
    const open = () => {
      const controller = makeServiceExportController({
        self: 'east',
        store,
        caches,
        clock: { nowMs: () => Date.parse('2026-11-20T12:00:00Z') },
        allowedNamespaces: [],
        clusterlinkCompat: 'off',
        onEvent: (event) => events.push(event),
      });
      return { ...controller, stops: controller.watches((name) => enqueued.push(name)) };
    };
    let controller = open();
    const run = async (...objects: Applied<'Service' | 'PeerRecords' | 'ServiceExport'>[]): Promise<string[]> => {
      for (const object of objects) await store.apply(object, { fieldManager: 'user', force: true });
      events.length = 0;
      for (let times = 0; times < 2; times++) await controller.reconcile('shop/db', new AbortController().signal);
      return events.map(
        ({ type, reason, note, regarding }) => `${type} ${regarding.kind} ${reason} ${note.slice(0, 24)}`,
      );
    };
    const serviceExport = {
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceExport',
      metadata: key,
    } as const;
    assert.deepEqual(await run(serviceExport), ['Warning ServiceExport NoService There is no Service shop']);
    controller.stops.forEach((stop) => stop());
    controller = open();
    assert.deepEqual(await run(), []);
    assert.deepEqual(await run(service), []);
    enqueued.length = 0;
    assert.deepEqual(await run(report(['PortConflict'])), [
      'Warning ServiceExport PortConflict PortConflict: Peer west ',
    ]);
    assert.deepEqual(await run(report(['PortConflict', 'TypeConflict'])), [
      'Warning ServiceExport TypeConflict TypeConflict,PortConflic',
    ]);
    assert.deepEqual(await run(report([])), []);
    // A report that says the same of it concerns nobody.
    const again = { ...report([]), metadata: { ...report([]).metadata, labels: { a: 'b' } } };
    assert.deepEqual(await run(again), []);
    assert.equal(enqueued.filter((name) => name === 'shop/db').length, 3 + 3);
    controller.stops.forEach((stop) => stop());
    closeCaches(caches);
    await store.close();
  });
});

describe('makeServiceExportController, the first port', () => {
  const key = { namespace: 'shop', name: 'db' };
  const FIRST_PORT = 'mcs.clusterlink.net/first-port';
  const serviceOf = (...ports: number[]): Applied<'Service'> => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: key,
    spec: { ports: ports.map((port) => ({ name: `p${port}`, protocol: 'TCP' as const, port })) },
  });
  const exported = (annotations: Record<string, string> = {}): Applied<'ServiceExport'> => ({
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceExport',
    metadata: { ...key, annotations },
  });

  async function scene(clusterlinkCompat: 'off' | 'on' = 'on') {
    const store = makeMemoryStore();
    const caches = openCaches(store, COMMON_KINDS);
    await Promise.all(Object.values(caches).map(({ synced }) => synced));
    const clock = { nowMs: () => Date.parse('2026-11-20T12:00:00Z') };
    const controller = makeServiceExportController({
      ...{ self: 'east', store, caches, clock, allowedNamespaces: [], clusterlinkCompat },
    });
    const read = async (): Promise<IServiceExport> => {
      const found = await store.get('ServiceExport', key);
      assert.ok(found !== undefined);
      return found;
    };
    return {
      store,
      async run(...objects: Applied<'Service' | 'ServiceExport'>[]): Promise<IServiceExport> {
        for (const object of objects) await store.apply(object, { fieldManager: 'user', force: true });
        await controller.reconcile('shop/db', new AbortController().signal);
        return read();
      },
      async noted(...objects: Applied<'Service' | 'ServiceExport'>[]): Promise<string | undefined> {
        return (await this.run(...objects)).metadata?.annotations?.[FIRST_PORT];
      },
      read,
      async close() {
        closeCaches(caches);
        await store.close();
      },
    };
  }

  it('first seen → noted; ports in another order → as it was; gone from the Service → the first one anew', async () => {
    const world = await scene();
    assert.equal(await world.noted(serviceOf(5432, 80), exported()), '5432');
    assert.equal(await world.noted(serviceOf(80, 5432)), '5432');
    assert.equal(await world.noted(serviceOf(80, 443)), '80');
    await world.close();
  });

  it('a second run → writes nothing', async () => {
    const world = await scene();
    await world.run(serviceOf(5432), exported());
    const { metadata } = await world.run();
    assert.equal((await world.run()).metadata?.resourceVersion, metadata?.resourceVersion);
    await world.close();
  });

  it('no Service, or none with a TCP port → nothing noted', async () => {
    const world = await scene();
    assert.equal(await world.noted(exported()), undefined);
    const udp = serviceOf(53);
    udp.spec = { ports: [{ name: 'dns', protocol: 'UDP', port: 53 }] };
    assert.equal(await world.noted(udp), undefined);
    await world.close();
  });

  it('the Service goes for a while → the note stays', async () => {
    const world = await scene();
    await world.run(serviceOf(5432, 80), exported());
    await world.store.delete('Service', key);
    assert.equal(await world.noted(), '5432');
    assert.equal(await world.noted(serviceOf(80, 5432)), '5432');
    await world.close();
  });

  it('somebody writes the annotation by hand → theirs: never taken, whatever it says', async () => {
    const world = await scene();
    assert.equal(await world.noted(serviceOf(5432, 80), exported({ [FIRST_PORT]: '80' })), '80');
    assert.equal(await world.noted(serviceOf(5432, 443)), '80');
    const { status } = await world.read();
    assert.equal(status?.conditions?.[0]?.status, 'True');
    await world.close();
  });

  it('an export that was made anew meanwhile, and one that has gone → untouched, and none is made', async () => {
    const world = await scene();
    const before = await world.run(serviceOf(5432), exported());
    await world.store.delete('ServiceExport', key);
    const { metadata, ...rest } = before;
    const old = { ...rest, metadata: { ...metadata, annotations: {} } };
    const service = await world.store.get('Service', key);
    assert.ok(service !== undefined);
    await recordFirstPort({ store: world.store, serviceExport: old, service });
    assert.equal(await world.store.get('ServiceExport', key), undefined);
    await world.store.apply(exported(), { fieldManager: 'user' });
    await recordFirstPort({ store: world.store, serviceExport: old, service });
    assert.equal((await world.read()).metadata?.annotations?.[FIRST_PORT], undefined);
    await world.close();
  });

  it("ClusterLink's form is off → the export is left as its owner wrote it", async () => {
    const world = await scene('off');
    assert.equal(await world.noted(serviceOf(5432), exported()), undefined);
    await world.close();
  });

  it('a pin that names no TCP port → Valid, and its message says so', async () => {
    const world = await scene();
    const { status } = await world.run(serviceOf(5432), exported({ 'mcs.clusterlink.net/port': 'metrics' }));
    assert.equal(status?.conditions?.[0]?.status, 'True');
    assert.match(
      status?.conditions?.[0]?.message ?? '',
      /no TCP port "metrics", it has "p5432 5432"; .* port 5432 .*Fix: /,
    );
    await world.close();
  });
});
