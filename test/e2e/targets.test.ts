import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import type { ObjectKey } from '#src/api/object.ts';
import { eventually } from './api.ts';
import { installed, type Peer } from './fixture.ts';
import { SYSTEM } from './install.ts';
import { podsOf } from './metrics.ts';
import { allowAll, importRule } from './rules.ts';
import {
  client,
  get,
  getMany,
  isRefusal,
  namespace,
  server,
  service,
  serviceExport,
  tryGet,
  whenPodsReady,
} from './workloads.ts';

const SHOP = 'shop-targets';
const OTHERS = 'others-targets';
const STORE = 'store-targets';
const CLIENT = { namespace: STORE, name: 'client' };
const inShop = (name: string): ObjectKey => ({ namespace: SHOP, name });

interface Target {
  readonly address: string;
  readonly port: number;
}

describe('where exports may lead', () => {
  let east: Peer;
  let west: Peer;
  let targets: Readonly<Record<'elsewhere' | 'node' | 'kubelet' | 'api', Target>>;

  before(async () => {
    ({ east, west } = installed());
    await east.apply(
      ...[namespace(SHOP), namespace(OTHERS), allowAll(SHOP)],
      server(east, { namespace: SHOP, name: 'server' }),
      server(east, { namespace: OTHERS, name: 'server' }),
    );
    await west.apply(namespace(STORE), allowAll(STORE), ...client(CLIENT));
    const [[ownPod], [othersPod]] = await Promise.all([
      whenPodsReady(east, SHOP, 1),
      whenPodsReady(east, OTHERS, 1),
      whenPodsReady(west, STORE, 1),
    ]);
    const [node] = await east.list('Node');
    const address = node?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '';
    const api = await east.get('Service', { namespace: 'default', name: 'kubernetes' });
    targets = {
      elsewhere: { address: othersPod?.status?.podIP ?? '', port: 8080 },
      node: { address, port: 6443 },
      kubelet: { address, port: 10_250 },
      api: { address: api?.spec?.clusterIP ?? '', port: 443 },
    };
    const own = { address: ownPod?.status?.podIP ?? '', port: 8080 };
    await east.apply(
      ...Object.entries({ ...targets, own }).flatMap(([name, target]) => exportByHand(name, [target])),
      // A Service that selects its pods, and to which somebody adds a slice.
      ...[service(inShop('mixed'), 'server'), slice('mixed', [targets.elsewhere]), serviceExport(inShop('mixed'))],
    );
    await west.apply(
      importRule('targets', {
        peers: { names: [east.name] },
        exports: { namespaces: [SHOP] },
        into: { namespace: STORE },
      }),
    );
  });

  after(async () => {
    await west.remove('clusterimportrule', { namespace: '', name: 'targets' });
    await Promise.all([SHOP, OTHERS].map((name) => east.remove('namespace', { namespace: '', name })));
    await west.remove('namespace', { namespace: '', name: STORE });
  });

  it('a hand-written slice of a pod of the export’s own namespace → served', async () => {
    const answer = await eventually('an answer', () => get(west, CLIENT, hostOf('own')));
    assert.match(answer, /server-/);
  });

  for (const name of ['elsewhere', 'node', 'kubelet', 'api'] as const) {
    it(`a hand-written slice of ${describeTarget(name)} → no connection arrives, and the log says TARGET_FORBIDDEN`, async () => {
      const imported = await west.until('ServiceImport', { namespace: STORE, name }, (object) => {
        return findCondition(object?.status?.conditions, 'Ready')?.status === 'False';
      });
      assert.equal(findCondition(imported?.status?.conditions, 'Ready')?.reason, 'NoUsableSource');
      const { code, stdout } = await tryGet(west, CLIENT, hostOf(name));
      assert.equal(stdout, '');
      assert.ok(isRefusal(code), String(code));
      const told = new RegExp(`"export":"${SHOP}/${name}","reason":"TARGET_FORBIDDEN"`);
      await eventually('the gateway says so', async () => told.test(await gatewayLogs()));
    });
  }

  it('such a slice beside pods of its own → those pods alone are connected to', async () => {
    await eventually('an answer', () => get(west, CLIENT, hostOf('mixed')));
    const answered = await getMany(west, CLIENT, hostOf('mixed'), 20);
    const [pod] = await whenPodsReady(east, SHOP, 1);
    assert.deepEqual([...new Set(answered)], [`${east.name}/${pod?.metadata?.name ?? ''}`]);
  });

  const hostOf = (name: string): string => `${name}.${STORE}.svc.clusterset.local`;

  async function gatewayLogs(): Promise<string> {
    const pods = await podsOf(east, 'gateway');
    const logs = pods.map(({ metadata }) => east.kubectl(['-n', SYSTEM, 'logs', metadata?.name ?? '', '--tail=200']));
    return (await Promise.all(logs)).join('\n');
  }
});

function describeTarget(name: string): string {
  const words: Record<string, string> = {
    elsewhere: 'a pod of another namespace',
    node: 'the node, where its API server listens',
    kubelet: 'the kubelet',
    api: 'the Service of the API server',
  };
  return words[name] ?? name;
}

function exportByHand(name: string, targets: readonly Target[]): object[] {
  const spec = { ports: [{ name: 'http', port: 80, targetPort: targets[0]?.port }] };
  return [
    { apiVersion: 'v1', kind: 'Service', metadata: inShop(name), spec },
    slice(name, targets),
    serviceExport(inShop(name)),
  ];
}

function slice(name: string, targets: readonly Target[]): object {
  const labels = { 'kubernetes.io/service-name': name };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...inShop(`${name}-by-hand`), labels },
    addressType: 'IPv4',
    endpoints: targets.map(({ address }) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: 'http', protocol: 'TCP', port: targets[0]?.port }],
  };
}
