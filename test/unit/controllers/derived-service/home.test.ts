/** Imports in Kubernetes, on a cluster in memory: derived Services, their addresses and target ports. */
import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import { AppError } from '#src/api/errors.ts';
import { hash } from 'node:crypto';
import { derivedServiceName } from '#src/controllers/derived-service/name.ts';
import {
  ADDRESS_RELEASE_MS,
  DERIVED_SERVICE_KEPT_MS,
  RECREATE_INTERVAL_MS,
  TARGET_PORT_REST_MS,
} from '#src/controllers/limits.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeRecord } from '../../exchange/samples.ts';
import { makeClusterWorld, SYSTEM, type ClusterWorld } from '../cluster-world.ts';

const key = { namespace: 'store', name: 'db' };
const service = { namespace: SYSTEM, name: derivedServiceName(key) };
const user = { fieldManager: 'kubectl', force: true };

describe('makeDerivedServices', () => {
  let world: ClusterWorld;
  beforeEach(async () => {
    world = await makeClusterWorld();
    await world.rule();
  });
  afterEach(() => world.close());

  const ipsOf = async () => (await world.serviceImport('store/db'))?.spec?.ips;

  it('an import → a derived Service without selector, whose address and families the ServiceImport names (IMP-22, IMP-29)', async () => {
    await world.say('east', makeRecord('db', { ipFamilies: ['IPv6'] }));
    await world.imports();
    const derived = await world.store.get('Service', service);
    assert.deepEqual(derived?.metadata?.labels, {
      'app.kubernetes.io/managed-by': 'clusterlink-mcs',
      'mcs.clusterlink.net/import-namespace': 'store',
      'mcs.clusterlink.net/import-name': 'db',
    });
    assert.deepEqual(derived.metadata.annotations, { 'mcs.clusterlink.net/import': 'store/db' });
    const { clusterIP, clusterIPs, ipFamilies, ...spec } = derived.spec ?? {};
    assert.deepEqual(spec, {
      type: 'ClusterIP',
      ipFamilyPolicy: 'PreferDualStack',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ports: [{ name: 'pg', protocol: 'TCP', port: 5432, targetPort: 20_000 }],
    });
    const imported = await world.serviceImport('store/db');
    assert.deepEqual([imported?.spec?.ips, imported?.spec?.ipFamilies], [[clusterIP], ['IPv4']]);
    assert.deepEqual([clusterIPs, ipFamilies], [[clusterIP], ['IPv4']]);
    assert.equal(imported?.metadata?.annotations?.['multicluster.kubernetes.io/derived-service'], service.name);
    assert.deepEqual(await world.targetPorts('store/db'), [20_000]);
  });

  it('a dual-stack cluster → both addresses, in the order of the families (CRD-09)', async () => {
    const dual = await makeClusterWorld({ families: ['IPv6', 'IPv4'] });
    await dual.rule();
    await dual.say('east', makeRecord('db'));
    await dual.imports();
    const spec = (await dual.serviceImport('store/db'))?.spec;
    assert.deepEqual(spec?.ipFamilies, ['IPv6', 'IPv4']);
    assert.deepEqual(
      spec.ips?.map((ip) => ip.includes(':')),
      [true, false],
    );
    await dual.close();
  });

  it('nothing changed → nothing is written, by this process and by the next leader', async () => {
    await world.say('east', makeRecord('db'), makeRecord('web'));
    await world.imports();
    world.writes.length = 0;
    await world.imports();
    world.restart();
    await world.imports();
    assert.deepEqual(world.writes, []);
  });

  it('a headless import → no derived Service, no addresses (CRD-10)', async () => {
    await world.say('east', makeRecord('db', { type: 'Headless' }));
    await world.imports();
    assert.equal(await world.store.get('Service', service), undefined);
    assert.deepEqual(await ipsOf(), []);
  });

  it('a UDP port → in Service and import with a target port, and a condition names it (C-R09)', async () => {
    const ports = [
      { name: 'dns', protocol: 'UDP' as const, port: 53 },
      { name: 'pg', protocol: 'TCP' as const, port: 5432 },
    ];
    await world.say('east', makeRecord('db', { ports }));
    await world.imports();
    const derived = await world.store.get('Service', service);
    assert.deepEqual(
      derived?.spec?.ports?.map(({ protocol, targetPort }) => [protocol, targetPort]),
      [
        ['UDP', 20_000],
        ['TCP', 20_001],
      ],
    );
    const conditions = (await world.serviceImport('store/db'))?.status?.conditions;
    assert.equal(findCondition(conditions, 'PortsServed')?.reason, 'ProtocolNotServed');
  });

  it('an appProtocol that no Service may have → the import has it, the Service has not', async () => {
    const ports = [{ name: 'pg', protocol: 'TCP' as const, port: 5432, appProtocol: 'any text' }];
    await world.say('east', makeRecord('db', { ports }));
    await world.imports();
    assert.equal((await world.store.get('Service', service))?.spec?.ports?.[0]?.appProtocol, undefined);
    assert.equal((await world.serviceImport('store/db'))?.spec?.ports[0]?.appProtocol, 'any text');
  });

  describe('retirement', () => {
    beforeEach(async () => {
      await world.say('east', makeRecord('db'));
      await world.imports();
    });

    it('the import goes → its Service stays, and is marked once; it returns → the same address and port (IMP-13)', async () => {
      const ips = await ipsOf();
      await world.say('east', makeRecord('web'));
      await world.imports();
      const marked = (await world.store.get('Service', service))?.metadata?.annotations;
      assert.equal(marked?.['mcs.clusterlink.net/unused-since'], '2026-11-20T12:00:00Z');
      assert.equal(await world.serviceImport('store/db'), undefined);
      world.advance(DERIVED_SERVICE_KEPT_MS - 1);
      world.writes.length = 0;
      await world.imports();
      world.restart();
      await world.imports();
      assert.deepEqual(world.writes, []);
      await world.say('east', makeRecord('db'), makeRecord('web'));
      await world.imports();
      assert.deepEqual([await ipsOf(), await world.targetPorts('store/db')], [ips, [20_000]]);
      const back = (await world.store.get('Service', service))?.metadata?.annotations;
      assert.equal(back?.['mcs.clusterlink.net/unused-since'], undefined);
    });

    it('unused for an hour → removed', async () => {
      await world.say('east', makeRecord('web'));
      await world.imports();
      world.advance(DERIVED_SERVICE_KEPT_MS);
      await world.imports();
      assert.equal(await world.store.get('Service', service), undefined);
    });

    it('a target port that was given up → rests for 10 minutes, after a restart too', async () => {
      const at = (port: number) => makeRecord('db', { ports: [{ name: 'pg', protocol: 'TCP', port }] });
      await world.say('east', at(1));
      await world.imports();
      const [old = 0] = await world.targetPorts('store/db');
      await world.say('east', at(2));
      await world.imports();
      const noted = (await world.store.get('Service', service))?.metadata?.annotations;
      assert.match(noted?.['mcs.clusterlink.net/resting-ports'] ?? '', new RegExp(`(^|,)${old}@`));
      world.restart();
      await world.say('east', at(1));
      await world.imports();
      assert.notDeepEqual(await world.targetPorts('store/db'), [old]);
      world.advance(TARGET_PORT_REST_MS);
      world.writes.length = 0;
      await world.imports();
      assert.deepEqual(world.writes, [], 'rest that is over is no reason to write');
    });
  });

  describe('what others do to it', () => {
    let before: readonly string[] | undefined;
    beforeEach(async () => {
      await world.say('east', makeRecord('db'));
      await world.imports();
      before = await ipsOf();
    });

    it('deleted by hand → made again with its address and target port (IMP-07)', async () => {
      await world.store.delete('Service', service);
      await world.imports();
      assert.deepEqual([await ipsOf(), await world.targetPorts('store/db')], [before, [20_000]]);
    });

    it('deleted by hand, and another Service has its address → another address, in Service and import alike', async () => {
      await world.store.delete('Service', service);
      await world.store.apply(
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { namespace: 'shop', name: 'thief' },
          spec: { clusterIP: before?.[0] ?? '', ports: [{ port: 1 }] },
        },
        user,
      );
      await world.imports();
      const now = await world.store.get('Service', service);
      assert.notEqual(now?.spec?.clusterIP, before?.[0]);
      assert.deepEqual(await ipsOf(), [now?.spec?.clusterIP]);
    });

    for (const { how, busyMs } of [
      { how: 'is free a little later → made again with it', busyMs: ADDRESS_RELEASE_MS - 1 },
      { how: 'is not free again → another one, when it was asked for long enough', busyMs: ADDRESS_RELEASE_MS },
    ]) {
      it(`deleted by hand, and its address ${how}`, async () => {
        const { store } = world;
        const apply = store.apply.bind(store);
        let isBusy = true;
        store.apply = async (object, options) => {
          const asked = object.kind === 'Service' ? (object as { spec?: { clusterIP?: string } }).spec?.clusterIP : '';
          if (isBusy && asked === before?.[0])
            throw new AppError('ERR_INVALID_OBJECT', 'Service: spec.clusterIPs: provided IP is already allocated');
          return apply(object, options);
        };
        await store.delete('Service', service);
        await assert.rejects(world.imports());
        world.advance(busyMs);
        isBusy = busyMs === ADDRESS_RELEASE_MS;
        await world.imports();
        const now = await store.get('Service', service);
        assert.equal(now?.spec?.clusterIP === before?.[0], !isBusy);
        assert.deepEqual(await ipsOf(), [now?.spec?.clusterIP]);
      });
    }

    it('ports, labels and annotations edited by hand → put back', async () => {
      await world.store.apply(
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: {
            ...service,
            labels: { 'mcs.clusterlink.net/import-name': 'other', 'app.kubernetes.io/managed-by': 'me' },
          },
          spec: { sessionAffinity: 'ClientIP', ports: [{ name: 'pg', protocol: 'TCP', port: 5432, targetPort: 1 }] },
        },
        user,
      );
      await world.imports();
      const now = await world.store.get('Service', service);
      assert.equal(now?.spec?.ports?.[0]?.targetPort, 20_000);
      assert.equal(now.spec.sessionAffinity, 'None');
      assert.equal(now.metadata?.labels?.['mcs.clusterlink.net/import-name'], 'db');
      assert.deepEqual(await ipsOf(), before);
    });

    it('a selector, which apply cannot take away → made anew with its address; again at once → left until a minute is over', async () => {
      const addSelector = () =>
        world.store.apply(
          { apiVersion: 'v1', kind: 'Service', metadata: service, spec: { selector: { app: 'evil' } } },
          user,
        );
      await addSelector();
      await world.imports();
      const now = await world.store.get('Service', service);
      assert.deepEqual([now?.spec?.selector, [now?.spec?.clusterIP]], [undefined, before]);
      await addSelector();
      await world.imports();
      assert.deepEqual((await world.store.get('Service', service))?.spec?.selector, { app: 'evil' });
      world.advance(RECREATE_INTERVAL_MS);
      await world.imports();
      assert.equal((await world.store.get('Service', service))?.spec?.selector, undefined);
    });

    it('the binding deleted by hand → made again with the same address and port', async () => {
      await world.store.delete('ImportBinding', { namespace: SYSTEM, name: 'db.store' });
      world.restart();
      await world.imports();
      assert.deepEqual([await ipsOf(), await world.targetPorts('store/db')], [before, [20_000]]);
    });
  });

  it('a Service of its name that is not this import’s → NameTaken, and it is left alone', async () => {
    const foreign = {
      apiVersion: 'v1' as const,
      kind: 'Service' as const,
      metadata: service,
      spec: { ports: [{ port: 1 }] },
    };
    await world.store.apply(foreign, user);
    await world.say('east', makeRecord('db'), makeRecord('web'));
    await world.imports();
    const { status } = (await world.store.get('ClusterImportRule', { namespace: '', name: 'shop' })) ?? {};
    assert.deepEqual(
      status?.skipped?.map(({ source, reason }) => [source, reason]),
      [['east/shop/db', 'NameTaken']],
    );
    assert.deepEqual(
      status?.imported?.map(({ as }) => as),
      ['store/web'],
    );
    assert.equal(await world.serviceImport('store/db'), undefined);
    assert.deepEqual((await world.store.get('Service', service))?.spec?.ports, [{ port: 1 }]);
  });

  it('a namespace that is not there → NamespaceNotFound; it comes → imported; it is going → given up, no error (IMP-03, IMP-06)', async () => {
    await world.rule({ into: { namespace: 'later' } });
    await world.say('east', makeRecord('db'));
    await world.imports();
    const rule = async () => (await world.store.get('ClusterImportRule', { namespace: '', name: 'shop' }))?.status;
    assert.equal((await rule())?.skipped?.[0]?.reason, 'NamespaceNotFound');
    await world.namespace('later');
    await world.imports();
    assert.ok((await world.serviceImport('later/db')) !== undefined);
    assert.deepEqual((await rule())?.skipped, []);
    await world.namespace('later', 'Terminating');
    await world.imports();
    assert.equal(await world.serviceImport('later/db'), undefined);
  });

  describe('into.service', () => {
    beforeEach(async () => {
      await world.rule({ service: true });
      await world.say('east', makeRecord('db'));
    });

    it('true → an ordinary Service of the name too; false again → it goes', async () => {
      await world.imports();
      const named = await world.store.get('Service', key);
      assert.deepEqual(named?.spec?.ports, [{ name: 'pg', protocol: 'TCP', port: 5432, targetPort: 20_000 }]);
      world.writes.length = 0;
      await world.imports();
      assert.deepEqual(world.writes, []);
      await world.rule({ service: false });
      await world.imports();
      assert.equal(await world.store.get('Service', key), undefined);
    });

    it('somebody else’s Service has the name → it stays as it is, and a condition says so', async () => {
      await world.store.apply(
        { apiVersion: 'v1', kind: 'Service', metadata: key, spec: { ports: [{ port: 1 }] } },
        user,
      );
      await waitFor('the cache has it', () => world.caches.Service.get(key) !== undefined);
      await world.imports();
      assert.deepEqual((await world.store.get('Service', key))?.spec?.ports, [{ port: 1 }]);
      const { conditions } = (await world.serviceImport('store/db'))?.status ?? {};
      assert.equal(findCondition(conditions, 'ServicePublished')?.reason, 'NameTaken');
    });
  });

  it('the hash of a name → that of SHA-256, so that other implementations find it', () => {
    const bits = [...hash('sha256', 'store/db', 'buffer')].map((byte) => byte.toString(2).padStart(8, '0')).join('');
    const label = Array.from({ length: 10 }, (_, index) =>
      parseInt(bits.slice(index * 5, index * 5 + 5), 2).toString(32),
    ).join('');
    assert.equal(service.name, `derived-${label}`);
  });
});
