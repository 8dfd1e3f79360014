import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import type { ClusterObservation } from '#src/cli/check-cluster.ts';
import { readCrds } from '#src/cli/deploy/manifests.ts';
import { observeCluster } from '#src/cli/observe-cluster.ts';
import type { ApiAnswer } from '#src/store/kubernetes/access.ts';

function pod(name: string, component: string, ready = 'True', more: object = {}): object {
  const labels = { 'app.kubernetes.io/name': 'clusterlink-mcs', 'app.kubernetes.io/component': component };
  return {
    metadata: { namespace: 'clusterlink-system', name, labels, ...more },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready }] },
  };
}

const PODS = [
  pod('gateway-1', 'gateway'),
  pod('gateway-2', 'gateway', 'False'),
  pod('gateway-3', 'gateway', 'True', { deletionTimestamp: '2026-11-21T00:00:00Z' }),
  pod('dns-1', 'dns'),
];
const MISSING = 'peers.clusterlink.net';

interface Script {
  /** What the proxy to a gateway's pod answers. */
  readonly proxied?: () => ApiAnswer;
  readonly others?: (path: string) => ApiAnswer;
}

async function observe({ proxied, others }: Script = {}): Promise<{ found: ClusterObservation; paths: string[] }> {
  const paths: string[] = [];
  const found = await observeCluster({
    request({ method, path, timeoutMs }) {
      assert.equal(method, 'GET');
      assert.ok(timeoutMs <= 10_000);
      paths.push(path);
      return Promise.resolve().then(() => {
        if (path.includes('/proxy/')) return proxied?.() ?? { status: 200, body: { clients: { verdict: 'visible' } } };
        if (others !== undefined) return others(path);
        if (path.endsWith(MISSING) || path.endsWith('clusterlink-mcs-controller')) return { status: 404, body: {} };
        if (path.includes('/pods?')) return { status: 200, body: { apiVersion: 'v1', items: PODS, metadata: {} } };
        return { status: 200, body: { spec: { replicas: 2, versions: [] } } };
      });
    },
  });
  return { found, paths };
}

describe('observeCluster', () => {
  it('reads every CRD, counts pods that are ready and stay, and asks their gateways', async () => {
    const { found, paths } = await observe();
    assert.deepEqual(
      found.crds.map(({ wanted }) => wanted.metadata?.name),
      (await readCrds()).map(({ metadata }) => metadata?.name),
    );
    const absent = found.crds.filter(({ present }) => present === undefined);
    assert.deepEqual(
      absent.map(({ wanted }) => wanted.metadata?.name),
      [MISSING],
    );
    assert.deepEqual(found.components, [
      { name: 'gateway', replicas: 2, readyPods: 1 },
      { name: 'controller', replicas: undefined, readyPods: 0 },
      { name: 'dns', replicas: 2, readyPods: 1 },
    ]);
    assert.deepEqual(found.gateways, [{ pod: 'gateway-1', clients: { verdict: 'visible' } }]);
    assert.equal(paths.at(-1), '/api/v1/namespaces/clusterlink-system/pods/gateway-1:9090/proxy/client');
  });

  for (const [what, proxied, unread] of [
    ['it may not be asked', () => ({ status: 403, body: {} }), /pods\/proxy/],
    ['an older version', () => ({ status: 404, body: undefined }), /older version/],
    ['an answer without it', () => ({ status: 200, body: { pod: 'gateway-1' } }), /older version/],
    ['the API server does not reach it', () => ({ status: 503, body: {} }), /503/],
    [
      'it does not answer in time',
      () => {
        throw new AppError('ERR_TIMEOUT', 'no answer within 10000 ms');
      },
      /no answer within/,
    ],
  ] as const) {
    it(`a gateway: ${what} → why, and the rest is read`, async () => {
      const { found } = await observe({ proxied });
      const [gateway] = found.gateways;
      assert.ok(gateway !== undefined && 'unread' in gateway.clients);
      assert.match(gateway.clients.unread, unread);
    });
  }

  it('CRDs may not be read → ERR_FORBIDDEN', async () => {
    await assert.rejects(observe({ others: () => ({ status: 403, body: {} }) }), { code: 'ERR_FORBIDDEN' });
  });
});
