import assert from 'node:assert/strict';
import type { Applied } from '#src/api/applied.ts';
import { makeServiceExportController, type ExportEvent } from '#src/controllers/service-export/reconciler.ts';
import { closeCaches, COMMON_KINDS, openCaches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import { desiredExportConditions } from '#src/controllers/service-export/desired.ts';

const valid = { namespace: 'shop', name: 'db', valid: true, reason: 'Valid', message: '' } as const;
const invalid = {
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
    const events: ExportEvent[] = [];
    const enqueued: string[] = [];
    const open = () => {
      const controller = makeServiceExportController({
        self: 'east',
        store,
        caches,
        clock: { nowMs: () => Date.parse('2026-11-20T12:00:00Z') },
        allowedNamespaces: [],
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
