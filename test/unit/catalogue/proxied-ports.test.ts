import assert from 'node:assert/strict';
import type { IExport } from '#src/api/generated/Export.ts';
import { buildCatalogue } from '#src/catalogue/build.ts';
import { desiredSnapshot } from '#src/gateway/snapshot.ts';
import { compilePolicies } from '#src/policy/compile.ts';
import { build, service, serviceExport } from './fixtures.ts';

const annotated = (value: string) => ({ annotations: { 'mcs.clusterlink.net/proxy-protocol': value } });
const PORTS = [
  { name: 'http', port: 80 },
  { name: 'pg', port: 5432 },
  { name: 'dns', port: 53, protocol: 'UDP' as const },
];

function catalogueWith(value: string) {
  return build({
    serviceExports: [serviceExport('shop/db', annotated(value))],
    services: [service('shop/db', { ports: PORTS })],
  });
}

/** The ports of which the gateway is told, as it is told. */
function proxiedAt(catalogue: ReturnType<typeof build>): (string | undefined)[] {
  const policies = compilePolicies({ privileged: [], regular: [], baseline: [] });
  const { exports } = desiredSnapshot({ self: 'east', bindings: [], peers: [], catalogue, policies });
  assert.equal(exports.length, 1, JSON.stringify(catalogue.verdicts));
  return exports.flatMap(({ ports }) => ports.map(({ proxyProtocol }) => proxyProtocol));
}

describe('toProxiedPorts', () => {
  it('no annotation → none', () => {
    assert.deepEqual(proxiedAt(build({ services: [service('shop/db', { ports: PORTS })] })), [
      undefined,
      undefined,
      undefined,
    ]);
  });
  it('v2 → all TCP ports, and peers are told nothing of it', () => {
    const catalogue = catalogueWith('v2');
    assert.deepEqual(proxiedAt(catalogue), ['v2', 'v2', undefined]);
    assert.doesNotMatch(JSON.stringify(catalogue.entries[0]?.record), /proxy/i);
  });
  it('v2 and ports, by name or number → these alone', () => {
    assert.deepEqual(proxiedAt(catalogueWith('v2:pg')), [undefined, 'v2', undefined]);
    assert.deepEqual(proxiedAt(catalogueWith('v2:80')), ['v2', undefined, undefined]);
    assert.deepEqual(proxiedAt(catalogueWith('v2:80,pg')), ['v2', 'v2', undefined]);
  });

  const refused: [value: string, message: RegExp][] = [
    ['v2:htpp', /the Service has no TCP port "htpp", it has "http 80", "pg 5432".*Fix: name some of these/],
    ['v2:http,81', /no TCP port "81"/],
    ['v2:dns', /no TCP port "dns"/],
    ['v1', /must be "v2".*Fix: .*version 1 has no room/],
    ['yes', /must be "v2"/],
  ];
  for (const [value, message] of refused) {
    it(`${value} → the export is invalid: clients could write the header that is missing`, () => {
      const { entries, verdicts } = catalogueWith(value);
      assert.deepEqual(entries, []);
      assert.equal(verdicts[0]?.reason, 'InvalidExport');
      assert.match(verdicts[0]?.message ?? '', message);
    });
  }

  it('on an Export → its one port', () => {
    const object: IExport = {
      apiVersion: 'clusterlink.net/v1alpha1',
      kind: 'Export',
      metadata: {
        namespace: 'shop',
        name: 'db',
        uid: 'u',
        creationTimestamp: '2026-01-01T00:00:00Z',
        ...annotated('v2'),
      },
      spec: { port: 5432, host: '10.0.0.7' },
    };
    const input = { serviceExports: [], exports: [object], services: [], endpointSlices: [], allowedNamespaces: [] };
    assert.deepEqual(proxiedAt(buildCatalogue(input)), ['v2']);
  });
});
