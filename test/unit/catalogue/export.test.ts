import assert from 'node:assert/strict';
import type { IExport } from '#src/api/generated/Export.ts';
import type { ObjectMeta } from '#src/api/object.ts';
import { buildCatalogue } from '#src/catalogue/build.ts';
import type { CatalogueInput, ExportVerdict } from '#src/catalogue/types.ts';
import { service, serviceExport, slice } from './fixtures.ts';

function clusterlinkExport(spec: IExport['spec'], metadata: ObjectMeta = {}): IExport {
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Export',
    metadata: { namespace: 'shop', name: 'db', uid: 'u-2', creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
    ...(spec === undefined ? {} : { spec }),
  };
}

function build(spec: IExport['spec'], input: Partial<CatalogueInput> = {}, metadata: ObjectMeta = {}) {
  return buildCatalogue({
    serviceExports: [],
    exports: [clusterlinkExport(spec, metadata)],
    services: [service()],
    endpointSlices: [slice([{ addresses: ['10.0.0.1'] }])],
    allowedNamespaces: [],
    ...input,
  });
}

function offered(...given: Parameters<typeof build>) {
  const { entries, verdicts } = build(...given);
  const [entry] = entries;
  assert.ok(entry !== undefined, JSON.stringify(verdicts));
  return entry;
}

describe('buildCatalogue, ClusterLink Exports', () => {
  it('a port of the same-named Service → one TCP port without a name, at its ready endpoints', () => {
    const entry = offered({ port: 5432 }, {}, { labels: { tier: 'gold' } });
    assert.deepEqual(entry.ports, [
      { name: '', protocol: 'TCP', port: 5432, endpoints: [{ host: '10.0.0.1', port: 15432 }] },
    ]);
    assert.deepEqual(entry.record.ports, [{ name: '', protocol: 'TCP', port: 5432 }]);
    assert.deepEqual([entry.defaultPort, entry.labels, entry.uid], [5432, { tier: 'gold' }, 'u-2']);
    assert.deepEqual([entry.record.readyEndpoints, entry.record.type, entry.record.labels], [1, 'ClusterSetIP', {}]);
  });

  it('one of several ports → that alone; of a headless Service → one address and one port all the same', () => {
    const ports = [
      { name: 'web', port: 80 },
      { name: 'pg', port: 5432 },
    ];
    const entry = offered({ port: 5432 }, { services: [service('shop/db', { ports, clusterIP: 'None' })] });
    assert.deepEqual(
      entry.ports.map(({ port, endpoints }) => [port, endpoints]),
      [[5432, [{ host: '10.0.0.1', port: 15432 }]]],
    );
    assert.equal(entry.record.type, 'ClusterSetIP');
    assert.equal(entry.record.hostnames, undefined);
  });

  it('a Service that says where it listens (standalone) → there', () => {
    const annotated = service('shop/db', {}, { 'mcs.clusterlink.net/endpoints': '127.0.0.1:7000' });
    assert.deepEqual(offered({ port: 5432 }, { services: [annotated] }).ports[0]?.endpoints, [
      { host: '127.0.0.1', port: 7000 },
    ]);
  });

  for (const host of ['db2.shop.svc', 'db2.shop.svc.cluster.local', 'DB2.Shop.svc']) {
    it(`host ${host}, of the own namespace → that Service`, () => {
      const entry = offered(
        { host, port: 5432 },
        {
          services: [service('shop/db2')],
          endpointSlices: [slice([{ addresses: ['10.0.0.2'] }], undefined, 'shop/db2')],
        },
      );
      assert.equal(entry.name, 'db');
      assert.deepEqual(entry.ports[0]?.endpoints, [{ host: '10.0.0.2', port: 15432 }]);
    });
  }

  for (const [host, family] of [
    ['db.internal.example', 'IPv4'],
    ['192.0.2.7', 'IPv4'],
    ['2001:db8::7', 'IPv6'],
    ['db.bank.svc.cluster.local', 'IPv4'],
  ] as const) {
    it(`host ${host} → one endpoint, filtered when it is dialled; no Service is asked for`, () => {
      const entry = offered({ host, port: 8080 }, { services: [], endpointSlices: [] });
      assert.deepEqual(entry.ports, [{ name: '', protocol: 'TCP', port: 8080, endpoints: [{ host, port: 8080 }] }]);
      assert.deepEqual([entry.record.readyEndpoints, entry.record.ipFamilies, entry.defaultPort], [1, [family], 8080]);
    });
  }

  it('CFL-8.6 a host that is no permitted target → offered without an endpoint', () => {
    const entry = offered({ host: '192.0.2.7', port: 80 }, { forbiddenHosts: new Set(['shop/db']) });
    assert.deepEqual([entry.ports[0]?.endpoints, entry.record.readyEndpoints], [[], 0]);
  });

  it('export-to → as on a ServiceExport', () => {
    const metadata = { annotations: { 'mcs.clusterlink.net/export-to': 'west, north' } };
    assert.deepEqual(offered({ port: 5432 }, {}, metadata).exportTo, ['north', 'west']);
  });

  it('a ServiceExport of the same name → it stays, the Export is not offered; when it goes, the Export is', () => {
    const both = build({ port: 5432 }, { serviceExports: [serviceExport()] });
    assert.deepEqual(
      both.verdicts.map(({ kind, valid, reason }) => [kind, valid, reason]),
      [
        ['ServiceExport', true, 'Valid'],
        ['Export', false, 'NameTaken'],
      ],
    );
    assert.deepEqual(
      both.entries.map(({ uid }) => uid),
      ['u-1'],
    );
    const going = serviceExport('shop/db', { deletionTimestamp: '2026-01-02T00:00:00Z' });
    assert.deepEqual(
      build({ port: 5432 }, { serviceExports: [going] }).entries.map(({ uid }) => uid),
      ['u-2'],
    );
  });

  it('an invalid ServiceExport of the same name → has the name all the same', () => {
    const broken = serviceExport('shop/db', { annotations: { 'mcs.clusterlink.net/exprot-to': 'x' } });
    const { verdicts } = build({ port: 5432 }, { serviceExports: [broken] });
    assert.deepEqual(
      verdicts.map(({ reason }) => reason),
      ['InvalidExport', 'NameTaken'],
    );
  });

  it('EXP-21 one that is being deleted, or whose namespace is → withdrawn', () => {
    const metadata = { deletionTimestamp: '2026-01-02T00:00:00Z' };
    assert.deepEqual(build({ port: 5432 }, {}, metadata), { entries: [], verdicts: [] });
    const terminatingNamespaces = new Set(['shop']);
    assert.deepEqual(build({ port: 5432 }, { terminatingNamespaces }), { entries: [], verdicts: [] });
  });

  it('the same objects again → the same entry: it is not made anew', () => {
    const input = { serviceExports: [], exports: [clusterlinkExport({ port: 5432 })], services: [service()] };
    const given = { ...input, endpointSlices: [], allowedNamespaces: [] };
    assert.equal(buildCatalogue(given).entries[0], buildCatalogue(given).entries[0]);
    const forbiddenHosts = new Set(['shop/db']);
    assert.notEqual(buildCatalogue({ ...given, forbiddenHosts }).entries[0], buildCatalogue(given).entries[0]);
  });

  const external = { type: 'ExternalName', externalName: 'db.example' } as const;
  const made = service();
  made.metadata = { ...made.metadata, labels: { 'app.kubernetes.io/managed-by': 'clusterlink-mcs' } };
  const REFUSED: readonly [
    title: string,
    spec: IExport['spec'],
    input: Partial<CatalogueInput>,
    reason: ExportVerdict['reason'],
    message: RegExp,
  ][] = [
    ['no spec', undefined, {}, 'InvalidExport', /spec\.port: is missing\. Fix: /],
    ['port 0, which ClusterLink takes', { port: 0 }, {}, 'InvalidExport', /spec\.port: must be .*, is 0\. Fix: /],
    ['port 65536', { port: 65_536 }, {}, 'InvalidExport', /65535/],
    ['a host that is no host', { host: 'http://x/', port: 80 }, {}, 'InvalidExport', /spec\.host: .*Fix: /],
    ['a host that C libraries read as loopback', { host: '0x7f.1', port: 80 }, {}, 'InvalidExport', /spec\.host/],
    ['no Service', { port: 5432 }, { services: [] }, 'NoService', /no Service shop\/db\. Fix: /],
    ['no Service of the named host', { host: 'x.shop.svc', port: 80 }, {}, 'NoService', /no Service shop\/x/],
    ['no such port', { port: 80 }, {}, 'NoPort', /Service shop\/db has no TCP port 80, it has "pg 5432"\. Fix: /],
    [
      'a UDP port',
      { port: 53 },
      { services: [service('shop/db', { ports: [{ name: 'dns', protocol: 'UDP', port: 53 }] })] },
      'NoPort',
      /it has none/,
    ],
    ['ExternalName', { port: 80 }, { services: [service('shop/db', external)] }, 'InvalidServiceType', /ExternalName/],
    ['an import of ours', { port: 5432 }, { services: [made] }, 'InvalidService', /stands for an import/],
    [
      'endpoints that cannot be read',
      { port: 5432 },
      { services: [service('shop/db', {}, { 'mcs.clusterlink.net/endpoints': 'x' })] },
      'InvalidService',
      /endpoints/,
    ],
  ];
  for (const [title, spec, input, reason, message] of REFUSED) {
    it(`${title} → ${reason}`, () => {
      const { entries, verdicts } = build(spec, input);
      assert.deepEqual(entries, []);
      assert.equal(verdicts[0]?.reason, reason);
      assert.match(verdicts[0].message, message);
    });
  }

  it('NSS-03 a restricted namespace → refused, unless it is listed', () => {
    const given = { services: [service('kube-system/db')] };
    const metadata = { namespace: 'kube-system' };
    assert.equal(build({ port: 5432 }, given, metadata).verdicts[0]?.reason, 'RestrictedNamespace');
    const listed = { ...given, allowedNamespaces: ['kube-system'] };
    assert.equal(build({ port: 5432 }, listed, metadata).verdicts[0]?.reason, 'Valid');
  });

  it('namespace default → offered, as ClusterLink’s samples are; a ServiceExport there is not', () => {
    const given = { services: [service('default/db')] };
    assert.equal(build({ port: 5432 }, given, { namespace: 'default' }).verdicts[0]?.reason, 'Valid');
  });

  it('an annotation of ours that is not known on it → refused (fail closed)', () => {
    const metadata = { annotations: { 'mcs.clusterlink.net/first-port': '80' } };
    assert.equal(build({ port: 5432 }, {}, metadata).verdicts[0]?.reason, 'InvalidExport');
  });
});
