import assert from 'node:assert/strict';
import { formatKey, type ObjectKey } from '#src/api/object.ts';
import { REASONS } from '#src/api/reasons.ts';
import { ANNOTATIONS, ATTRIBUTES } from '#src/api/names.ts';
import type { Explanation } from '#src/gateway/explain.ts';
import { eventually } from './api.ts';
import { installed, type Peer } from './fixture.ts';
import { SYSTEM } from './install.ts';
import { countConnections, podsOf } from './metrics.ts';
import { accessPolicy, allowAll, importRule } from './rules.ts';
import {
  client,
  get,
  holdOpen,
  refusalOf,
  namespace,
  SEEN_LATE_MS,
  server,
  service,
  serviceExport,
  tryGet,
  whenPodsReady,
} from './workloads.ts';

const SHOP = 'shop-policy';
const STORE = 'store-policy';
const WEB = { namespace: SHOP, name: 'web' };
const HOST = 'web.store-policy.svc.clusterset.local';
const inStore = (name: string): ObjectKey => ({ namespace: STORE, name });
const ALICE = inStore('alice');
const BOB = inStore('bob');
const ON_HOST = inStore('on-host');
/** DESIGN §3.2: from the gateway's seeing a change to the reset. */
const RECHECK_MS = 2_000;

describe('policies by the identity of pods', () => {
  let east: Peer;
  let west: Peer;

  before(async () => {
    ({ east, west } = installed());
    await east.apply(
      ...[namespace(SHOP), server(east, { namespace: SHOP, name: 'server' }), service(WEB, 'server')],
      ...[serviceExport(WEB), allowAll(SHOP)],
    );
    await west.apply(
      ...[
        namespace(STORE),
        accessPolicy(inStore('alice-may'), { from: { [ATTRIBUTES.clientServiceAccount]: 'alice' } }),
      ],
      ...client(ALICE, { serviceAccount: 'alice' }),
      ...client(BOB, { serviceAccount: 'bob', labels: { tier: 'gold' } }),
      ...client(ON_HOST, { serviceAccount: 'alice', hostNetwork: true }),
      importRule('policy', {
        peers: { names: [east.name] },
        exports: { namespaces: [SHOP], names: ['web'] },
        into: { namespace: STORE },
      }),
    );
    await Promise.all([whenPodsReady(east, SHOP, 1), whenPodsReady(west, STORE, 3)]);
    await eventually('an answer', () => get(west, ALICE, HOST));
  });

  after(async () => {
    await annotatePeer('');
    await west.remove('clusterimportrule', { namespace: '', name: 'policy' });
    await east.remove('namespace', { namespace: '', name: SHOP });
    await west.remove('namespace', { namespace: '', name: STORE });
  });

  it('a service account that is allowed → served; another → reset, counted and logged as EGRESS_DENIED', async () => {
    const denied = await refusals(REASONS.EgressDenied);
    assert.match(await get(west, ALICE, HOST), new RegExp(`^${east.name}/`));
    for (let attempt = 0; attempt < 4; attempt++) await assertReset(BOB);
    assert.equal((await refusals(REASONS.EgressDenied)) - denied, 4);
    await eventually('the gateway says so', async () => /"reason":"EGRESS_DENIED"/.test(await gatewayLogs()));
  });

  it('explain in a gateway, for each of them → every hop for the one, EGRESS_DENIED with what mends it for the other', async () => {
    const served = await explain(ALICE);
    assert.deepEqual([served.code, served.hops.at(-1)?.hop], [0, 'endpoint'], JSON.stringify(served));
    const denied = await explain(BOB);
    const failed = denied.hops.at(-1);
    assert.deepEqual([denied.code, failed?.hop, failed?.code], [1, 'egress', REASONS.EgressDenied]);
    assert.match(failed?.fix ?? '', /allow --store kubernetes .* \| kubectl apply -f -$/);
    const unknown = (await explain(ON_HOST)).hops.at(-1);
    assert.deepEqual([unknown?.hop, unknown?.code], ['egress', REASONS.ClientUnknown]);
    const nowhere = (await explain(ALICE, 'web.store-polizy.svc.clusterset.local:7000')).hops.at(-1);
    assert.deepEqual([nowhere?.hop, nowhere?.fix?.includes('web.store-policy.svc')], ['name', true]);
  });

  it('a pod on the host network, of an allowed account → reset as CLIENT_UNKNOWN', async () => {
    const unknown = await refusals(REASONS.ClientUnknown);
    await assertReset(ON_HOST);
    assert.equal((await refusals(REASONS.ClientUnknown)) - unknown, 1);
    await eventually('the gateway says so', async () => /"reason":"CLIENT_UNKNOWN"/.test(await gatewayLogs()));
  });

  it('a policy that names no workload → admits the unidentified as well', async () => {
    const key = inStore('anybody');
    await west.apply(accessPolicy(key));
    await eventually('an answer', () => get(west, ON_HOST, HOST));
    await west.remove('accesspolicy', key);
    await eventually('a refusal', async () => (await tryGet(west, ON_HOST, HOST)).code !== 0);
  });

  it('a label goes from the pod → its open connection is reset within 2 s, others stay', async () => {
    await west.apply(accessPolicy(inStore('gold-may'), { from: { [`${ATTRIBUTES.clientLabelPrefix}tier`]: 'gold' } }));
    await eventually('an answer', () => get(west, BOB, HOST));
    const [ofBob, ofAlice] = await Promise.all(
      [BOB, ALICE].map((from) => holdOpen(west, from, { host: HOST, port: 7000 })),
    );
    assert.ok(ofBob !== undefined && ofAlice !== undefined);
    await label('tier-');
    const changedMs = performance.now();
    const { why } = await ofBob.over;
    assert.ok(performance.now() - changedMs < RECHECK_MS + SEEN_LATE_MS, `${performance.now() - changedMs} ms`);
    assert.equal(why, 'ECONNRESET');
    assert.ok((await refusals(REASONS.PolicyChanged)) >= 1);
    assert.equal(ofAlice.isOver(), false);
    await assertReset(BOB);
    await label('tier=gold');
    await eventually('an answer', () => get(west, BOB, HOST));
    ofAlice.close();
  });

  it('the policy itself goes → open connections are reset within 2 s', async () => {
    const held = await holdOpen(west, BOB, { host: HOST, port: 7000 });
    await west.remove('accesspolicy', inStore('gold-may'));
    const changedMs = performance.now();
    assert.equal((await held.over).why, 'ECONNRESET');
    assert.ok(performance.now() - changedMs < RECHECK_MS + SEEN_LATE_MS);
  });

  it('the exporter asks for a workload → admitted only where its Peer object lets the importer vouch for workloads', async () => {
    await west.apply(accessPolicy(inStore('anybody')));
    await east.apply(
      accessPolicy({ namespace: SHOP, name: 'everybody' }, { from: { [ATTRIBUTES.clientServiceAccount]: 'alice' } }),
    );
    await eventually('the exporter refuses', async () => (await tryGet(west, ALICE, HOST)).code !== 0);
    await annotatePeer('service-account');
    await eventually('an answer', () => get(west, ALICE, HOST));
    await assertReset(BOB);
    const denied = { direction: 'ingress', import_or_export: `${SHOP}/web`, reason: REASONS.IngressDenied } as const;
    assert.ok((await countConnections(east, denied)) >= 2);
  });

  async function assertReset(from: ObjectKey): Promise<void> {
    assert.equal(await refusalOf(west, from, { host: HOST, port: 7000 }), 'ECONNRESET');
  }

  function refusals(reason: string): Promise<number> {
    return countConnections(west, { direction: 'egress', import_or_export: `${STORE}/web`, reason });
  }

  async function explain(
    from: ObjectKey,
    target = `${HOST}:7000`,
  ): Promise<{ readonly code: number | null } & Pick<Explanation, 'hops'>> {
    const gateway = ['-n', SYSTEM, 'exec', 'deploy/clusterlink-mcs-gateway', '--'];
    const command = ['clusterlink-mcs', 'explain', formatKey(from), target, '-o', 'json'];
    const { code, stdout, stderr } = await west.tryKubectl([...gateway, ...command]);
    assert.notEqual(stdout, '', stderr);
    return { code, hops: (JSON.parse(stdout) as Explanation).hops };
  }

  async function gatewayLogs(): Promise<string> {
    const pods = await podsOf(west, 'gateway');
    const logs = pods.map(({ metadata }) => west.kubectl(['-n', SYSTEM, 'logs', metadata?.name ?? '', '--tail=500']));
    return (await Promise.all(logs)).join('\n');
  }

  async function label(change: string): Promise<void> {
    await west.kubectl(['-n', STORE, 'label', 'pod', BOB.name, change]);
  }

  async function annotatePeer(mayAssert: string): Promise<void> {
    const change = mayAssert === '' ? `${ANNOTATIONS.mayAssert}-` : `${ANNOTATIONS.mayAssert}=${mayAssert}`;
    await east.kubectl(['-n', SYSTEM, 'annotate', 'peer', west.name, '--overwrite', change]);
  }
});
