/** The alerts of monitoring/: Prometheus' own judgement of them, and whether what they ask for is there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { makeMetrics } from '#src/runtime/metrics.ts';
import { requireTool } from '#test/support/tools.ts';
import { exportManifest, makeWorld, ruleManifest, type World } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
}

const FOLDER = fileURLToPath(new URL('../../monitoring/', import.meta.url));
const RULES = (
  parse(readFileSync(`${FOLDER}prometheus-rules.yaml`, 'utf8')) as { groups: { rules: Rule[] }[] }
).groups.flatMap(({ rules }) => rules);
/** What Prometheus adds to every series, and what the rules take from build_info. */
const TARGET_LABELS = ['instance', 'job', 'node', 'pod', 'self'];

/** `name{label="value"} 1` of an exposition: the labels of each name, of every series that it has. */
function labelsByName(exposition: string): Map<string, Set<string>> {
  const labels = new Map<string, Set<string>>();
  for (const [, name = '', inside = ''] of exposition.matchAll(/^(clusterlink_mcs_\w+)(?:\{(.*)\})? \S+$/gm)) {
    const known = labels.get(name) ?? new Set();
    for (const [, label = ''] of inside.matchAll(/(\w+)="/g)) known.add(label);
    labels.set(name, known);
  }
  return labels;
}

/** Of each metric that the rules name: the labels that they select by. */
function selectors(): Map<string, Set<string>> {
  const selected = new Map<string, Set<string>>();
  for (const { expr } of RULES) {
    for (const [, name = '', inside = ''] of expr.matchAll(/\b(clusterlink_mcs_\w+)(?:\{([^}]*)\})?/g)) {
      const known = selected.get(name) ?? new Set();
      for (const [, label = ''] of inside.matchAll(/(\w+)\s*=/g)) known.add(label);
      selected.set(name, known);
    }
  }
  return selected;
}

describe('monitoring/prometheus-rules.yaml', function () {
  this.timeout(60_000);

  for (const [what, ...args] of [
    ['what it says', 'check', 'rules', 'prometheus-rules.yaml'],
    ['its tests', 'test', 'rules', 'prometheus-rules.test.yaml'],
  ] as const) {
    it(`promtool ${args.slice(0, 2).join(' ')} → ${what} passes`, function () {
      const { status, stdout, stderr } = spawnSync(requireTool(this, 'promtool'), args, {
        cwd: FOLDER,
        encoding: 'utf8',
      });
      assert.equal(status, 0, stdout + stderr);
    });
  }

  /** The compiler holds the labels of each; here each has a series. */
  function everything(): ReturnType<typeof makeMetrics> {
    const metrics = makeMetrics({ version: '1', self: 'east' });
    const peer = 'west';
    metrics.sessions.set({ peer }, 1);
    metrics.peerCertificateExpiry.set({ peer }, 1);
    metrics.recordsConfirmed.set({ peer }, 1);
    metrics.importWithoutSource.add({ import: 'store/db' }, 1);
    metrics.connections.inc({ direction: 'ingress', import_or_export: 'shop/db', peer, reason: 'INGRESS_DENIED' });
    metrics.handshakesRefused.inc({ reason: 'PEER_UNKNOWN' });
    metrics.certificateRevoked.set(1);
    metrics.recordsHeld.set({ peer }, 1);
    metrics.crlNextUpdateSeconds.set({ issuer: 'ab12' }, 1);
    metrics.limitUsed.set({ limit: 'streams', peer }, 0.5);
    metrics.snapshotVersion.set({ component: 'dns', state: 'sent' }, 1);
    metrics.dnsQueries.inc({ transport: 'udp', path: 'full', type: 'A', rcode: 'SERVFAIL' });
    metrics.storeRead.set({ kind: 'ImportBinding' }, 1);
    metrics.certificateExpirySeconds.set(1);
    return metrics;
  }

  it('every metric and label that it selects → is among those that processes have', async () => {
    const exposed = labelsByName(await everything().expose());
    assert.ok(selectors().size > 8);
    for (const [name, labels] of selectors()) {
      assert.ok(exposed.has(name), name);
      for (const label of labels) assert.ok(exposed.get(name)?.has(label), `${name}{${label}}`);
    }
  });

  it('every label in its words and groupings → is one of them, or of Prometheus', async () => {
    const known = new Set(TARGET_LABELS);
    for (const labels of labelsByName(await everything().expose()).values())
      labels.forEach((label) => known.add(label));
    const text = readFileSync(`${FOLDER}prometheus-rules.yaml`, 'utf8');
    const named = [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label);
    const grouped = [...text.matchAll(/\b(?:on|by|without|ignoring|group_left) \(([^)]*)\)/g)].flatMap(
      ([, list = '']) => list.split(',').map((label) => label.trim()),
    );
    const unknown = [...named, ...grouped].filter((label) => label !== '' && !known.has(label));
    assert.deepEqual(unknown, []);
  });

  describe('two peers', () => {
    let world: World;
    before(async () => (world = await makeWorld()));
    after(() => world.close());

    it('one imports from the other, which then goes → what PeerUnreachable, NoUsableSource and RecordsStale look at', async () => {
      const [east, west] = await Promise.all([world.peer('east'), world.peer('west')]);
      await Promise.all([
        east.write('db.yaml', exportManifest('db', 5432, 1)),
        west.write('rule.yaml', ruleManifest()),
      ]);
      await world.link(east, west);
      const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${west.metricsPort}/metrics`)).text();
      const says = async (pattern: RegExp): Promise<void> => {
        await waitFor(String(pattern), async () => pattern.test(await scrape()));
      };
      await says(/^clusterlink_mcs_sessions\{peer="east"\} [1-9]/m);
      await says(/^clusterlink_mcs_records_confirmed_timestamp_seconds\{peer="east"\} 1[0-9]{9}$/m);
      await says(/^clusterlink_mcs_peer_certificate_expiry_timestamp_seconds\{peer="east"\} 1[0-9]{9}$/m);
      await says(/^clusterlink_mcs_certificate_expiry_seconds [1-9]/m);
      await says(/^clusterlink_mcs_build_info\{.*self="west"\} 1$/m);
      await says(/^clusterlink_mcs_snapshot_version\{component="gateway",state="acknowledged"\} [1-9]/m);
      await waitFor('the import is there', async () => (await west.get<unknown[]>('ImportBinding')).length > 0);
      await waitFor('it has a source', async () => !/^clusterlink_mcs_import_without_source\{/m.test(await scrape()));
      await east.stop('SIGKILL');
      await says(/^clusterlink_mcs_sessions\{peer="east"\} 0$/m);
      await says(/^clusterlink_mcs_import_without_source\{import="store\/db"\} 1$/m);
    });
  });
});
