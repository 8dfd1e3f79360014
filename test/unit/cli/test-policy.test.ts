import assert from 'node:assert/strict';
import { formatPolicyTest } from '#src/cli/test-policy-format.ts';
import { toTestWorld } from '#src/cli/test-policy-manifests.ts';
import type { EgressTest, IngressTest } from '#src/cli/test-policy-question.ts';
import { testPolicy, type TestWorld } from '#src/cli/test-policy.ts';
import type { KubeObject } from '#src/api/object.ts';
import type { ClientIdentity } from '#src/gateway/client-identity.ts';
import type { ImportRoute } from '#src/gateway/messages.ts';
import { baseline, has, is, privileged, regular, spec } from '../policy/fixtures.ts';

const SELF = { name: 'west', labels: {} };
const FRONT = { namespace: 'web', serviceAccount: 'front', labels: { app: 'ui' } };
const NOBODY: ClientIdentity = { unidentified: 'no-pod' };
const EGRESS: EgressTest = {
  direction: 'egress',
  import: { namespace: 'store', name: 'db' },
  source: { peer: 'east', namespace: 'shop', name: 'db' },
};
const INGRESS: IngressTest = { direction: 'ingress', peer: 'east', export: { namespace: 'prod', name: 'cart' } };

function peer(name: string, mayAssert?: string): KubeObject {
  const annotations = mayAssert === undefined ? {} : { 'mcs.clusterlink.net/may-assert': mayAssert };
  const metadata = { name, namespace: 'clusterlink-system', labels: { region: 'eu' }, annotations };
  return { apiVersion: 'clusterlink.net/v1alpha1', kind: 'Peer', metadata, spec: { gateways: [] } } as KubeObject;
}

function serviceExport(annotations: Record<string, string> = {}): KubeObject {
  const metadata = { name: 'cart', namespace: 'prod', labels: { tier: 'gold' }, annotations };
  return { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata };
}

/** As a running peer: what is not there is not assumed. */
function running(world: TestWorld, imports: readonly ImportRoute[] = []): TestWorld {
  const byName = new Map(imports.map((route) => [`${route.key.namespace}/${route.key.name}`, route]));
  return { ...world, missing: 'refused', routes: { ...world.routes, imports: byName } };
}

const storeDb: ImportRoute = {
  key: EGRESS.import,
  ips: [],
  ports: [],
  sources: ['east', 'north'].map((name) => ({
    peer: name,
    namespace: 'shop',
    name: 'db',
    ports: [5432],
    readyEndpoints: 1,
  })),
  labels: { tier: 'gold' },
  localFirst: true,
};
const allSources: EgressTest = { direction: 'egress', import: EGRESS.import };

describe('testPolicy, egress', () => {
  it('manifests with policies alone → the decision; what was taken as there is told', () => {
    const world = toTestWorld(SELF, [regular('store', spec('allow', is({ sa: 'front' })), 'front')]);
    const report = testPolicy({ world, question: EGRESS, client: FRONT });
    assert.equal(report.allowed, true);
    assert.match(report.answers[0]?.message ?? '', /AccessPolicy store\/front allows it/);
    assert.match(report.notes.join('\n'), /Import store\/db is taken as there.*\n.*Peer east is not in the manifests/);
  });

  it('labels of the import and of the peer are given → they decide', () => {
    const gold = regular('store', spec('allow', is({}), is({ tier: 'gold', region: 'eu' })));
    const world = toTestWorld(SELF, [gold]);
    const given = { importLabels: { tier: 'gold' }, peerLabels: { region: 'eu' } };
    assert.equal(testPolicy({ world, question: EGRESS, client: FRONT }).allowed, false);
    assert.equal(testPolicy({ world, question: { ...EGRESS, ...given }, client: FRONT }).allowed, true);
  });

  it('a Peer object in the manifests → its labels count', () => {
    const world = toTestWorld(SELF, [regular('store', spec('allow', is({}), is({ region: 'eu' }))), peer('east')]);
    assert.equal(testPolicy({ world, question: EGRESS, client: FRONT }).allowed, true);
  });

  it('an import of several sources → an answer for each; allowed when one of them is', () => {
    const objects = [regular('store', spec('allow', is({}), is({ peer: 'north' }))), peer('east'), peer('north')];
    const world = running(toTestWorld(SELF, objects), [storeDb]);
    const report = testPolicy({ world, question: allSources, client: FRONT });
    assert.equal(report.allowed, true);
    assert.deepEqual(
      report.answers.map(({ service, allowed }) => [service, allowed]),
      [
        ['east/shop/db', false],
        ['north/shop/db', true],
      ],
    );
    assert.deepEqual(report.notes, []);
  });

  it('nobody knows who the client is → as gateways say it, with what mends it', () => {
    const world = toTestWorld(SELF, [regular('store', spec('allow', is({ sa: 'front' })))]);
    const [answer] = testPolicy({ world, question: EGRESS, client: NOBODY }).answers;
    assert.equal(answer?.reason, 'CLIENT_UNKNOWN');
    assert.match(answer.fix ?? '', /pod/);
    assert.equal(answer.asked?.looks[0]?.said, 'unknown');
  });

  it('manifests, and no source → ERR_USAGE: they do not say what backs an import', () => {
    const world = toTestWorld(SELF, []);
    assert.throws(() => testPolicy({ world, question: allSources, client: FRONT }), { code: 'ERR_USAGE' });
  });

  it('a running peer without that import → ERR_USAGE that names those that it has', () => {
    const question: EgressTest = { direction: 'egress', import: { namespace: 'store', name: 'bd' } };
    const world = running(toTestWorld(SELF, []), [storeDb]);
    assert.throws(() => testPolicy({ world, question, client: FRONT }), { code: 'ERR_USAGE', fix: /store\/db/ });
  });
});

describe('testPolicy, ingress', () => {
  const allowFront = regular('prod', spec('allow', is({ sa: 'front' })));

  it('a peer that may not assert → what it says stays unknown, and a note says how to grant it', () => {
    const world = toTestWorld(SELF, [allowFront, serviceExport(), peer('east')]);
    const report = testPolicy({ world, question: INGRESS, client: FRONT });
    assert.equal(report.allowed, false);
    assert.equal(report.answers[0]?.asked?.looks[0]?.said, 'unknown');
    assert.match(report.notes.join(), /namespace, service-account, labels.*may-assert/);
  });

  it('a peer that may → it is believed', () => {
    const world = toTestWorld(SELF, [allowFront, serviceExport(), peer('east', 'service-account')]);
    assert.equal(testPolicy({ world, question: INGRESS, client: FRONT }).allowed, true);
  });

  it('this peer itself → all of it is believed', () => {
    const world = toTestWorld(SELF, [allowFront, serviceExport()]);
    assert.equal(testPolicy({ world, question: { ...INGRESS, peer: 'west' }, client: FRONT }).allowed, true);
  });

  it('an export that names others in export-to → denied before a policy is asked', () => {
    const narrowed = serviceExport({ 'mcs.clusterlink.net/export-to': 'north' });
    const world = toTestWorld(SELF, [regular('prod', spec('allow')), narrowed, peer('east')]);
    const report = testPolicy({ world, question: INGRESS, client: FRONT });
    assert.equal(report.answers[0]?.asked, undefined);
    assert.match(report.answers[0]?.message ?? '', /export-to does not name east/);
    assert.match(formatPolicyTest(report, 'text'), /No policy was asked/);
  });

  it('a running peer without that export, or without that peer → denied for that reason', () => {
    const none = running(toTestWorld(SELF, [regular('prod', spec('allow')), peer('east')]));
    const nobody = running(toTestWorld(SELF, [regular('prod', spec('allow')), serviceExport()]));
    const reasonOf = (world: TestWorld) => testPolicy({ world, question: INGRESS, client: FRONT }).answers[0]?.reason;
    assert.deepEqual([reasonOf(none), reasonOf(nobody)], ['NOTHING_OFFERED', 'PEER_UNKNOWN']);
  });

  it('labels of the export are given → they decide in the place of its own', () => {
    const gold = regular('prod', spec('allow', is({}), is({ tier: 'gold' })));
    const world = toTestWorld(SELF, [gold, serviceExport(), peer('east')]);
    const changed: IngressTest = { ...INGRESS, exportLabels: { tier: 'lead' } };
    assert.equal(testPolicy({ world, question: INGRESS, client: NOBODY }).allowed, true);
    assert.equal(testPolicy({ world, question: changed, client: NOBODY }).allowed, false);
  });
});

describe('formatPolicyTest', () => {
  const world = toTestWorld(SELF, [
    privileged(spec('deny', is({ sa: 'back' })), 'no-back'),
    regular('store', { ...spec('allow'), from: [] }, 'broken'),
    regular('store', spec('allow', has('team', 'In', 'a', 'b')), 'teams'),
    regular('web', spec('allow')),
    baseline(spec('deny', is({ app: 'ui' })), 'no-ui'),
  ]);

  it('text → the verdict, every policy that was looked at with its reason, and who decides', () => {
    const text = formatPolicyTest(testPolicy({ world, question: EGRESS, client: FRONT }), 'text');
    assert.match(text, /^DENIED \(EGRESS_DENIED\) egress store\/db from east\/shop\/db$/m);
    assert.match(text, /^PrivilegedAccessPolicy +no-back +deny +no match +from\[0\] \S+ is "front", wanted: In back$/m);
    assert.match(text, /^AccessPolicy +store\/broken +allow +no match +it cannot be read: spec\.from/m);
    assert.match(text, /^AccessPolicy +store\/teams +allow +no match +from\[0\] \S+team is absent, wanted: In a, b$/m);
    assert.match(text, /^BaselineAccessPolicy +no-ui +deny +match: decides/m);
  });

  it('denied by default → says so, and that policies of other namespaces do not count', () => {
    const other = { ...EGRESS, import: { namespace: 'dev', name: 'db' } };
    const text = formatPolicyTest(testPolicy({ world, question: other, client: { ...FRONT, labels: {} } }), 'text');
    assert.match(text, /No policy allows it: denied by default/);
    assert.match(text, /count here only in namespace dev; there are some in store, web/);
  });

  it('a deny that meets what is unknown → says that it counts against the client', () => {
    const text = formatPolicyTest(testPolicy({ world, question: EGRESS, client: NOBODY }), 'text');
    assert.match(text, /no-back +deny +unknown: decides +from\[0\] \S+ is unknown/);
    assert.match(text, /What is unknown counts against the client/);
  });

  it('yaml and json → the whole report, without anchors', () => {
    const report = testPolicy({ world, question: EGRESS, client: FRONT });
    assert.deepEqual(JSON.parse(formatPolicyTest(report, 'json')), JSON.parse(JSON.stringify(report)));
    assert.doesNotMatch(formatPolicyTest(report, 'yaml'), /[&*]a1/);
  });
});
