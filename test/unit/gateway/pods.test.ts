import assert from 'node:assert/strict';
import type { KindMap } from '#src/api/kinds.ts';
import { formatKey, keyOf, type ObjectKey } from '#src/api/object.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { startControl, type Control } from '#src/gateway/control.ts';
import type { DownMessage, UpMessage } from '#src/gateway/messages.ts';
import { followPods, type Pods } from '#src/gateway/pods.ts';
import { makeChannelPair } from '#src/runtime/channel.ts';
import type { ObjectCache } from '#src/store/cache.ts';
import { closeCaches, COMMON_KINDS, openCaches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import { waitFor } from '#test/support/wait.ts';

/** A cache that the test fills. */
function makeFakeCache<K extends 'Pod' | 'Node' | 'EndpointSlice'>(kind: K) {
  const objects = new Map<string, KindMap[K]>();
  const listeners = new Set<(key: ObjectKey) => void>();
  const tell = (key: ObjectKey): void => listeners.forEach((listener) => listener(key));
  const cache: ObjectCache<K> = {
    kind,
    get: (key) => objects.get(formatKey(key)),
    list: () => [...objects.values()],
    hasSynced: true,
    synced: Promise.resolve(),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: () => undefined,
  };
  return {
    cache,
    set(object: KindMap[K]) {
      objects.set(formatKey(keyOf(object)), object);
      tell(keyOf(object));
    },
    remove(key: ObjectKey) {
      objects.delete(formatKey(key));
      tell(key);
    },
  };
}

function makePod(name: string, ip: string, labels: Record<string, string> = {}): KindMap['Pod'] {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name, labels },
    spec: { serviceAccountName: 'db' },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
  };
}

function makeSlice(namespace: string, service: string, addresses: readonly string[]): KindMap['EndpointSlice'] {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name: service, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [...addresses] }],
    ports: [{ port: 5432 }],
  };
}

describe('followPods', () => {
  let pod: ReturnType<typeof makeFakeCache<'Pod'>>;
  let node: ReturnType<typeof makeFakeCache<'Node'>>;
  let slices: ReturnType<typeof makeFakeCache<'EndpointSlice'>>;
  let pods: Pods;

  beforeEach(() => {
    [pod, node, slices] = [makeFakeCache('Pod'), makeFakeCache('Node'), makeFakeCache('EndpointSlice')];
    pod.set(makePod('a', '10.1.0.1'));
    pods = followPods({
      caches: { Pod: pod.cache, Node: node.cache, EndpointSlice: slices.cache },
      own: ['10.1.0.9'],
      neverDial: ['10.96.0.1'],
      targets: ['192.0.2.0/24:*', '10.0.0.0/8:22'],
    });
  });
  afterEach(() => pods.close());

  it('many changes at once → one delta; none → none', async () => {
    const deltas: unknown[] = [];
    pods.onChange((delta) => deltas.push(delta));
    pods.flush();
    for (let count = 0; count < 100; count++) pod.set(makePod('a', '10.1.0.1', { count: String(count) }));
    pod.set(makePod('b', '10.1.0.2'));
    await waitFor('it is told', () => deltas.length > 0);
    assert.deepEqual(deltas, [
      {
        set: [
          ['10.1.0.1', { namespace: 'shop', serviceAccount: 'db', labels: { count: '99' } }],
          ['10.1.0.2', { namespace: 'shop', serviceAccount: 'db', labels: {} }],
        ],
        remove: [],
      },
    ]);
  });

  it('who has an address → pods, nodes and this gateway as they are now', () => {
    node.set({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n' },
      status: { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] },
    });
    assert.deepEqual(
      ['10.1.0.1', '10.0.0.1', '10.1.0.9', '10.1.0.77'].map((address) => {
        const client = pods.at(address);
        return 'unidentified' in client ? client.unidentified : client.namespace;
      }),
      ['shop', 'node-address', 'gateway-address', 'no-pod'],
    );
  });

  /** How many endpoints are left of an export that has this one. */
  function restrict(address: string): number {
    const metadata = { namespace: 'shop', name: 'db' };
    const restricted = pods.restriction.restrict({
      ServiceExport: { list: () => [{ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata }] },
      Export: { list: () => [] },
      Service: { list: () => [] },
      EndpointSlice: { list: () => [makeSlice('shop', 'db', [address])] },
    });
    return restricted.sources.EndpointSlice.list().flatMap(({ endpoints }) => endpoints).length;
  }

  it('endpoints of the API server → nobody as clients, and no endpoints of exports, although listed; another Service’s → like any', () => {
    assert.equal(restrict('192.0.2.6'), 1);
    let calls = 0;
    pods.restriction.onChange(() => calls++);
    slices.set(makeSlice('shop', 'kubernetes', ['192.0.2.6']));
    slices.set(makeSlice('default', 'web', ['192.0.2.6']));
    pods.flush();
    assert.deepEqual([calls, restrict('192.0.2.6')], [0, 1]);
    slices.set(makeSlice('default', 'kubernetes', ['::ffff:192.0.2.6']));
    pods.flush();
    assert.deepEqual(pods.at('192.0.2.6'), { unidentified: 'api-server' });
    assert.deepEqual([calls, restrict('192.0.2.6'), restrict('::ffff:192.0.2.6')], [1, 0, 0]);
    slices.remove({ namespace: 'default', name: 'kubernetes' });
    pods.flush();
    assert.deepEqual([calls, restrict('192.0.2.6')], [2, 1]);
  });

  it('pods of exports change → the restriction says so; pods of others → not a word', () => {
    let calls = 0;
    pods.restriction.onChange(() => calls++);
    assert.equal(restrict('10.1.0.5'), 0);
    pod.set(makePod('b', '10.1.0.6'));
    pods.flush();
    assert.equal(calls, 0);
    pod.set(makePod('c', '10.1.0.5'));
    pods.flush();
    assert.equal(calls, 1);
    assert.equal(restrict('10.1.0.5'), 1);
    pod.remove({ namespace: 'shop', name: 'c' });
    pods.flush();
    assert.deepEqual([calls, restrict('10.1.0.5')], [2, 0]);
  });

  describe('startControl', () => {
    it('in a cluster → who clients are before the first snapshot, then changes', async () => {
      const store = makeMemoryStore();
      const caches = openCaches(store, COMMON_KINDS);
      await Promise.all(Object.values(caches).map(({ synced }) => synced));
      const channel = makeChannelPair<DownMessage, UpMessage>();
      const messages: DownMessage[] = [];
      channel.child.onMessage((message) => messages.push(message));
      const control: Control = startControl({
        self: 'west',
        home: { kind: 'cluster', pod: 'gateway-0', pods },
        store,
        caches,
        allowedNamespaces: [],
        channel: channel.parent,
        logger: makeSilentLogger(),
        now: () => '2026-11-20T12:00:00Z',
        events: {
          onFastPath: () => undefined,
          onPeer: () => undefined,
          onOpened: () => undefined,
          onClosed: () => undefined,
          onRefused: () => undefined,
          onLimits: () => undefined,
          onEjection: () => undefined,
          onSnapshot: () => undefined,
          onExchange: () => undefined,
        },
      });
      await waitFor('they have come', () => messages.length === 2);
      assert.deepEqual(
        messages.map((message) => [message.kind, 'full' in message ? message.full : undefined]),
        [
          ['clients', true],
          ['snapshot', undefined],
        ],
      );
      pod.remove({ namespace: 'shop', name: 'a' });
      const delta = await waitFor('the change has come', () => messages[2]);
      assert.deepEqual(delta, { kind: 'clients', full: false, set: [], remove: ['10.1.0.1'] });
      assert.deepEqual(control.clientAt('10.1.0.1'), { unidentified: 'no-pod' });
      await control.close();
      channel.parent.close();
      closeCaches(caches);
      await store.close();
    });
  });
});
