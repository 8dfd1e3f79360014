/** ServiceImports of users: answered within a rule of mode Requested, and left alone in everything else. */
import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import { makeRecord } from '../exchange/samples.ts';
import { makeClusterWorld, type ClusterWorld } from './cluster-world.ts';

const user = { fieldManager: 'kubectl' };

describe('makeImportController: ServiceImports of users', () => {
  let world: ClusterWorld;
  beforeEach(async () => {
    world = await makeClusterWorld();
    await world.say('east', makeRecord('db'));
  });
  afterEach(() => world.close());

  const declare = () =>
    world.store.apply(
      {
        apiVersion: 'multicluster.x-k8s.io/v1beta1',
        kind: 'ServiceImport',
        metadata: { namespace: 'store', name: 'db', labels: { team: 'a' } },
        spec: { type: 'ClusterSetIP', ports: [{ name: 'mine', port: 5432 }] },
      },
      user,
    );

  it('covered → addresses and status are written, and nothing else of it changes (IMP-08)', async () => {
    await world.rule({ mode: 'Requested' });
    const before = await declare();
    await world.imports();
    const { metadata, spec, status } = (await world.serviceImport('store/db')) ?? {};
    assert.equal(spec?.ips?.length, 1);
    assert.deepEqual(
      { ...spec, ips: undefined, ipFamilies: undefined },
      { ...before.spec, ips: undefined, ipFamilies: undefined },
    );
    assert.deepEqual(
      [metadata?.labels, metadata?.annotations, metadata?.finalizers],
      [{ team: 'a' }, undefined, undefined],
    );
    assert.deepEqual(status?.clusters, [{ cluster: 'east' }]);
    assert.equal(findCondition(status.conditions, 'Ready')?.observedGeneration, metadata?.generation);
    assert.deepEqual(world.events, []);
  });

  it('a second run, and the next leader → write nothing', async () => {
    await world.rule({ mode: 'Requested' });
    await declare();
    await world.imports();
    world.writes.length = 0;
    await world.imports();
    world.restart();
    await world.imports();
    assert.deepEqual(world.writes, []);
  });

  it('the rule goes → addresses and status go, the object stays', async () => {
    await world.rule({ mode: 'Requested' });
    const before = await declare();
    await world.imports();
    await world.store.delete('ClusterImportRule', { namespace: '', name: 'shop' });
    await world.imports();
    const after = await world.serviceImport('store/db');
    assert.deepEqual(
      [after?.spec, after?.status, after?.metadata?.uid],
      [before.spec, undefined, before.metadata?.uid],
    );
  });

  it('the user deletes it → the import goes, and it is not made again', async () => {
    await world.rule({ mode: 'Requested' });
    await declare();
    await world.imports();
    await world.store.delete('ServiceImport', { namespace: 'store', name: 'db' });
    await world.imports();
    assert.equal(await world.serviceImport('store/db'), undefined);
    assert.deepEqual(await world.store.list('ImportBinding'), []);
  });

  it('no rule covers it → untouched; an event says how to adopt it, once', async () => {
    const before = await declare();
    await world.imports();
    await world.imports();
    assert.deepEqual(await world.serviceImport('store/db'), before);
    assert.deepEqual(
      world.events.map(({ type, reason, regarding }) => [type, reason, regarding.metadata?.name]),
      [['Normal', 'NoRule', 'db']],
    );
    await world.rule({ mode: 'Requested' });
    await world.imports();
    await world.store.delete('ClusterImportRule', { namespace: '', name: 'shop' });
    await world.imports();
    assert.equal(world.events.length, 2, 'it was met in between');
  });

  it('objects that make no sense → nothing of them is used, nothing throws', async () => {
    await world.rule({ mode: 'Requested' });
    await world.store.apply(
      {
        apiVersion: 'multicluster.x-k8s.io/v1beta1',
        kind: 'ServiceImport',
        metadata: { namespace: 'store', name: 'db' },
        spec: { type: 'ClusterSetIP', ports: [{ port: 5432, protocol: 'TCP' }], ipFamilies: ['IPv9'] },
      },
      user,
    );
    await world.imports();
    const { spec } = (await world.serviceImport('store/db')) ?? {};
    assert.deepEqual(spec?.ipFamilies, ['IPv4']);
  });
});
