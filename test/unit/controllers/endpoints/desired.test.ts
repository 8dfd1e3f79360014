import assert from 'node:assert/strict';
import type { IImportBinding } from '#src/api/generated/ImportBinding.ts';
import { desiredSlices, MCS_SOURCE_CLUSTER } from '#src/controllers/endpoints/desired.ts';
import type { Gateway } from '#src/controllers/endpoints/gateways.ts';
import { ENDPOINTS_PER_SLICE_MAX } from '#src/controllers/limits.ts';

type Spec = IImportBinding['spec'];

function makeBinding(spec: Partial<Spec> = {}, gateways: readonly Gateway[] = []): IImportBinding {
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ImportBinding',
    metadata: { namespace: 'clusterlink-system', name: 'db.store' },
    spec: {
      import: { namespace: 'store', name: 'db' },
      owner: { kind: 'ClusterImportRule', name: 'shop' },
      type: 'ClusterSetIP',
      ips: ['10.96.0.1'],
      ports: [{ name: 'pg', protocol: 'TCP', port: 5432, targetPort: 20_000 }],
      sources: [],
      ...spec,
    },
    status: { gateways: gateways.map(({ name }) => ({ name, listening: [20_000], sources: [] })) },
  };
}

const gateways = (count: number): Gateway[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `gw-${index}`,
    uid: `uid-${index}`,
    addresses: { IPv4: `10.244.${index >> 8}.${index & 255}` },
  }));

const serviceImport = {
  apiVersion: 'multicluster.x-k8s.io/v1beta1',
  kind: 'ServiceImport',
  metadata: { namespace: 'store', name: 'db', uid: 'uid-import' },
} as const;

describe('desiredSlices', () => {
  for (const count of [ENDPOINTS_PER_SLICE_MAX, ENDPOINTS_PER_SLICE_MAX + 1]) {
    it(`${count} gateways → ${ENDPOINTS_PER_SLICE_MAX} endpoints in one slice`, () => {
      const all = gateways(count);
      const slices = desiredSlices({
        binding: makeBinding({}, all),
        serviceImport: undefined,
        gateways: all,
        namedService: undefined,
      });
      assert.deepEqual(
        slices.map(({ endpoints }) => endpoints.length),
        [ENDPOINTS_PER_SLICE_MAX],
      );
    });
  }

  it('two exports of one cluster → one slice of that cluster, with the ports of both, ready when one is (EPS-05)', () => {
    const ports = [1, 2, 3].map((port) => ({ name: `p${port}`, protocol: 'TCP' as const, port }));
    const source = (name: string, readyEndpoints: number, own: Spec['ports']) => ({
      peer: 'east',
      namespace: 'shop',
      name,
      readyEndpoints,
      ports: own.map(({ name: portName, protocol, port }) => ({ name: portName, protocol, port })),
    });
    const binding = makeBinding({
      ports,
      sources: [source('a', 0, ports.slice(0, 1)), source('b', 1, ports.slice(1, 2))],
    });
    const slices = desiredSlices({ binding, serviceImport, gateways: [], namedService: undefined });
    assert.deepEqual(
      slices.map(({ metadata, ports: own, endpoints }) => [
        metadata.labels?.[MCS_SOURCE_CLUSTER],
        own?.map(({ port }) => port),
        endpoints[0]?.conditions?.ready,
      ]),
      [['east', [1, 2], true]],
    );
  });

  it('a source none of whose ports is in the import → no slice of it (CFL-22)', () => {
    const sources = [{ peer: 'east', namespace: 'shop', name: 'db', readyEndpoints: 1, ports: [] }];
    const binding = makeBinding({ sources });
    assert.deepEqual(desiredSlices({ binding, serviceImport, gateways: [], namedService: undefined }), []);
  });

  it('an unnamed port among several → the name that its Service has for kube-proxy', () => {
    const ports = [
      { name: '', protocol: 'TCP' as const, port: 80, targetPort: 20_000 },
      { name: 'b', protocol: 'TCP' as const, port: 81, targetPort: 20_000 },
    ];
    const [slice] = desiredSlices({
      binding: makeBinding({ ports }, gateways(1)),
      serviceImport: undefined,
      gateways: gateways(1),
      namedService: undefined,
    });
    assert.deepEqual(
      slice?.ports?.map(({ name }) => name),
      ['tcp-80', 'b'],
    );
  });
});
