import assert from 'node:assert/strict';
import type { ServiceSpec } from '#src/api/generated/Service.ts';
import { entryOf, service, serviceExport } from './fixtures.ts';

const recordOf = (spec: ServiceSpec) => entryOf({ services: [service('shop/db', spec)] }).record;

describe('toRecord', () => {
  it('EXP-05: a plain Service → every value written out, as an API server would', () => {
    assert.deepEqual(entryOf({}).record, {
      namespace: 'shop',
      name: 'db',
      uid: 'u-1',
      type: 'ClusterSetIP',
      ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }],
      ipFamilies: ['IPv4'],
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      labels: {},
      annotations: {},
      createdAt: '2026-01-01T00:00:00Z',
      readyEndpoints: 0,
      requires: [],
    });
  });

  const TYPES: [spec: ServiceSpec, type: string][] = [
    [{}, 'ClusterSetIP'],
    [{ type: 'ClusterIP', clusterIP: '10.0.0.1' }, 'ClusterSetIP'],
    [{ type: 'NodePort' }, 'ClusterSetIP'],
    [{ type: 'LoadBalancer' }, 'ClusterSetIP'],
    [{ clusterIP: 'None' }, 'Headless'],
    [{ clusterIP: 'None', ports: [] }, 'Headless'],
  ];
  for (const [spec, type] of TYPES) {
    it(`EXP-10: ${JSON.stringify(spec)} → ${type}`, () => assert.equal(recordOf(spec).type, type));
  }

  it('EXP-05: all properties of the Service → carried', () => {
    const record = recordOf({
      ports: [
        { name: 'a', protocol: 'UDP', port: 53, targetPort: 5353, nodePort: 30053 },
        { name: 'b', port: 80, appProtocol: 'http' },
      ],
      ipFamilies: ['IPv6', 'IPv4'],
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
      internalTrafficPolicy: 'Local',
      trafficDistribution: 'PreferClose',
    });
    assert.deepEqual(record.ports, [
      { name: 'a', protocol: 'UDP', port: 53 },
      { name: 'b', protocol: 'TCP', port: 80, appProtocol: 'http' },
    ]);
    assert.deepEqual(record.ipFamilies, ['IPv6', 'IPv4']);
    assert.deepEqual([record.sessionAffinity, record.sessionAffinityTimeoutSeconds], ['ClientIP', 60]);
    assert.deepEqual([record.internalTrafficPolicy, record.trafficDistribution], ['Local', 'PreferClose']);
  });

  it('CRD-07: one port without a name or protocol → an empty name, TCP', () => {
    assert.deepEqual(recordOf({ ports: [{ port: 80 }] }).ports, [{ name: '', protocol: 'TCP', port: 80 }]);
  });

  it('IMP-17: affinity without a time → the three hours of Kubernetes; a time without affinity → none', () => {
    assert.equal(recordOf({ sessionAffinity: 'ClientIP' }).sessionAffinityTimeoutSeconds, 10_800);
    const idle = recordOf({ sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } });
    assert.equal('sessionAffinityTimeoutSeconds' in idle, false);
  });

  it('EXP-06, IMP-28: exported maps only, without reserved keys and what no import can carry', () => {
    const metadata = { labels: { own: 'label' }, annotations: { own: 'annotation' } };
    const exported = {
      exportedLabels: { team: 'a', 'app.kubernetes.io/name': 'db', 'app.kubernetes.io/managed-by': 'x', 'a b': 'c' },
      exportedAnnotations: { note: 'any text', 'mcs.clusterlink.net/endpoints': 'x', 'service.kubernetes.io/x': 'y' },
    };
    const described = service();
    const services = [{ ...described, metadata: { ...described.metadata, labels: { 'svc-label': 'x' } } }];
    const { record } = entryOf({ services, serviceExports: [serviceExport('shop/db', metadata, exported)] });
    assert.deepEqual(record.labels, { 'app.kubernetes.io/name': 'db', team: 'a' });
    assert.deepEqual(record.annotations, { note: 'any text' });
  });

  it('EXP-20: the age → of the export, in seconds and UTC', () => {
    const serviceExports = [serviceExport('shop/db', { creationTimestamp: '2026-01-01T01:00:00.750+01:00' })];
    assert.equal(entryOf({ serviceExports }).record.createdAt, '2026-01-01T00:00:00Z');
  });

  it('DESIGN §3.3: a record → holds no address of an endpoint', () => {
    const services = [service('shop/db', {}, { 'mcs.clusterlink.net/endpoints': '192.0.2.7:5432' })];
    const { record, ports } = entryOf({ services });
    assert.equal(ports[0]?.endpoints[0]?.host, '192.0.2.7');
    assert.doesNotMatch(JSON.stringify(record), /192\.0\.2\.7/);
  });
});
