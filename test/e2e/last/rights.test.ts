import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { findCondition } from '#src/api/conditions.ts';
import { keyOf } from '#src/api/object.ts';
import { eventually } from '../api.ts';
import { installed, needNodes, type Peer } from '../fixture.ts';
import { auditLog, SYSTEM } from '../install.ts';
import { podsOf, samplesOf, sum, type Component } from '../metrics.ts';
import { allowAll, importRule } from '../rules.ts';
import { client, get, namespace, server, service, serviceExport, whenPodsReady } from '../workloads.ts';

const COMPONENTS: readonly Component[] = ['gateway', 'controller', 'dns'];
const METRICS = ['store_lists_total', 'store_watches_total', 'store_writes_total'];
/** What the parts log, or write into conditions, when they may not do something. */
const REFUSED = /ERR_FORBIDDEN|"reason":"forbidden"|is forbidden:/;
const SHOP = 'shop-rights';
const STORE = 'store-rights';

/** Before the outage: an API server that has just started refuses whatever its caches of roles do not hold yet. */
describe('the rights that the manifests give', () => {
  let east: Peer;
  let west: Peer;

  before(() => {
    ({ east, west } = installed());
  });

  it('after all of the above → no part was refused anything, by its own count', async () => {
    for (const peer of [east, west]) {
      for (const component of COMPONENTS) {
        const samples = await samplesOf(peer, component);
        assert.ok(sum(samples, 'clusterlink_mcs_store_lists_total', { result: 'ok' }) > 0, `${peer.name} ${component}`);
        for (const metric of METRICS) {
          for (const result of ['forbidden', 'ERR_FORBIDDEN']) {
            assert.equal(
              sum(samples, `clusterlink_mcs_${metric}`, { result }),
              0,
              `${peer.name} ${component} ${metric}`,
            );
          }
        }
      }
    }
  });

  it('and by their logs, also those of containers that crashed', async () => {
    for (const peer of [east, west]) {
      for (const component of COMPONENTS) {
        for (const pod of await podsOf(peer, component)) {
          const command = ['-n', SYSTEM, 'logs', keyOf(pod).name];
          const logs = await peer.kubectl(command);
          const { stdout: earlier, code } = await peer.tryKubectl([...command, '--previous']);
          assert.ok(logs.length > 0);
          const lines = [logs, code === 0 ? earlier : ''].join('\n').split('\n');
          assert.deepEqual(
            lines.filter((line) => REFUSED.test(line)),
            [],
            `${peer.name} ${keyOf(pod).name}`,
          );
        }
      }
    }
  });

  it('and by the audit logs of both API servers', async function () {
    // Clusters that were started here have the log: where it is missing, that is a failure.
    needNodes(this);
    const { folder, startedAt } = installed();
    const file = auditLog(folder);
    const entries = (await readFile(file, 'utf8')).split('\n').filter(Boolean).map(parseEntry);
    const users = new Set(entries.map(({ user }) => user.username.split(':').at(-1)));
    assert.deepEqual([...users].sort(), COMPONENTS.map((component) => `clusterlink-mcs-${component}`).sort());
    const ours = entries.filter(({ requestReceivedTimestamp }) => Date.parse(requestReceivedTimestamp) >= startedAt);
    assert.ok(ours.length > 0);
    // A namespace that is going refuses what is made in it with the same code, whoever asks.
    const refused = ours.filter(({ annotations }) => annotations?.['authorization.k8s.io/decision'] === 'forbid');
    assert.ok(ours.some(({ annotations }) => annotations?.['authorization.k8s.io/decision'] === 'allow'));
    assert.deepEqual(
      refused.map(({ verb, requestURI, user }) => `${user.username} ${verb} ${requestURI}`),
      [],
    );
  });

  it('one verb is missing → the log names the rule, the rest works; it comes back → what was due is done', async () => {
    const web = { namespace: SHOP, name: 'web' };
    const imported = { namespace: STORE, name: 'web' };
    const from = { namespace: STORE, name: 'client' };
    const giveBack = await withoutRule(east, 'clusterlink-mcs-controller', [
      'serviceexports/status',
      'serviceimports/status',
    ]);
    try {
      await east.apply(
        ...[namespace(SHOP), server(east, { namespace: SHOP, name: 'server' }), service(web, 'server')],
        ...[serviceExport(web), allowAll(SHOP)],
      );
      await west.apply(
        ...[namespace(STORE), allowAll(STORE), ...client(from)],
        importRule('rights', {
          peers: { names: [east.name] },
          exports: { namespaces: [SHOP] },
          into: { namespace: STORE },
        }),
      );
      await Promise.all([whenPodsReady(east, SHOP, 1), whenPodsReady(west, STORE, 1)]);
      const said = await eventually('the log says so', () => refusalsOf(east));
      assert.match(said, /serviceexports\/status/);
      assert.match(said, /patch/);
      await west.until(
        'ServiceImport',
        imported,
        (object) => findCondition(object?.status?.conditions as never, 'Ready')?.status === 'True',
      );
      await eventually('an answer', () => get(west, from, 'web.store-rights.svc.clusterset.local'));
      assert.equal((await east.get('ServiceExport', web))?.status?.conditions, undefined);
    } finally {
      await giveBack();
    }
    await east.until(
      'ServiceExport',
      web,
      (object) => findCondition(object?.status?.conditions as never, 'Ready')?.status === 'True',
      40_000,
    );
  });

  it('a gateway may not read a kind → a new one is not ready and says which, and the old ones serve on', async function () {
    this.timeout(180_000);
    const from = { namespace: STORE, name: 'client' };
    const deployment = ['-n', SYSTEM, 'rollout'];
    const giveBack = await withoutRule(west, 'clusterlink-mcs-gateway', ['nodes']);
    try {
      const before = new Set((await podsOf(west, 'gateway')).map((pod) => keyOf(pod).name));
      await west.kubectl([...deployment, 'restart', 'deployment/clusterlink-mcs-gateway']);
      const fresh = await eventually('a new gateway runs', async () => {
        const pods = await podsOf(west, 'gateway');
        return pods.find((pod) => !before.has(keyOf(pod).name) && pod.status?.podIP !== undefined);
      });
      await eventually('it says what it waits for', async () => {
        const said = await west.readPod(keyOf(fresh), '9090/readyz').catch((error: Error) => error.message);
        return /: 503 .*Node\b/s.test(said);
      });
      await eventually('the log names the rule', async () => {
        const logs = await west.kubectl(['-n', SYSTEM, 'logs', keyOf(fresh).name]);
        return logs.includes(JSON.stringify('resources: ["nodes"]').slice(1, -1));
      });
      await get(west, from, 'web.store-rights.svc.clusterset.local');
    } finally {
      await giveBack();
    }
    await west.kubectl([...deployment, 'status', 'deployment/clusterlink-mcs-gateway', '--timeout=120s'], {
      timeoutMs: 150_000,
    });
    await get(west, from, 'web.store-rights.svc.clusterset.local');
  });
});

interface AuditEntry {
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly user: { readonly username: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

function parseEntry(line: string): AuditEntry {
  return JSON.parse(line) as AuditEntry;
}

/** Takes the rule about these resources out of a role; the result puts it back. */
async function withoutRule(peer: Peer, role: string, resources: readonly string[]): Promise<() => Promise<void>> {
  const before = JSON.parse(await peer.kubectl(['get', 'clusterrole', role, '-o', 'json'])) as {
    rules: { resources: string[] }[];
  };
  const kept = before.rules.filter((rule) => JSON.stringify(rule.resources) !== JSON.stringify(resources));
  assert.equal(kept.length, before.rules.length - 1);
  const put = async (rules: readonly object[]): Promise<void> => {
    await peer.kubectl(['patch', 'clusterrole', role, '--type=merge', '--patch', JSON.stringify({ rules })]);
  };
  await put(kept);
  return () => put(before.rules);
}

async function refusalsOf(peer: Peer): Promise<string | undefined> {
  const logs = (await podsOf(peer, 'controller')).map((pod) => peer.kubectl(['-n', SYSTEM, 'logs', keyOf(pod).name]));
  return (await Promise.all(logs))
    .join('\n')
    .split('\n')
    .find((line) => line.includes('ERR_FORBIDDEN'));
}
