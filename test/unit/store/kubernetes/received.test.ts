import assert from 'node:assert/strict';
import { isAtLeast, receive } from '#src/store/kubernetes/received.ts';

const METADATA = { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '7' };

describe('receive', () => {
  it('an item of a list, of another version → kind and the version that all code sees; no managedFields; frozen', () => {
    const received = receive('ServiceExport', { metadata: { ...METADATA, managedFields: [] }, spec: { a: { b: 1 } } });
    assert.deepEqual(received?.object, {
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceExport',
      metadata: METADATA,
      spec: { a: { b: 1 } },
    });
    assert.ok(Object.isFrozen((received.object as unknown as { spec: { a: object } }).spec.a));
    assert.deepEqual([received.uid, received.resourceVersion], ['u', '7']);
  });

  it('a Pod → what pod.yaml declares, and labels', () => {
    const received = receive('Pod', {
      metadata: { ...METADATA, labels: { a: 'b' }, annotations: { c: 'd' }, ownerReferences: [{}] },
      spec: { serviceAccountName: 'sa', hostNetwork: true, nodeName: 'n', containers: [{}], volumes: [{}] },
      status: {
        phase: 'Running',
        podIP: '10.0.0.1',
        podIPs: [{ ip: '10.0.0.1' }],
        hostIP: '1.2.3.4',
        conditions: [{ type: 'Ready', status: 'True', lastProbeTime: null }],
      },
    });
    assert.deepEqual(received?.object, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...METADATA, labels: { a: 'b' } },
      spec: { serviceAccountName: 'sa', hostNetwork: true, nodeName: 'n' },
      status: {
        phase: 'Running',
        podIP: '10.0.0.1',
        podIPs: [{ ip: '10.0.0.1' }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    });
  });

  it('an EndpointSlice whose lists are null, as Go writes empty ones → no endpoints, no ports', () => {
    const slice = { metadata: METADATA, addressType: 'IPv4', endpoints: null, ports: null };
    assert.deepEqual(receive('EndpointSlice', slice)?.object, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: METADATA,
      addressType: 'IPv4',
      endpoints: [],
    });
  });

  it('annotations of what tenants write → only those that have a meaning here; of a ServiceImport all', () => {
    const annotations = { 'x/y': 'z'.repeat(1000), 'mcs.clusterlink.net/endpoints': '10.0.0.1:1' };
    const kept = (kind: 'Service' | 'ServiceImport'): unknown =>
      receive(kind, { metadata: { ...METADATA, annotations } })?.object.metadata?.annotations;
    assert.deepEqual(kept('Service'), { 'mcs.clusterlink.net/endpoints': '10.0.0.1:1' });
    assert.deepEqual(kept('ServiceImport'), annotations);
    const foreign = receive('Service', { metadata: { ...METADATA, annotations: { 'x/y': 'z' } } });
    assert.deepEqual(foreign?.object.metadata, METADATA);
  });

  it('what is no object → undefined', () => {
    for (const bad of [
      undefined,
      null,
      1,
      'x',
      [],
      {},
      { metadata: null },
      { metadata: {} },
      { metadata: { name: 1 } },
      { metadata: { name: 'a', uid: 1 } },
    ]) {
      assert.equal(receive('Service', bad), undefined, JSON.stringify(bad));
    }
  });
});

describe('isAtLeast', () => {
  it('numbers by value whatever their length; the same text; else unknown', () => {
    assert.deepEqual(
      [isAtLeast('10', '9'), isAtLeast('9', '10'), isAtLeast('99999999999999999999', '99999999999999999998')],
      [true, false, true],
    );
    assert.deepEqual(
      [isAtLeast('a', 'a'), isAtLeast('a', 'b'), isAtLeast('1', ''), isAtLeast('-1', '1')],
      [true, undefined, undefined, undefined],
    );
  });
});
