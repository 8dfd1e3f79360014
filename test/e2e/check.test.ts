import assert from 'node:assert/strict';
import { keyOf, type ObjectKey } from '#src/api/object.ts';
import type { Finding } from '#src/cli/check-cluster.ts';
import type { TestCluster } from '#test/clusters/pair.ts';
import { eventually } from './api.ts';
import { installed, needNodes, type Peer } from './fixture.ts';
import { checkCluster, SYSTEM } from './install.ts';
import { podsOf } from './metrics.ts';

/** A gateway looks when it starts, and then every few seconds until another pod has answered. */
const FOUND_OUT_MS = 60_000;
/** What a cluster does that masquerades from pods to Services, for the one Service by which gateways find it out. */
const MASQUERADE = 'POSTROUTING -p tcp --dport 9090 -j MASQUERADE'.split(' ');

describe('check --context', () => {
  let east: Peer;
  let west: Peer;

  before(() => {
    ({ east, west } = installed());
  });

  /** Until no gateway is still finding out. */
  async function findingsOf(peer: Peer): Promise<{ readonly findings: readonly Finding[]; readonly code: number }> {
    return eventually(
      'every gateway has found out',
      async () => {
        const { stdout, stderr, code } = await checkCluster(peer, 'json');
        assert.ok(code === 0 || code === 1, stderr);
        const findings = JSON.parse(stdout) as Finding[];
        assert.ok(!findings.some(({ result }) => result === 'warning'), stdout);
        return { findings, code };
      },
      FOUND_OUT_MS,
    );
  }

  it('an installed cluster → CRDs, parts and addresses of clients are ok, exit code 0', async () => {
    for (const peer of [east, west]) {
      const { findings, code } = await findingsOf(peer);
      assert.deepEqual(
        findings.filter(({ result }) => result !== 'ok'),
        [],
      );
      assert.equal(code, 0);
      const [gateways, about] = [await podsOf(peer, 'gateway'), findings.map((finding) => finding.about)];
      assert.ok(gateways.length > 1);
      for (const pod of gateways) assert.ok(about.includes(`clients of ${keyOf(pod).name}`));
      for (const part of ['gateway', 'controller', 'dns']) assert.ok(about.includes(`pods of ${part}`));
      assert.ok(about.includes('CRD serviceexports.multicluster.x-k8s.io'));
      assert.match((await checkCluster(peer)).stdout, /^RESULT +ABOUT +FOUND\n/);
    }
  });

  it('a context that is not in the kubeconfig → exit code 2', async () => {
    assert.equal((await checkCluster({ ...west, context: 'nobody' })).code, 2);
  });

  it('the cluster hides clients → a new gateway says so, check names the address and what to do; mended → ok again', async function () {
    this.timeout(240_000);
    const { west: node } = needNodes(this);
    const show = await hideClients(node);
    let hidden: string;
    try {
      hidden = await replaceGateway(west);
      const { findings, code } = await findingsOf(west);
      assert.equal(code, 1);
      const failed = findings.filter(({ result }) => result === 'failed');
      assert.deepEqual(
        failed.map(({ about }) => about),
        [`clients of ${hidden}`],
      );
      const [, seen = ''] = /^seen as (\S+) instead of as pods/.exec(failed[0]?.found ?? '') ?? [];
      const pods = await west.list('Pod');
      const ofPods = pods.filter(({ spec }) => spec?.hostNetwork !== true).map(({ status }) => status?.podIP);
      assert.match(seen, /^\d+\.\d+\.\d+\.\d+$/);
      assert.ok(!ofPods.includes(seen), seen);
      assert.match(failed[0]?.fix ?? '', /masquerading/);
      const key = { namespace: SYSTEM, name: hidden };
      assert.match(await west.readPod(key, '9090/metrics'), /^clusterlink_mcs_client_addresses_visible 0$/m);
      const warnings = (await west.kubectl(['-n', SYSTEM, 'logs', hidden]))
        .split('\n')
        .filter((line) => line.includes(seen));
      assert.equal(warnings.filter((line) => line.includes('Cluster hides addresses of clients')).length, 1);
    } finally {
      await show();
    }
    await replaceGateway(west, hidden);
    const { findings, code } = await findingsOf(west);
    assert.equal(code, 0, JSON.stringify(findings));
  });
});

/** The result ends it. */
async function hideClients(node: TestCluster): Promise<() => Promise<void>> {
  const run = async (action: '--insert' | '--delete'): Promise<void> => {
    const { code, stderr } = await node.exec(['iptables', '--table', 'nat', action, ...MASQUERADE]);
    assert.equal(code, 0, stderr);
  };
  await run('--insert');
  return () => run('--delete');
}

/** Resolves with the name of the new one when it and the others are ready. */
async function replaceGateway(peer: Peer, name?: string): Promise<string> {
  const before = (await podsOf(peer, 'gateway')).map((pod) => keyOf(pod).name);
  const old: ObjectKey = { namespace: SYSTEM, name: name ?? before[0] ?? '' };
  await peer.remove('pod', old);
  const fresh = await eventually('a new gateway', async () => {
    const names = (await podsOf(peer, 'gateway')).map((pod) => keyOf(pod).name);
    return names.find((known) => !before.includes(known));
  });
  await peer.kubectl(['-n', SYSTEM, 'wait', '--for=condition=Ready', '--timeout=90s', `pod/${fresh}`]);
  return fresh;
}
