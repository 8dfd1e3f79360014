/** Objects that the API server takes and that make no sense, and hands in what is ours: nothing is lost, nothing loops. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { findCondition } from '#src/api/conditions.ts';
import type { KindName } from '#src/api/kinds.ts';
import { derivedServiceName } from '#src/controllers/derived-service/name.ts';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import {
  clusterImportRule,
  describeWrite,
  importRule,
  makeCluster,
  namespace,
  PARTS_USER,
  peer,
  peerRecords,
  service,
  serviceExport,
  serviceImport,
  SYSTEM,
  type Cluster,
} from '#test/support/cluster-objects.ts';
import { startController, type RunningPart } from '#test/support/cluster-parts.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeRecord } from '../unit/exchange/samples.ts';

describe('controller, objects that make no sense', function () {
  this.timeout(120_000);
  let server: ApiServer;
  let cluster: Cluster;
  let controller: RunningPart;

  before(async () => {
    server = await startApiServer();
    cluster = makeCluster(server);
    await cluster.apply(...[SYSTEM, 'store', 'shop', 'team'].map(namespace), peer('east'));
    controller = await startController({ kubeconfig: await server.kubeconfigFor(PARTS_USER, ['system:masters']) });
    await cluster.apply(
      peerRecords('east', [makeRecord('db')]),
      clusterImportRule('good', {
        peers: { names: ['east'] },
        exports: { namespaces: ['shop'] },
        into: { namespace: 'store' },
      }),
    );
    await waitFor('the good import', () => cluster.get('ImportBinding', SYSTEM, 'db.store'), 30_000);
    await cluster.rest();
  });
  after(async () => {
    await controller?.close();
    await server?.close();
  });

  const imported = (inNamespace: string, name: string) => cluster.get('ServiceImport', inNamespace, name);
  const ready = async (inNamespace: string, name: string) =>
    findCondition((await imported(inNamespace, name))?.status?.conditions, 'Ready');
  const exportCondition = async (name: string, type: string) =>
    findCondition((await cluster.get('ServiceExport', 'shop', name))?.status?.conditions, type);

  /** What was written by the parts since `before`, once they rest. */
  async function since(before: number): Promise<readonly string[]> {
    return (await cluster.rest()).slice(before).map(describeWrite);
  }
  const written = async (): Promise<number> => (await cluster.rest()).length;

  /** Everything that an import is made of, without what changes by itself. */
  async function shapeOf(name: string): Promise<string> {
    const objects = [
      await cluster.get('Service', SYSTEM, derivedServiceName({ namespace: 'store', name })),
      await imported('store', name),
      await cluster.get('ImportBinding', SYSTEM, `${name}.store`),
      ...(await cluster.list('EndpointSlice', 'store')).filter(({ metadata }) =>
        metadata?.name?.startsWith(`${name}-`),
      ),
    ];
    return JSON.stringify(
      objects.map((object) => {
        const { metadata, ...rest } = object ?? {};
        return [metadata?.labels, metadata?.annotations, { ...rest, status: undefined }];
      }),
    );
  }

  it('records with ports, names and families that cannot be → the API server refuses each once for its form; the others are imported', async () => {
    const before = await written();
    const port = { name: 'a', protocol: 'TCP' as const, port: 1 };
    await cluster.apply(
      peerRecords('east', [
        makeRecord('db'),
        makeRecord('zero', { ports: [{ ...port, port: 0 }] }),
        makeRecord('huge', { ports: [{ ...port, port: 99_999 }] }),
        makeRecord('spaced', { ports: [{ ...port, name: 'Not A Label' }] }),
        makeRecord('UPPER'),
        makeRecord('portless', { ports: [] }),
        makeRecord('one-name', { ports: [port, { ...port, port: 2 }] }),
        makeRecord('one-number', { ports: [port, { ...port, name: 'b' }] }),
        makeRecord('twice'),
        makeRecord('twice', { uid: 'other' }),
        makeRecord('no-family', { ipFamilies: [] }),
        makeRecord('protocol', { ports: [{ ...port, appProtocol: 'not a protocol' }] }),
        makeRecord('affinity', { sessionAffinity: 'ClientIP', sessionAffinityTimeoutSeconds: -5 }),
      ]),
    );
    const good = ['affinity', 'db', 'no-family', 'one-name', 'one-number', 'protocol', 'twice'];
    await waitFor('the good ones', async () => {
      const names = (await cluster.list('ImportBinding', SYSTEM)).map(({ metadata }) => metadata?.name?.split('.')[0]);
      return good.every((name) => names.includes(name));
    });
    const refused = (await cluster.rest()).slice(before).filter(({ code }) => code >= 400);
    assert.deepEqual(
      refused.map(({ code, resource }) => [code, resource]),
      Array(3).fill([422, 'services']),
    );
    const imports = (await cluster.list('ServiceImport', 'store')).map(({ metadata }) => metadata?.name);
    assert.deepEqual(imports, good);
    assert.deepEqual((await imported('store', 'one-number'))?.spec?.ports, [{ ...port }]);
    const skipped = (await cluster.get('ClusterImportRule', '', 'good'))?.status?.skipped ?? [];
    assert.deepEqual(
      skipped.map(({ source, reason }) => [source, reason]),
      [
        ['east/shop/UPPER', 'InvalidName'],
        ['east/shop/portless', 'NoPorts'],
      ],
    );
    // Anything else that changes makes no request about them.
    await cluster.apply(peerRecords('east', [makeRecord('db')]));
    await waitFor('they go', async () => (await cluster.list('ServiceImport', 'store')).length === 1);
    const after = (await cluster.rest()).slice(before);
    assert.equal(after.filter(({ code }) => code >= 400).length, 3);
  });

  it('ServiceImports of users that make no sense → what can be answered is, the others are told why; nothing else is written', async () => {
    await cluster.apply(
      importRule('team', 'asked', { mode: 'Requested', peers: { all: true }, exports: { namespaces: ['shop'] } }),
    );
    const before = await written();
    const tcp = { port: 5432, protocol: 'TCP' };
    const request = async (name: string, spec: Record<string, unknown>, key = 'sources'): Promise<void> => {
      const object = serviceImport('team', name, { type: 'ClusterSetIP', ports: [], ...spec });
      const annotations = { [`mcs.clusterlink.net/${key}`]: 'east/shop/db' };
      await cluster.apply({ ...object, metadata: { ...object.metadata, annotations } });
    };
    await request('empty-protocol', { ports: [{ port: 5432, protocol: '' }] });
    await request('clash', { ports: [tcp, { ...tcp, name: 'x' }] });
    await request('none', { ips: ['None'] });
    await request('families', { ipFamilies: ['IPv9', 'x'], sessionAffinity: 'Sometimes', internalTrafficPolicy: 'x' });
    await request('port-zero', { ports: [{ port: 0, protocol: 'TCP' }] });
    await request('quic', { ports: [{ port: 5432, protocol: 'QUIC' }] });
    await request('a.dotted', {});
    await request('misspelt', { ips: ['None'] }, 'source');
    const answered = ['clash', 'empty-protocol', 'families', 'none'];
    for (const name of answered) await waitFor(`${name} is answered`, () => ready('team', name));
    for (const name of answered) {
      const { ips, ipFamilies } = (await imported('team', name))?.spec ?? {};
      assert.match(ips?.join() ?? '', /^10\.96\.\d+\.\d+$/, name);
      assert.deepEqual(ipFamilies, ['IPv4'], name);
    }
    assert.deepEqual((await imported('team', 'families'))?.spec?.sessionAffinity, 'Sometimes');
    for (const name of ['a.dotted', 'misspelt', 'port-zero', 'quic'])
      assert.equal((await imported('team', name))?.status, undefined, name);
    // Each asks in turn, and its event comes later than what is decided.
    const expected = [
      'a.dotted InvalidRequest',
      'misspelt InvalidRequest',
      'port-zero NothingGranted',
      'quic NothingGranted',
    ];
    await waitFor('the events', async () => {
      const told = (await eventsIn('team')).map(({ reason, regarding }) => `${regarding.name} ${reason}`);
      return isDeepStrictEqual([...new Set(told)].sort(), expected);
    });
    const untouched = (await since(before)).filter((write) => /a\.dotted|misspelt|port-zero|quic/.test(write));
    assert.deepEqual(untouched, []);
    for (const { metadata } of await cluster.list('ServiceImport', 'team'))
      await cluster.remove('ServiceImport', 'team', metadata?.name ?? '');
  });

  async function eventsIn(inNamespace: string) {
    interface Event {
      readonly reason: string;
      readonly note: string;
      readonly type: string;
      readonly regarding: { readonly kind: string; readonly name: string };
    }
    const path = `/apis/events.k8s.io/v1/namespaces/${inNamespace}/events`;
    return (await server.admin.request<{ items: readonly Event[] }>('GET', path)).body.items;
  }

  it('rules and policies that say nothing, or two things → Valid is False and says which; nothing is imported by them', async () => {
    const before = await written();
    const all = { workloadSelector: {} };
    const policy = (name: string, spec: Record<string, unknown>) => ({
      apiVersion: 'clusterlink.net/v1alpha1',
      kind: 'AccessPolicy',
      metadata: { namespace: 'shop', name },
      spec,
    });
    await cluster.apply(
      clusterImportRule('empty', { peers: {}, exports: {}, into: {} }),
      clusterImportRule('both', {
        peers: { names: ['east'], all: true },
        exports: { all: true, names: ['x'] },
        into: { namespace: 'No Such!', sameNamespace: true },
      }),
      clusterImportRule('half', {
        peers: { selector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
        exports: { all: true },
        into: { namespace: 'store' },
      }),
      policy('empty', { action: '', from: [], to: [] }),
      policy('nobody', { action: 'deny', from: [{}], to: [{}] }),
      policy('near', {
        action: 'allow',
        from: [{ workloadSelector: { matchExpressions: [{ key: 'a', operator: 'Near', values: ['b'] }] } }],
        to: [all],
      }),
    );
    const writes = await waitFor('all statuses', async () => {
      const done = await since(before);
      return done.length >= 6 ? done : undefined;
    });
    assert.deepEqual([...writes].sort(), [
      'patch accesspolicies/status shop/empty',
      'patch accesspolicies/status shop/near',
      'patch accesspolicies/status shop/nobody',
      'patch clusterimportrules/status /both',
      'patch clusterimportrules/status /empty',
      'patch clusterimportrules/status /half',
    ]);
    const objects = [
      ...(await cluster.list('ClusterImportRule')).filter(({ metadata }) => metadata?.name !== 'good'),
      ...(await cluster.list('AccessPolicy')),
    ];
    for (const { metadata, status } of objects) {
      const valid = findCondition(status?.conditions, 'Valid');
      assert.equal(valid?.status, 'False', metadata?.name ?? '');
      assert.match(valid?.message ?? '', /spec|selector/, metadata?.name ?? '');
    }
    for (const name of ['empty', 'both', 'half']) await cluster.remove('ClusterImportRule', '', name);
  });

  it('an import of the longest names there can be → every object has a name that the API server takes', async () => {
    const longest = 'n'.repeat(63);
    const place = 'm'.repeat(63);
    await cluster.apply(
      namespace(place),
      clusterImportRule('long', {
        peers: { names: ['east'] },
        exports: { names: [longest] },
        into: { namespace: place },
        service: true,
      }),
      peerRecords('east', [makeRecord('db'), makeRecord(longest, { namespace: 'l'.repeat(63) })]),
    );
    await waitFor('its Service', () => cluster.get('Service', place, longest));
    await waitFor('its slice', async () => (await cluster.list('EndpointSlice', place)).length === 1);
    assert.ok(await cluster.get('ImportBinding', SYSTEM, `${longest}.${place}`));
    const refused = (await cluster.rest()).filter(({ code, name }) => code >= 400 && name.includes(longest));
    assert.deepEqual(refused, []);
    await cluster.remove('ClusterImportRule', '', 'long');
    await waitFor('it goes', async () => (await cluster.get('Service', place, longest)) === undefined);
  });

  it('a Service of somebody else under the name that an import wants → left alone, and said so', async () => {
    await cluster.apply(
      service('store', 'xdb', { ports: [{ name: 'theirs', protocol: 'TCP', port: 1 }] }),
      clusterImportRule('named', {
        peers: { names: ['east'] },
        exports: { names: ['db'] },
        into: { namespace: 'store', name: 'x{name}' },
        service: true,
      }),
    );
    const isSaid = async () =>
      findCondition((await imported('store', 'xdb'))?.status?.conditions, 'ServicePublished')?.reason === 'NameTaken';
    await waitFor('the condition', isSaid);
    await cluster.rest();
    assert.deepEqual((await cluster.get('Service', 'store', 'xdb'))?.spec?.ports?.[0]?.name, 'theirs');
    await cluster.remove('ClusterImportRule', '', 'named');
    await waitFor('the import goes', async () => (await imported('store', 'xdb')) === undefined);
    assert.ok(await cluster.get('Service', 'store', 'xdb'));
  });

  it('two exports of one peer for one import → without merge the second is skipped, with it both back the import', async () => {
    const rule = (merge: boolean) =>
      clusterImportRule('both-dbs', {
        peers: { names: ['east'] },
        exports: { names: ['twin'] },
        into: { namespace: 'team', name: 'twins' },
        merge,
      });
    const sources = async () =>
      (await cluster.get('ImportBinding', SYSTEM, 'twins.team'))?.spec.sources.map(({ namespace: at }) => at) ?? [];
    await cluster.apply(
      rule(false),
      peerRecords('east', [makeRecord('db'), makeRecord('twin'), makeRecord('twin', { namespace: 'sales' })]),
    );
    await waitFor('the import', async () => (await sources()).length === 1);
    const skipped = await waitFor('the skipped one', async () => {
      return (await cluster.get('ClusterImportRule', '', 'both-dbs'))?.status?.skipped?.[0];
    });
    assert.equal(skipped.reason, 'SourceNotMerged');
    const ips = (await imported('team', 'twins'))?.spec?.ips;
    await cluster.apply(rule(true));
    await waitFor('both', async () => (await sources()).length === 2);
    // No gateway runs here: the first status waits for one.
    const twins = await waitFor('a status', async () => {
      const object = await imported('team', 'twins');
      return object?.status?.clusters === undefined ? undefined : object;
    });
    assert.deepEqual([twins.spec?.ips, twins.status?.clusters], [ips, [{ cluster: 'east' }]]);
    await cluster.rest();
    await cluster.remove('ClusterImportRule', '', 'both-dbs');
    await waitFor('it goes', async () => (await imported('team', 'twins')) === undefined);
  });

  describe('what is exported here', () => {
    before(async () => {
      await cluster.apply(
        clusterImportRule('own', {
          peers: { names: ['west'] },
          exports: { namespaces: ['shop'] },
          into: { namespace: 'store' },
        }),
        service('shop', 'flip'),
        serviceExport('shop', 'flip'),
      );
      await waitFor('it is imported', () => imported('store', 'flip'));
    });
    const isValid = async (status: 'True' | 'False') => (await exportCondition('flip', 'Valid'))?.status === status;

    it('ClusterIP → ExternalName → ClusterIP → invalid, no import; then the same address', async () => {
      const before = await written();
      const ips = (await imported('store', 'flip'))?.spec?.ips;
      const key = { namespace: 'shop', name: 'flip' };
      const external = { type: 'ExternalName', externalName: 'example.org', clusterIP: null, clusterIPs: null };
      await cluster.patch('Service', key, { spec: external });
      await waitFor('invalid', () => isValid('False'));
      assert.equal((await exportCondition('flip', 'Valid'))?.reason, 'InvalidServiceType');
      await waitFor('no import', async () => (await imported('store', 'flip')) === undefined);
      await cluster.rest();
      await cluster.patch('Service', key, { spec: { type: 'ClusterIP', externalName: null } });
      await waitFor('valid', () => isValid('True'));
      await waitFor('the import', () => imported('store', 'flip'));
      const writes = await since(before);
      assert.deepEqual((await imported('store', 'flip'))?.spec?.ips, ips);
      assert.ok(writes.length <= 20, writes.join('\n'));
    });

    it('replaced by a headless Service and back → the type follows, and the address returns', async () => {
      const before = await written();
      const ips = (await imported('store', 'flip'))?.spec?.ips;
      const typeIs = async (type: string) => (await imported('store', 'flip'))?.spec?.type === type;
      await cluster.remove('Service', 'shop', 'flip');
      await cluster.apply(service('shop', 'flip', { clusterIP: 'None' }));
      await waitFor('headless', () => typeIs('Headless'));
      await cluster.rest();
      assert.deepEqual((await imported('store', 'flip'))?.spec?.ips, []);
      await cluster.remove('Service', 'shop', 'flip');
      await cluster.apply(service('shop', 'flip'));
      await waitFor('a clusterset IP', () => typeIs('ClusterSetIP'));
      const writes = await since(before);
      assert.deepEqual((await imported('store', 'flip'))?.spec?.ips, ips);
      assert.ok(writes.length <= 30, writes.join('\n'));
    });

    it('other ports → the import has them, with the same address', async () => {
      const ips = (await imported('store', 'flip'))?.spec?.ips;
      const ports = [
        { name: 'other', protocol: 'TCP', port: 8080 },
        { name: 'udp', protocol: 'UDP', port: 53 },
      ];
      await cluster.patch('Service', { namespace: 'shop', name: 'flip' }, { spec: { ports } });
      await waitFor('the ports', async () => (await imported('store', 'flip'))?.spec?.ports.length === 2);
      await cluster.rest();
      assert.deepEqual((await imported('store', 'flip'))?.spec?.ips, ips);
    });

    it('an annotation of ours that is unknown → invalid with what was meant; without it valid again', async () => {
      const annotate = (value: string | null) =>
        cluster.patch(
          'ServiceExport',
          { namespace: 'shop', name: 'flip' },
          { metadata: { annotations: { 'mcs.clusterlink.net/exprt-to': value } } },
        );
      await annotate('north');
      await waitFor('invalid', () => isValid('False'));
      assert.match(
        (await exportCondition('flip', 'Valid'))?.message ?? '',
        /did you mean "mcs.clusterlink.net\/export-to"/,
      );
      await waitFor('an event too (EXP-14)', async () =>
        (await eventsIn('shop')).some(
          ({ type, reason, regarding }) => regarding.name === 'flip' && `${type} ${reason}` === 'Warning InvalidExport',
        ),
      );
      await annotate(null);
      await waitFor('valid', () => isValid('True'));
    });
  });

  it('an old date of a peer that was admitted later → the peer that was here first keeps its say, whatever clocks tell (CFL-09)', async () => {
    const twin = (name: string, createdAt: string, protocol: 'TCP' | 'UDP') =>
      peerRecords(name, [
        ...(name === 'east' ? [makeRecord('db')] : []),
        makeRecord('aged', { createdAt, ports: [{ name: 'a', protocol, port: 1 }] }),
      ]);
    await cluster.apply(
      peer('north'),
      clusterImportRule('aged', { peers: { all: true }, exports: { names: ['aged'] }, into: { namespace: 'team' } }),
      // Two minutes ahead here, and half a century behind there.
      twin('east', timestampIn(120_000), 'TCP'),
      twin('north', '1970-01-01T00:00:00Z', 'UDP'),
    );
    const first = async () => (await cluster.get('ImportBinding', SYSTEM, 'aged.team'))?.spec.sources[0]?.peer;
    const sources = async () => (await cluster.get('ImportBinding', SYSTEM, 'aged.team'))?.spec.sources.length;
    await waitFor('both back it', async () => (await sources()) === 2);
    // Whose records the controller saw first is a matter of its watches; without a binding, of the dates alone.
    await cluster.rest();
    await cluster.remove('ImportBinding', SYSTEM, 'aged.team');
    await waitFor('north is first', async () => (await first()) === 'north');
    const before = (await cluster.rest()).length;
    assert.equal(await sources(), 2);
    // Not what was said first decides, but what is older within what the local Peer objects admit.
    await cluster.apply(twin('east', '1971-01-01T00:00:00Z', 'TCP'));
    await cluster.rest();
    assert.equal(await first(), 'north', 'what is in use stays');
    await cluster.remove('ImportBinding', SYSTEM, 'aged.team');
    await waitFor('east is first', async () => (await first()) === 'east');
    const writes = await since(before);
    assert.ok(writes.length <= 12, writes.join('\n'));
    await cluster.remove('ClusterImportRule', '', 'aged');
    await waitFor('it goes', async () => (await imported('team', 'aged')) === undefined);
  });

  function timestampIn(ms: number): string {
    return `${new Date(Date.now() + ms).toISOString().slice(0, 19)}Z`;
  }

  it('another implementation beside us, also after a restart of ours → nothing of it is written or deleted (IMP-08)', async () => {
    const labels = { 'app.kubernetes.io/managed-by': 'lighthouse', 'mcs.clusterlink.net/managed-by': 'lighthouse' };
    const slice = (serviceName: string, address: string) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        namespace: 'team',
        name: `${serviceName}-abc`,
        labels: {
          ...labels,
          'endpointslice.kubernetes.io/managed-by': 'lighthouse-agent.submariner.io',
          'multicluster.kubernetes.io/service-name': serviceName,
          'multicluster.kubernetes.io/source-cluster': 'east',
        },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: [address] }],
      ports: [{ name: 'main', protocol: 'TCP', port: 80 }],
    });
    const theirs = serviceImport('team', 'theirs', { type: 'ClusterSetIP', ports: [], ips: ['100.1.2.3'] });
    const named = {
      ...service('team', 'derived-theirs'),
      metadata: { namespace: 'team', name: 'derived-theirs', labels },
    };
    await cluster.apply({ ...theirs, metadata: { ...theirs.metadata, labels } }, slice('theirs', '10.7.0.1'), named);
    // Theirs has the name of one of our own imports too: the slice beside it, not ours.
    await cluster.apply({ ...slice('db', '10.7.0.2'), metadata: { ...slice('db', '').metadata, namespace: 'store' } });
    const before = await written();
    const shape = async () =>
      JSON.stringify([await cluster.list('EndpointSlice', 'team'), await imported('team', 'theirs')]);
    for (let times = 0; times < 10; times++) await cluster.apply(slice('theirs', `10.7.1.${times}`));
    const kept = await shape();
    // A start looks at everything, as the resync does.
    await controller.close();
    controller = await startController({ kubeconfig: await server.kubeconfigFor(PARTS_USER, ['system:masters']) });
    await waitFor('it works', async () => {
      await cluster.apply(peerRecords('east', [makeRecord('db'), makeRecord('sign-of-life')]));
      return imported('store', 'sign-of-life');
    });
    const writes = (await since(before)).filter((write) => !write.includes('sign-of-life'));
    assert.equal(await shape(), kept);
    assert.deepEqual(
      writes.filter((write) => /team|store\/db/.test(write)),
      [],
    );
    await cluster.remove('EndpointSlice', 'store', 'db-abc');
    await cluster.apply(peerRecords('east', [makeRecord('db')]));
    await waitFor('the sign goes', async () => (await imported('store', 'sign-of-life')) === undefined);
  });

  const store = { namespace: 'store', name: 'db' };
  const binding = { namespace: SYSTEM, name: 'db.store' };
  const edits: { title: string; kind: KindName; key: typeof store; patch: Record<string, unknown> }[] = [
    { title: 'addresses of the ServiceImport', kind: 'ServiceImport', key: store, patch: { spec: { ips: ['None'] } } },
    {
      title: 'type, ports and families of the ServiceImport',
      kind: 'ServiceImport',
      key: store,
      patch: { spec: { type: 'Headless', ports: [], ipFamilies: ['IPv9'], sessionAffinity: '' } },
    },
    {
      title: 'sources and addresses of the binding',
      kind: 'ImportBinding',
      key: binding,
      patch: { spec: { ips: ['10.0.0.1'], sources: [], ports: [] } },
    },
  ];
  for (const { title, kind, key, patch } of edits) {
    it(`${title} changed by hand → put back`, async () => {
      await cluster.rest();
      const before = await shapeOf('db');
      const count = (await cluster.writes()).length;
      await cluster.patch(kind, key, patch);
      await waitFor('put back', async () => (await shapeOf('db')) === before, 20_000);
      const writes = await since(count);
      assert.equal(await shapeOf('db'), before);
      assert.ok(writes.length <= 6, writes.join('\n'));
    });
  }

  it('endpoints, ports and labels of the MCS slice changed by hand → put back (EPS-15)', async () => {
    const before = await shapeOf('db');
    const [slice] = (await cluster.list('EndpointSlice', 'store')).filter(({ metadata }) =>
      metadata?.name?.startsWith('db-'),
    );
    const key = { namespace: 'store', name: slice?.metadata?.name ?? '' };
    for (const patch of [
      { endpoints: [{ addresses: ['10.9.9.9'] }], ports: [] },
      {
        metadata: {
          labels: { 'multicluster.kubernetes.io/source-cluster': 'evil', 'mcs.clusterlink.net/import-name': null },
        },
      },
    ]) {
      await cluster.patch('EndpointSlice', key, patch);
      await waitFor('put back', async () => (await shapeOf('db')) === before, 20_000);
    }
    await cluster.rest();
    assert.equal(await shapeOf('db'), before);
  });

  it('ServiceImport, binding and derived Service deleted by hand, alone and together → made again with their address (IMP-07)', async () => {
    const before = await shapeOf('db');
    const derived = { namespace: SYSTEM, name: derivedServiceName(store) };
    const all = [
      ['ServiceImport', store],
      ['ImportBinding', binding],
      ['Service', derived],
    ] as const;
    for (const gone of [...all.map((one) => [one]), all]) {
      for (const [kind, key] of gone) await cluster.remove(kind, key.namespace, key.name);
      await waitFor(
        `again after ${gone.map(([kind]) => kind).join()}`,
        async () => {
          const [ips] = [(await imported('store', 'db'))?.spec?.ips];
          return ips !== undefined && (await shapeOf('db')) === before;
        },
        30_000,
      );
      await cluster.rest();
    }
    assert.equal(await shapeOf('db'), before);
  });
});
