import assert from 'node:assert/strict';
import type { IAccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import type { ClientIdentity } from '#src/gateway/client-identity.ts';
import { decideEgress, decideIngress, decideOwnIngress, mayKnowExport } from '#src/gateway/decisions.ts';
import type { GatewaySnapshot } from '#src/gateway/messages.ts';
import { toRoutes } from '#src/gateway/routes.ts';
import { compilePolicies } from '#src/policy/compile.ts';

const self = { name: 'east', labels: {} };

function makePolicy(namespace: string, action: string, from: Record<string, string>): IAccessPolicy {
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { namespace, name: `${action}-${Object.values(from).join('-')}` },
    spec: { action, from: [{ workloadSelector: { matchLabels: from } }], to: [{ workloadSelector: {} }] },
  };
}

function makeRoutes(policies: IAccessPolicy[], changes: Partial<GatewaySnapshot> = {}) {
  return toRoutes({
    version: 1,
    peers: [{ name: 'west', labels: { region: 'us' }, gateways: [], mayAssert: [] }],
    imports: [],
    exports: [{ namespace: 'shop', name: 'db', uid: 'u', ports: [], labels: {} }],
    policies: compilePolicies({ privileged: [], regular: policies, baseline: [] }),
    ...changes,
  });
}

const byPeer = { 'peer.clusterlink.net/name': 'west' };
const byNamespace = { 'client.clusterlink.net/namespace': 'web' };
const ask = { self, peer: 'west', asserted: { namespace: 'web' }, export: { namespace: 'shop', name: 'db' } };
const trusted = { peers: [{ name: 'west', labels: {}, gateways: [], mayAssert: ['namespace' as const] }] };

describe('decideIngress', () => {
  const cases = [
    { name: 'no policy', routes: makeRoutes([]), question: ask, want: 'INGRESS_DENIED' },
    {
      name: 'a policy that allows the peer',
      routes: makeRoutes([makePolicy('shop', 'allow', byPeer)]),
      question: ask,
      want: 'allowed',
    },
    {
      name: 'a policy of another namespace',
      routes: makeRoutes([makePolicy('web', 'allow', byPeer)]),
      question: ask,
      want: 'INGRESS_DENIED',
    },
    {
      name: 'what the peer asserts without a grant does not open an allow',
      routes: makeRoutes([makePolicy('shop', 'allow', byNamespace)]),
      question: ask,
      want: 'INGRESS_DENIED',
    },
    {
      name: 'what the peer asserts with a grant does',
      routes: makeRoutes([makePolicy('shop', 'allow', byNamespace)], trusted),
      question: ask,
      want: 'allowed',
    },
    {
      name: 'an unknown attribute matches a deny',
      routes: makeRoutes([
        makePolicy('shop', 'allow', byPeer),
        makePolicy('shop', 'deny', { 'client.clusterlink.net/namespace': 'dev' }),
      ]),
      question: ask,
      want: 'INGRESS_DENIED',
    },
    {
      name: 'a peer without a Peer object',
      routes: makeRoutes([makePolicy('shop', 'allow', {})]),
      question: { ...ask, peer: 'north' },
      want: 'PEER_UNKNOWN',
    },
    {
      name: 'an export that is not there',
      routes: makeRoutes([makePolicy('shop', 'allow', {})]),
      question: { ...ask, export: { namespace: 'shop', name: 'web' } },
      want: 'NOTHING_OFFERED',
    },
    {
      name: 'export-to names others',
      routes: makeRoutes([makePolicy('shop', 'allow', byPeer)], {
        exports: [{ namespace: 'shop', name: 'db', uid: 'u', ports: [], labels: {}, exportTo: ['south'] }],
      }),
      question: ask,
      want: 'INGRESS_DENIED',
    },
    {
      name: 'self is a source like any other: no policy',
      routes: makeRoutes([]),
      question: { ...ask, peer: 'east' },
      want: 'INGRESS_DENIED',
    },
  ];
  for (const { name, routes, question, want } of cases) {
    it(`${name} → ${want}`, () => {
      const admission = decideIngress({ routes, ...question });
      assert.equal(admission.allowed ? 'allowed' : admission.reason, want);
    });
  }
});

describe('mayKnowExport', () => {
  const toOthers = { namespace: 'shop', name: 'db', uid: 'u', ports: [], labels: {}, exportTo: ['south'] };
  const cases = [
    {
      name: 'some workload of the peer could be admitted',
      routes: [makePolicy('shop', 'allow', byNamespace)],
      want: true,
    },
    { name: 'no policy', routes: [], want: false },
    {
      name: 'the peer is denied whatever its workload is',
      routes: [makePolicy('shop', 'deny', byPeer), makePolicy('shop', 'allow', {})],
      want: false,
    },
    { name: 'export-to names others', routes: [makePolicy('shop', 'allow', {})], exports: [toOthers], want: false },
    { name: 'a peer without a Peer object', routes: [makePolicy('shop', 'allow', {})], peer: 'north', want: false },
    { name: 'no such export', routes: [makePolicy('shop', 'allow', {})], exports: [], want: false },
  ];
  for (const { name, routes, exports, peer = 'west', want } of cases) {
    it(`${name} → ${want} (DESIGN §3.3)`, () => {
      const made = makeRoutes(routes, exports === undefined ? {} : { exports });
      assert.equal(mayKnowExport({ routes: made, self, peer, export: ask.export }), want);
    });
  }
});

describe('decideEgress', () => {
  const source = { peer: 'west', namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 };
  const route = {
    key: { namespace: 'store', name: 'db' },
    ips: [],
    ports: [],
    sources: [source],
    labels: { tier: 'gold' },
    localFirst: true,
  };
  const client = { namespace: 'default', serviceAccount: 'host', labels: {} };
  const toPeer = (namespace: string, labels: Record<string, string>): IAccessPolicy => ({
    ...makePolicy(namespace, 'allow', {}),
    spec: { action: 'allow', from: [{ workloadSelector: {} }], to: [{ workloadSelector: { matchLabels: labels } }] },
  });
  const cases = [
    { name: 'no policy', policies: [], want: 'EGRESS_DENIED' },
    {
      name: "a policy of the import's namespace",
      policies: [toPeer('store', { 'peer.clusterlink.net/name': 'west' })],
      want: 'allowed',
    },
    {
      name: "a policy of the client's namespace does not count",
      policies: [toPeer('default', {})],
      want: 'EGRESS_DENIED',
    },
    {
      name: 'labels of the import',
      policies: [toPeer('store', { 'export.clusterlink.net/labels.tier': 'gold' })],
      want: 'allowed',
    },
    {
      name: 'labels of the local Peer object',
      policies: [toPeer('store', { 'peer.clusterlink.net/labels.region': 'us' })],
      want: 'allowed',
    },
  ];
  for (const { name, policies, want } of cases) {
    it(`${name} → ${want}`, () => {
      const admission = decideEgress({ routes: makeRoutes(policies), self, client, route, source });
      assert.equal(admission.allowed ? 'allowed' : admission.reason, want);
    });
  }
});

describe('a client that is not identified', () => {
  const client: ClientIdentity = { unidentified: 'node-address' };
  const source = { peer: 'west', namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 };
  const route = {
    key: { namespace: 'shop', name: 'db' },
    ips: [],
    ports: [],
    sources: [source],
    labels: {},
    localFirst: true,
  };
  const toNamespace = makePolicy('shop', 'allow', byNamespace);
  const cases = [
    { name: 'a policy that names no workload', policies: [makePolicy('shop', 'allow', {})], want: 'allowed' },
    { name: 'a policy for some namespace', policies: [toNamespace], want: 'CLIENT_UNKNOWN' },
    {
      name: 'a deny for some namespace',
      policies: [makePolicy('shop', 'allow', {}), makePolicy('shop', 'deny', byNamespace)],
      want: 'CLIENT_UNKNOWN',
    },
    { name: 'no policy', policies: [], want: 'DENIED' },
    { name: 'a deny for everybody', policies: [makePolicy('shop', 'deny', {}), toNamespace], want: 'DENIED' },
  ];
  for (const { name, policies, want } of cases) {
    it(`${name} → ${want} at both ends of a connection within this peer`, () => {
      const routes = makeRoutes(policies);
      const egress = decideEgress({ routes, self, client, route, source });
      const ingress = decideOwnIngress({ routes, self, client, export: ask.export });
      const told = (admission: typeof egress): string => (admission.allowed ? 'allowed' : admission.reason);
      assert.deepEqual(
        [told(egress), told(ingress)],
        want === 'DENIED' ? ['EGRESS_DENIED', 'INGRESS_DENIED'] : [want, want],
      );
    });
  }

  it('CLIENT_UNKNOWN → says why, and what mends it', () => {
    const admission = decideEgress({ routes: makeRoutes([toNamespace]), self, client, route, source });
    assert.ok(!admission.allowed);
    assert.match(admission.message, /not known who the client is: it comes from the address of a node/);
    assert.match(admission.fix ?? '', /masquerading/);
  });

  it('the same as another peer’s client → no more than denied: what it asserted is nobody’s to judge', () => {
    const admission = decideIngress({ routes: makeRoutes([toNamespace]), ...ask, asserted: null });
    assert.ok(!admission.allowed && admission.reason === 'INGRESS_DENIED');
  });
});

describe('strangers: may-ask (clusterlinkCompat: fabric)', () => {
  const stranger = { ...ask, peer: 'north', strangers: 'may-ask' } as const;
  const byName = { 'peer.clusterlink.net/name': 'north' };
  const cases = [
    { name: 'no policy', policies: [], want: 'INGRESS_DENIED', knows: false },
    { name: 'a policy that names it', policies: [makePolicy('shop', 'allow', byName)], want: 'allowed', knows: true },
    {
      name: 'a policy for a label that another peer has',
      policies: [makePolicy('shop', 'allow', { 'peer.clusterlink.net/labels.region': 'us' })],
      want: 'INGRESS_DENIED',
      knows: false,
    },
    {
      name: 'a deny for what it says of its client',
      policies: [makePolicy('shop', 'allow', {}), makePolicy('shop', 'deny', byNamespace)],
      want: 'INGRESS_DENIED',
      knows: true,
    },
  ];
  for (const { name, policies, want, knows } of cases) {
    it(`${name} → ${want}, ${knows ? 'may know' : 'may not know'} of the export`, () => {
      const routes = makeRoutes(policies);
      const admission = decideIngress({ routes, ...stranger });
      assert.equal(admission.allowed ? 'allowed' : admission.reason, want);
      assert.equal(mayKnowExport({ routes, ...stranger }), knows);
    });
  }

  it('the same question without it → PEER_UNKNOWN', () => {
    const routes = makeRoutes([makePolicy('shop', 'allow', {})]);
    const admission = decideIngress({ routes, ...ask, peer: 'north' });
    assert.equal(!admission.allowed && admission.reason, 'PEER_UNKNOWN');
    assert.equal(mayKnowExport({ routes, ...ask, peer: 'north' }), false);
  });
});
