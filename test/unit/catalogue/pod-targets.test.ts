import assert from 'node:assert/strict';
import type { IEndpointSlice } from '#src/api/generated/EndpointSlice.ts';
import type { IExport } from '#src/api/generated/Export.ts';
import type { IService } from '#src/api/generated/Service.ts';
import { restrictSources, type ExportTarget } from '#src/catalogue/pod-targets.ts';
import { readCatalogue } from '#src/catalogue/read.ts';

const PODS: Readonly<Record<string, string>> = { '10.1.0.1': 'shop', '10.1.0.2': 'shop', '10.1.0.9': 'bank' };

function makeSlice(
  addresses: readonly string[],
  changes: { name?: string; namespace?: string; service?: string; ports?: number[] } = {},
): IEndpointSlice {
  const { name = 'db-x', namespace = 'shop', service = 'db', ports = [5432] } = changes;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address] })),
    ports: ports.map((port) => ({ name: `p${port}`, port, protocol: 'TCP' })),
  };
}

function makeService(annotation?: string, ports: readonly number[] = [5432]): IService {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      namespace: 'shop',
      name: 'db',
      ...(annotation === undefined ? {} : { annotations: { 'mcs.clusterlink.net/endpoints': annotation } }),
    },
    spec: { ports: ports.map((port) => ({ name: `p${port}`, port })) },
  };
}

const metadata = { namespace: 'shop', name: 'db', uid: 'u', creationTimestamp: '2026-11-20T10:00:00Z' };

function makeExport(host: string, name = 'db'): IExport {
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Export',
    metadata: { ...metadata, name },
    spec: { host, port: 5432 },
  };
}

/** The catalogue's endpoints of `shop/db`, and what was said of those left out. */
function restrict(input: { slices?: IEndpointSlice[]; service?: IService; listed?: string[]; exported?: IExport }) {
  const { slices = [], service = makeService(), listed = [], exported } = input;
  const sources = {
    ServiceExport: {
      list: () =>
        exported === undefined
          ? [{ apiVersion: 'multicluster.x-k8s.io/v1beta1' as const, kind: 'ServiceExport' as const, metadata }]
          : [],
    },
    Export: { list: () => (exported === undefined ? [] : [exported]) },
    Service: { list: () => [service] },
    EndpointSlice: { list: () => slices },
  };
  const isAllowed = ({ namespace, host, port }: ExportTarget): boolean =>
    PODS[host] === namespace || listed.includes(`${host}:${port}`);
  const { sources: restricted, forbidden, hosts } = restrictSources(sources, { isAllowed });
  const [entry] = readCatalogue(restricted, []).entries;
  const endpoints = entry?.ports.flatMap((port) => port.endpoints.map(({ host, port: at }) => `${host}:${at}`)) ?? [];
  return { endpoints, ready: entry?.record.readyEndpoints, said: forbidden.get('shop/db'), hosts };
}

describe('restrictSources', () => {
  const cases: { name: string; input: Parameters<typeof restrict>[0]; want: string[]; left?: RegExp }[] = [
    {
      name: 'pods of the namespace',
      input: { slices: [makeSlice(['10.1.0.1', '10.1.0.2'])] },
      want: ['10.1.0.1:5432', '10.1.0.2:5432'],
    },
    {
      name: 'a pod of another namespace',
      input: { slices: [makeSlice(['10.1.0.1', '10.1.0.9'])] },
      want: ['10.1.0.1:5432'],
      left: /10\.1\.0\.9:5432: not the address of one live pod of namespace shop, nor listed\. Fix: /,
    },
    {
      name: 'an address that no pod has',
      input: { slices: [makeSlice(['192.0.2.1'])] },
      want: [],
      left: /192\.0\.2\.1/,
    },
    {
      name: 'one that is listed',
      input: { slices: [makeSlice(['192.0.2.1'])], listed: ['192.0.2.1:5432'] },
      want: ['192.0.2.1:5432'],
    },
    {
      name: 'pods behind a ClusterLink Export',
      input: { slices: [makeSlice(['10.1.0.1', '10.1.0.9'])], exported: makeExport('') },
      want: ['10.1.0.1:5432'],
      left: /^Left out of shop\/db: 10\.1\.0\.9:5432/,
    },
    {
      name: 'a host that is a pod of the namespace',
      input: { exported: makeExport('10.1.0.1') },
      want: ['10.1.0.1:5432'],
    },
    {
      name: 'CFL-8.6 a host that is a pod of another namespace',
      input: { exported: makeExport('10.1.0.9') },
      want: [],
      left: /^Left out of shop\/db: 10\.1\.0\.9:5432: .*Fix: /,
    },
    {
      name: 'a host by name that is listed',
      input: { exported: makeExport('db.internal.example'), listed: ['db.internal.example:5432'] },
      want: ['db.internal.example:5432'],
    },
    {
      name: 'a host by name that is not listed',
      input: { exported: makeExport('db.internal.example') },
      want: [],
      left: /db\.internal\.example:5432/,
    },
    {
      name: 'listed at one of two ports',
      input: {
        slices: [makeSlice(['192.0.2.1'], { ports: [5432, 22] })],
        service: makeService(undefined, [5432, 22]),
        listed: ['192.0.2.1:5432'],
      },
      want: ['192.0.2.1:5432'],
      left: /192\.0\.2\.1:22/,
    },
    {
      name: 'an annotation that is listed',
      input: { service: makeService('192.0.2.1:5432'), listed: ['192.0.2.1:5432'] },
      want: ['192.0.2.1:5432'],
    },
    {
      name: 'an annotation that is not: the slices count',
      input: { service: makeService('192.0.2.1:5432'), slices: [makeSlice(['10.1.0.1'])] },
      want: ['10.1.0.1:5432'],
      left: /192\.0\.2\.1/,
    },
    {
      name: 'a name in an annotation that is not listed',
      input: { service: makeService('kubernetes.default.svc:443') },
      want: [],
      left: /kubernetes\.default\.svc:443/,
    },
    {
      name: 'slices of a Service that is not exported',
      input: { slices: [makeSlice(['192.0.2.1'], { service: 'other' })] },
      want: [],
    },
  ];
  for (const { name, input, want, left } of cases) {
    it(`${name} → ${want.join() || 'none'}, as peers are told`, () => {
      const { endpoints, ready, said } = restrict(input);
      assert.deepEqual(endpoints, want);
      assert.equal(ready, want.length);
      if (left === undefined) assert.equal(said, undefined);
      else assert.match(said ?? '', left);
    });
  }

  it('an annotation that cannot be read → stays, so that the export says why it is invalid', () => {
    assert.equal(restrict({ service: makeService('what is this') }).ready, undefined);
  });

  it('a ClusterLink Export under the name of a ServiceExport → its host is not told as if it were of that one', () => {
    const serviceExport = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata } as const;
    const exports = [makeExport('192.0.2.1'), makeExport('web.shop.svc', 'web')];
    const { forbidden, sources } = restrictSources(
      {
        ServiceExport: { list: () => [serviceExport] },
        Export: { list: () => exports },
        Service: { list: () => [makeService()] },
        EndpointSlice: { list: () => [makeSlice(['192.0.2.2'], { service: 'web' }), makeSlice(['10.1.0.1'])] },
      },
      { isAllowed: ({ host }) => PODS[host] === 'shop' },
    );
    assert.deepEqual([...forbidden.keys()], ['shop/web']);
    assert.deepEqual([...(sources.forbiddenHosts ?? [])], ['shop/db'], 'it counts should the ServiceExport go');
  });

  it('many left out → three are named, the others counted', () => {
    const { said } = restrict({
      slices: [makeSlice(['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5'])],
    });
    assert.match(said ?? '', /192\.0\.2\.3:5432 and 2 more: /);
  });

  it('hosts of exports → told, so that pods elsewhere change nothing', () => {
    const { hosts } = restrict({ slices: [makeSlice(['10.1.0.1']), makeSlice(['10.1.0.9'], { service: 'other' })] });
    assert.deepEqual([...hosts], ['10.1.0.1']);
  });
});
