import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import { ATTRIBUTES } from '#src/api/names.ts';
import { formatKey, type ObjectKey } from '#src/api/object.ts';
import { REASONS } from '#src/api/reasons.ts';
import type { Explanation } from '#src/gateway/explain.ts';
import { eventually } from './api.ts';
import { installed, type Peer } from './fixture.ts';
import { SYSTEM } from './install.ts';
import { accessPolicy } from './rules.ts';
import {
  client,
  get,
  holdOpen,
  isRefusal,
  namespace,
  refusalOf,
  SEEN_LATE_MS,
  server,
  tryGet,
  whenPodsReady,
} from './workloads.ts';

const PROD = 'prod-clusterlink';
const SHOP = 'shop-clusterlink';
const inProd = (name: string): ObjectKey => ({ namespace: PROD, name });
const inShop = (name: string): ObjectKey => ({ namespace: SHOP, name });
const AT_HOME: ObjectKey = { namespace: 'default', name: 'at-home' };
const FRONT = inShop('front');
const OWN = inShop('own');
const OTHER = inShop('other');
const HOST = `cart.${SHOP}.svc.cluster.local`;
/** DESIGN §3.2: from the gateway's seeing a change to the reset. */
const RECHECK_MS = 2_000;

/** As in ClusterLink's documents, but for the names of namespaces and the second port. */
const EXPORTS = `
apiVersion: clusterlink.net/v1alpha1
kind: Export
metadata: {name: cart-api, namespace: ${PROD}, labels: {tier: gold}}
spec: {port: 8080}
---
apiVersion: clusterlink.net/v1alpha1
kind: Export
metadata: {name: cart-echo, namespace: ${PROD}}
spec: {host: cart-api.${PROD}.svc.cluster.local, port: 7000}
---
apiVersion: clusterlink.net/v1alpha1
kind: AccessPolicy
metadata: {name: allow-all, namespace: ${PROD}}
spec:
  action: allow
  from: [{workloadSelector: {}}]
  to: [{workloadSelector: {}}]
`;

function importsFrom(peer: string): string {
  return `
apiVersion: clusterlink.net/v1alpha1
kind: Import
metadata: {name: cart, namespace: ${SHOP}, labels: {import.clusterlink.net/merge: "false"}}
spec:
  port: 80
  lbScheme: static
  sources:
  - {peer: ${peer}, exportName: cart-api, exportNamespace: ${PROD}}
---
apiVersion: clusterlink.net/v1alpha1
kind: Import
metadata: {name: echo, namespace: ${SHOP}}
spec:
  port: 7000
  sources:
  - {peer: ${peer}, exportName: cart-echo, exportNamespace: ${PROD}}
---
apiVersion: clusterlink.net/v1alpha1
kind: AccessPolicy
metadata: {name: ui-to-cart, namespace: ${SHOP}}
spec:
  action: allow
  from: [{workloadSelector: {matchLabels: {client.clusterlink.net/service-account: front}}}]
  to: [{workloadSelector: {matchExpressions: [{key: export.clusterlink.net/name, operator: In, values: [cart-api, cart-echo]}]}}]
---
apiVersion: clusterlink.net/v1alpha1
kind: PrivilegedAccessPolicy
metadata: {name: no-testing}
spec:
  action: deny
  from: [{workloadSelector: {matchLabels: {peer.clusterlink.net/name: testing}}}]
  to: [{workloadSelector: {}}]
`;
}

describe('ClusterLink’s manifests in two clusters', () => {
  let east: Peer;
  let west: Peer;

  before(async () => {
    ({ east, west } = installed());
    await Promise.all([
      east.apply(namespace(PROD), server(east, inProd('cart-api')), serviceOf(inProd('cart-api'), 'cart-api')),
      east.apply(server(east, AT_HOME), serviceOf(AT_HOME, AT_HOME.name)),
      west.apply(
        namespace(SHOP),
        ...client(FRONT, { serviceAccount: 'front' }),
        ...client(OTHER, { serviceAccount: 'other' }),
        ...[server(west, OWN), serviceOf(OWN, OWN.name)],
      ),
    ]);
    await Promise.all([
      east.kubectl(['apply', '-f', '-'], { input: EXPORTS }),
      west.kubectl(['apply', '-f', '-'], { input: importsFrom(east.name) }),
    ]);
    await Promise.all([whenPodsReady(east, PROD, 1), whenPodsReady(west, SHOP, 3)]);
  });

  after(async () => {
    await west.remove('privilegedaccesspolicy', { namespace: '', name: 'no-testing' });
    await Promise.all([
      ...['deployment', 'service', 'export', 'accesspolicy'].map((kind) => east.remove(kind, AT_HOME)),
      ...['import', 'accesspolicy'].map((kind) => west.remove(kind, AT_HOME)),
    ]);
    await east.remove('namespace', { namespace: '', name: PROD });
    await west.remove('namespace', { namespace: '', name: SHOP });
  });

  it('as they are → the Service of the Import leads to the Export of the other cluster (TestConnectivity)', async () => {
    assert.match(await eventually('an answer', () => get(west, FRONT, HOST)), new RegExp(`^${east.name}/cart-api-`));
    await whenSays(east, 'Export', inProd('cart-api'), { ExportValid: 'True' });
    const all: Wanted = { ImportTargetPortValid: 'True', ImportServiceValid: 'True', Ready: 'True' };
    await whenSays(west, 'Import', inShop('cart'), all);
    const { metadata, spec } = (await west.get('Service', inShop('cart'))) ?? {};
    assert.equal(metadata?.labels?.['app.kubernetes.io/managed-by'], 'clusterlink-mcs');
    assert.equal(spec?.ports?.[0]?.port, 80);
  });

  it('kubectl get → shows whether each is valid and ready', async () => {
    const [exports, imports] = await Promise.all([
      east.kubectl(['-n', PROD, 'get', 'exports']),
      west.kubectl(['-n', SHOP, 'get', 'imports']),
    ]);
    assert.match(exports, /^NAME +PORT +VALID +AGE\ncart-api +8080 +True /);
    assert.match(imports, /\ncart +80 +True /);
  });

  it('explain, by the name that clients know → every hop, and the hop "rule" names the Import', async () => {
    const explained = await explain(FRONT);
    assert.deepEqual([explained.ok, explained.hops.at(-1)?.hop], [true, 'endpoint'], JSON.stringify(explained));
    assert.match(explained.hops.find(({ hop }) => hop === 'import')?.message ?? '', /Ready=True/);
    assert.equal(explained.hops.find(({ hop }) => hop === 'rule')?.subject, `Import ${SHOP}/cart`);
    const denied = (await explain(OTHER)).hops.at(-1);
    assert.deepEqual([denied?.hop, denied?.code], ['egress', REASONS.EgressDenied]);
  });

  it('another service account → refused, and an event on the Import says why (TestPodAttributes)', async () => {
    const { code } = await tryGet(west, OTHER, HOST);
    assert.ok(isRefusal(code), String(code));
    await whenDescribed(west, 'import', inShop('cart'), /EgressDenied .*Fix: /);
  });

  it('the exporter denies → an open connection is reset within 2 s, and an event on the Export says why (TestPolicyLabels)', async () => {
    const held = await eventually('a connection', () => holdOpen(west, FRONT, echo('echo')));
    const deny = inProd('not-west');
    await east.apply(accessPolicy(deny, { action: 'deny', from: { [ATTRIBUTES.peerName]: west.name } }));
    await assertEnds(held);
    await refusalOf(west, FRONT, echo('echo'));
    await whenDescribed(east, 'export', inProd('cart-echo'), /IngressDenied .*Fix: /);
    await east.remove('accesspolicy', deny);
    await eventually('an answer', () => get(west, FRONT, HOST));
  });

  it('the importer denies → the same', async () => {
    const held = await eventually('a connection', () => holdOpen(west, FRONT, echo('echo')));
    const deny = inShop('not-echo');
    await west.apply(accessPolicy(deny, { action: 'deny', to: { [ATTRIBUTES.exportName]: 'cart-echo' } }));
    await assertEnds(held);
    await west.remove('accesspolicy', deny);
  });

  it('the Export is deleted → the same; it returns → served again', async () => {
    const held = await eventually('a connection', () => holdOpen(west, FRONT, echo('echo')));
    await east.remove('export', inProd('cart-echo'));
    await assertEnds(held);
    await east.kubectl(['apply', '-f', '-'], { input: EXPORTS });
    (await eventually('a connection', () => holdOpen(west, FRONT, echo('echo')))).close();
  });

  it('an Export before its Service → ExportValid False; the Service comes → True (TestExportServiceNotExist)', async () => {
    const key = inProd('late');
    await east.apply(exportOf(key, 8080));
    await whenSays(east, 'Export', key, { ExportValid: 'False' });
    await east.apply(serviceOf(key, 'cart-api'));
    await whenSays(east, 'Export', key, { ExportValid: 'True' });
    await east.remove('service', key);
    await whenSays(east, 'Export', key, { ExportValid: 'False' });
  });

  it('a Service in the way → untouched, and the Import says so; it goes → the Import’s own comes (TestImportConflictingService)', async () => {
    const key = inShop('in-the-way');
    await west.apply(serviceOf(key, 'somebody-else'));
    await west.apply(importOf(key, { port: 80, source: cartOf(east) }));
    await whenSays(west, 'Import', key, { ImportServiceValid: 'False', ImportTargetPortValid: 'True' });
    assert.equal((await west.get('Service', key))?.spec?.selector?.['app'], 'somebody-else');
    await west.remove('service', key);
    await whenSays(west, 'Import', key, { ImportServiceValid: 'True' });
    await eventually('an answer', () => get(west, FRONT, hostOf('in-the-way')));
    const before = (await west.get('Service', key))?.metadata?.uid;
    await west.remove('service', key);
    await west.until('Service', key, (service) => service !== undefined && service.metadata?.uid !== before);
    await eventually('an answer', () => get(west, FRONT, hostOf('in-the-way')));
  });

  it('the merge label → endpoints of a Service that is there; taken off → they go (TestImportMerge)', async () => {
    const key = inShop('merged');
    const input = { port: 80, source: cartOf(east) };
    await west.apply(importOf(key, { ...input, labels: { 'import.clusterlink.net/merge': 'true' } }));
    await whenSays(west, 'Import', key, { ImportServiceValid: 'False' });
    await west.apply({
      ...{ apiVersion: 'v1', kind: 'Service', metadata: key },
      spec: { ports: [{ name: 'http', port: 80 }] },
    });
    await whenSays(west, 'Import', key, { ImportServiceValid: 'True' });
    await eventually('an answer', () => get(west, FRONT, hostOf('merged')));
    await west.apply(importOf(key, input));
    await whenSays(west, 'Import', key, { ImportServiceValid: 'False' });
    await eventually('a refusal', async () => (await tryGet(west, FRONT, hostOf('merged'))).code !== 0);
  });

  it('both in namespace default, as in ClusterLink’s tutorials → served', async () => {
    await east.apply(exportOf(AT_HOME, 8080), accessPolicy(AT_HOME));
    await west.apply(
      importOf(AT_HOME, {
        port: 80,
        source: { peer: east.name, exportName: AT_HOME.name, exportNamespace: 'default' },
      }),
      accessPolicy(AT_HOME),
    );
    await whenSays(east, 'Export', AT_HOME, { ExportValid: 'True' });
    await eventually('an answer', () => get(west, FRONT, 'at-home.default.svc.cluster.local'));
  });

  it('a Peer object of its own, and an Import from itself → reachable, and served (TestPeerStatus)', async () => {
    const source = { peer: west.name, exportName: OWN.name, exportNamespace: SHOP };
    const metadata = { namespace: SYSTEM, name: west.name };
    await west.apply(
      { apiVersion: 'clusterlink.net/v1alpha1', kind: 'Peer', metadata, spec: { gateways: [] } },
      ...[exportOf(OWN, 8080), importOf(inShop('from-own'), { port: 80, source })],
      accessPolicy(OWN, { to: { [ATTRIBUTES.exportName]: OWN.name } }),
    );
    await whenSays(west, 'Peer', metadata, { PeerReachable: 'True' });
    assert.match(
      await eventually('an answer', () => get(west, FRONT, hostOf('from-own'))),
      new RegExp(`^${west.name}/`),
    );
    await west.remove('peer', metadata);
  });

  it('the Import is deleted → its Service too, and its connections within 2 s (TestImportDelete)', async () => {
    const held = await eventually('a connection', () => holdOpen(west, FRONT, echo('echo')));
    await west.remove('import', inShop('echo'));
    await assertEnds(held);
    await west.until('Service', inShop('echo'), (service) => service === undefined);
  });

  async function explain(from: ObjectKey): Promise<Explanation> {
    const gateway = ['-n', SYSTEM, 'exec', 'deploy/clusterlink-mcs-gateway', '--'];
    const command = ['clusterlink-mcs', 'explain', formatKey(from), `${HOST}:80`, '-o', 'json'];
    return JSON.parse((await west.tryKubectl([...gateway, ...command])).stdout) as Explanation;
  }

  async function assertEnds(held: Awaited<ReturnType<typeof holdOpen>>): Promise<void> {
    const changedMs = performance.now();
    const { why } = await held.over;
    assert.equal(why, 'ECONNRESET');
    assert.ok(performance.now() - changedMs < RECHECK_MS + SEEN_LATE_MS, `${performance.now() - changedMs} ms`);
  }
});

interface ImportInput {
  readonly port: number;
  readonly source: { readonly peer: string; readonly exportName: string; readonly exportNamespace: string };
  readonly labels?: Readonly<Record<string, string>>;
}

const importOf = (key: ObjectKey, { port, source, labels = {} }: ImportInput): object => ({
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'Import',
  metadata: { ...key, labels },
  spec: { port, sources: [source] },
});

const cartOf = ({ name }: Peer): ImportInput['source'] => ({
  peer: name,
  exportName: 'cart-api',
  exportNamespace: PROD,
});

const exportOf = (key: ObjectKey, port: number): object => ({
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'Export',
  metadata: key,
  spec: { port },
});

/** HTTP at 8080 and echo at 7000, of the pods of a {@link server}. */
const serviceOf = (key: ObjectKey, app: string): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: key,
  spec: {
    selector: { app },
    ports: [
      { name: 'http', port: 8080 },
      { name: 'echo', port: 7000 },
    ],
  },
});

type Wanted = Readonly<Record<string, 'True' | 'False'>>;

async function whenSays(peer: Peer, kind: 'Export' | 'Import' | 'Peer', key: ObjectKey, wanted: Wanted): Promise<void> {
  await peer.until(kind, key, (object) =>
    Object.entries(wanted).every(([type, is]) => findCondition(object?.status?.conditions, type)?.status === is),
  );
}

/** As people look for it. */
async function whenDescribed(
  peer: Peer,
  kind: string,
  { namespace: place, name }: ObjectKey,
  pattern: RegExp,
): Promise<void> {
  await eventually(`kubectl describe ${kind} ${name} shows ${pattern.source}`, async () =>
    pattern.test(await peer.kubectl(['-n', place, 'describe', kind, name])),
  );
}

const hostOf = (name: string): string => `${name}.${SHOP}.svc.cluster.local`;
const echo = (name: string): { host: string; port: number } => ({ host: hostOf(name), port: 7000 });
