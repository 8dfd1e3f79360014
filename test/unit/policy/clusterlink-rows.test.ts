/** clusterlink.md §4.6, row by row, asked of the functions that gateways ask; where we differ, the title says why. */
import assert from 'node:assert/strict';
import type { AccessPolicySpec } from '#src/api/generated/AccessPolicy.ts';
import type { IPeer } from '#src/api/generated/Peer.ts';
import { policyProblems } from '#src/api/validation/policy.ts';
import { desiredPolicyCondition } from '#src/controllers/access-policy/desired.ts';
import type { ClientIdentity } from '#src/gateway/client-identity.ts';
import { toWire } from '#src/gateway/cuts.ts';
import { decideEgress, decideIngress, type Admission, type AssertedClient } from '#src/gateway/decisions.ts';
import type { ExportRoute, GatewaySnapshot, PeerRoute } from '#src/gateway/messages.ts';
import { toRoutes } from '#src/gateway/routes.ts';
import { desiredSnapshot } from '#src/gateway/snapshot.ts';
import { ANY, compileAll, has, is, privileged, regular, spec, type AnyPolicy } from './fixtures.ts';

const EAST = { name: 'east', labels: { region: 'us' } };
const WEST = { name: 'west', labels: { region: 'eu' } };
const FRONT = { namespace: 'web', serviceAccount: 'front', labels: { app: 'ui' } };
const AWAY = {
  type: 'PeerReachable',
  status: 'False' as const,
  reason: 'PEER_UNREACHABLE',
  message: '',
  lastTransitionTime: '2026-11-20T12:00:00Z',
};
const NOBODY: ClientIdentity = { unidentified: 'no-pod' };
const CART_API: ExportRoute = { namespace: 'prod', name: 'cart-api', uid: 'u', ports: [], labels: { tier: 'gold' } };

function peerRoute({ name, labels }: Pick<PeerRoute, 'name' | 'labels'>): PeerRoute {
  return { name, labels, gateways: [], mayAssert: ['namespace', 'service-account', 'labels'] };
}

function routesOf(policies: readonly AnyPolicy[], known: Pick<GatewaySnapshot, 'peers' | 'exports'>) {
  return toRoutes({ version: 1, imports: [], policies: compileAll(policies), ...known });
}

/** At east: does the client reach `prod/cart-api` of west by the import `shop/cart`? */
function egress(
  policies: readonly AnyPolicy[],
  client: ClientIdentity = FRONT,
  peers: readonly PeerRoute[] = [peerRoute(WEST)],
): Admission {
  return decideEgress({
    routes: routesOf(policies, { peers, exports: [] }),
    self: EAST,
    client,
    route: {
      key: { namespace: 'shop', name: 'cart' },
      ips: [],
      ports: [],
      sources: [],
      labels: { tier: 'gold' },
      localFirst: true,
    },
    source: { peer: 'west', namespace: 'prod', name: 'cart-api', ports: [], readyEndpoints: 1 },
  });
}

interface IngressChanges {
  readonly asserted?: AssertedClient;
  readonly exports?: readonly ExportRoute[];
}

/** At west: is a workload of the peer whose certificate says east let in to `prod/cart-api`? */
function ingress(policies: readonly AnyPolicy[], changes: IngressChanges = {}): Admission {
  const { asserted = FRONT, exports = [CART_API] } = changes;
  const peers = [peerRoute(EAST), peerRoute({ name: 'north', labels: {} })];
  const routes = routesOf(policies, { peers, exports });
  return decideIngress({ routes, self: WEST, peer: 'east', asserted, export: CART_API });
}

const allowShop = regular('shop', spec('allow'), 'allow');
const allowProd = regular('prod', spec('allow'), 'allow');
const goldShop = regular('shop', spec('allow', ANY, is({ tier: 'gold' })));
const goldProd = regular('prod', spec('allow', ANY, is({ tier: 'gold' })));
const denyShop = (from = ANY, to = ANY): AnyPolicy => regular('shop', spec('deny', from, to), 'deny');
const shopOnly = (from: Parameters<typeof spec>[1], to = ANY): AnyPolicy[] => [
  regular('shop', spec('allow', from, to)),
];

type Row = [number: string, what: string, ask: () => Admission, allowed: boolean];

const SAME: Row[] = [
  ['1', 'no policy at all', () => egress([]), false],
  ['2', 'the namespace of the import allows all', () => egress([allowShop]), true],
  ['3', 'the namespace of the client does', () => egress([regular('web', spec('allow'))]), false],
  ['4', 'deny before allow', () => egress([allowShop, denyShop(ANY, is({ exp: 'cart-api' }))]), false],
  ['5', 'the privileged tier first: its allow', () => egress([privileged(spec('allow')), denyShop()]), true],
  [
    '6',
    'the privileged tier first: its deny',
    () => egress([privileged(spec('allow'), 'a'), privileged(spec('deny', ANY, is({ peer: 'west' })), 'b')]),
    false,
  ],
  ['7', 'its service account', () => egress(shopOnly(is({ sa: 'front' }))), true],
  ['8', 'another service account', () => egress(shopOnly(is({ sa: 'back' }))), false],
  ['9', 'a deny of all but its label', () => egress([allowShop, denyShop(has('app', 'NotIn', 'ui'))]), true],
  [
    '10',
    'a label that is absent satisfies NotIn',
    () => egress([allowShop, denyShop(has('team', 'NotIn', 'x'))]),
    false,
  ],
  ['11', 'a deny of what has no such label', () => egress([allowShop, denyShop(has('team', 'DoesNotExist'))]), false],
  ['12', 'Exists and In', () => egress(shopOnly(has('app', 'Exists'), has('exp', 'In', 'cart-api', 'other'))), true],
  ['13', 'items are ORed', () => egress(shopOnly([is({ sa: 'back' }), is({ app: 'ui' })])), true],
  ['14', 'requirements of one item are ANDed', () => egress(shopOnly(is({ sa: 'front', app: 'api' }))), false],
  ['15', 'a client that nobody knows, allowed like all', () => egress([allowShop], NOBODY), true],
  ['17', 'a label of the peer', () => egress(shopOnly(ANY, is({ region: 'eu' }))), true],
  ['19', 'a client of which nothing is said, allowed like all', () => ingress([allowProd], { asserted: null }), true],
  [
    '21',
    'a deny of the peer',
    () => ingress([allowProd, regular('prod', spec('deny', is({ peer: 'east' })), 'deny')]),
    false,
  ],
  ['23', 'the namespace of the import, at the exporter', () => ingress([allowShop]), false],
  ['24', 'east, the label that the import has', () => egress([goldShop]), true],
  [
    '24',
    'west, the label that the export has not',
    () => ingress([goldProd], { exports: [{ ...CART_API, labels: {} }] }),
    false,
  ],
  ['25', 'an export that is not there', () => ingress([allowProd], { exports: [] }), false],
];

const DIFFERENT: Row[] = [
  [
    '16',
    'a policy of an unrelated namespace asks for the client (there: dropped). Policies of others have no say here, and what is unknown matches in no allow',
    () => egress([allowShop, regular('dev', spec('allow', is({ sa: 'x' })))], NOBODY),
    true,
  ],
  [
    '20',
    'a deny of another peer, and nothing is said of the client (there: 403). The peer is known: by its certificate',
    () => ingress([allowProd, privileged(spec('deny', is({ peer: 'north' })))], { asserted: null }),
    true,
  ],
  [
    '20',
    'a deny of a workload, and nothing is said of the client. What is unknown matches in a deny: it could be this one',
    () => ingress([allowProd, privileged(spec('deny', is({ sa: 'back' })))], { asserted: null }),
    false,
  ],
  [
    '22',
    'a peer that is denied calls itself north (there: allowed). Its name is that of its certificate, whatever it says',
    () =>
      ingress([allowProd, regular('prod', spec('deny', is({ peer: 'east' })), 'deny')], {
        asserted: { ...FRONT, labels: { 'peer.clusterlink.net/name': 'north', name: 'north' } },
      }),
    false,
  ],
];

describe('decideEgress and decideIngress', () => {
  for (const [row, what, ask, allowed] of SAME) {
    it(`clusterlink.md §4.6 row ${row}: ${what} → ${allowed ? 'allow' : 'deny'}`, () => {
      const answer = ask();
      assert.equal(answer.allowed, allowed, answer.message);
    });
  }
  for (const [row, what, ask, allowed] of DIFFERENT) {
    it(`clusterlink.md §4.6 row ${row}, on purpose otherwise: ${what} → ${allowed ? 'allow' : 'deny'}`, () => {
      const answer = ask();
      assert.equal(answer.allowed, allowed, answer.message);
    });
  }

  it('clusterlink.md §4.6 row 18, on purpose otherwise: the peer is away (there: its labels are gone, so an allow by label fails and a deny by label lets pass). Labels are those of the local Peer object, session or not → the same as in row 17', () => {
    const away: IPeer = {
      apiVersion: 'clusterlink.net/v1alpha1',
      kind: 'Peer',
      metadata: { namespace: 'clusterlink-system', name: 'west', labels: WEST.labels },
      spec: { gateways: [] },
      status: { conditions: [AWAY] },
    };
    const catalogue = { entries: [], verdicts: [] };
    const { peers } = desiredSnapshot({
      self: 'east',
      bindings: [],
      peers: [away],
      catalogue,
      policies: compileAll([]),
    });
    assert.equal(egress(shopOnly(ANY, is({ region: 'eu' })), FRONT, peers).allowed, true);
    assert.equal(egress([allowShop, denyShop(ANY, is({ region: 'eu' }))], FRONT, peers).allowed, false);
  });

  it('clusterlink.md §4.6 row 25: an export that is not there → no policy is asked, and 404 as from Envoy', () => {
    const answer = ingress([regular('prod', spec('deny'))], { exports: [] });
    assert.ok(!answer.allowed && answer.reason === 'NOTHING_OFFERED', answer.message);
    assert.equal(toWire(answer.reason).status, 404);
  });
});

const twoSlashes = { matchLabels: { 'client.clusterlink.net/labels.app.kubernetes.io/name': 'x' } };
/** Of rows 26 and 27: what ClusterLink's API server takes and its control plane drops without a word. */
const UNREADABLE: [row: string, what: string, change: (body: AccessPolicySpec) => void][] = [
  ['26', 'from: []', (body) => (body.from = [])],
  ['26', 'workloadSets: [a]', (body) => (body.from = [{ workloadSets: ['a'] }])],
  ['26', 'both fields in one item', (body) => (body.from = [{ workloadSets: ['a'], workloadSelector: {} }])],
  ['27', 'a label key with a prefix of its own', (body) => (body.from = [{ workloadSelector: twoSlashes }])],
];

function unreadable(action: string, change: (body: AccessPolicySpec) => void): AccessPolicySpec {
  const body = spec(action);
  change(body);
  return body;
}

describe('policies that cannot be read', () => {
  for (const [row, what, change] of UNREADABLE) {
    it(`clusterlink.md §4.6 row ${row}, ${what}, in an allow → allows nothing, as there; on purpose otherwise: its status says so`, () => {
      const body = unreadable('allow', change);
      assert.equal(egress([regular('shop', body)]).allowed, false);
      assert.equal(desiredPolicyCondition({ action: body.action, problems: policyProblems(body) }).status, 'False');
    });

    it(`clusterlink.md §4.6 row ${row}, ${what}, in a deny, on purpose otherwise (there: not stored, so nothing is denied): who wrote it wanted less, not more → denies all of its namespace, and its status says so`, () => {
      const body = unreadable('deny', change);
      assert.equal(egress([allowShop, regular('shop', body, 'deny')]).allowed, false);
      assert.equal(egress([allowShop, regular('dev', body, 'deny')]).allowed, true);
      assert.match(
        desiredPolicyCondition({ action: body.action, problems: policyProblems(body) }).message,
        /denies everything in its scope/,
      );
    });
  }

  it('clusterlink.md §4.6 row 26, action Allow, on purpose otherwise (there: not stored): nobody knows what was meant, and it could be less → denies its scope', () => {
    const answer = egress([allowShop, regular('shop', spec('Allow'), 'odd')]);
    assert.equal(answer.allowed, false);
    assert.match(answer.message, /AccessPolicy shop\/odd denies it/);
  });

  it('clusterlink.md §4.6 row 28, on purpose otherwise (there: the old version keeps deciding, and nobody can see it any more): a valid allow becomes one that cannot be read → what is written decides: nothing is allowed', () => {
    assert.equal(egress([allowShop]).allowed, true);
    assert.equal(egress([{ ...allowShop, spec: { ...allowShop.spec, from: [] } }]).allowed, false);
  });
});

describe('the rows of clusterlink.md §4.6', () => {
  it('each → has a test', () => {
    const apart = ['18', '26', '27', '28'];
    const tested = new Set([...[...SAME, ...DIFFERENT].map(([row]) => row), ...apart]);
    assert.deepEqual(
      Array.from({ length: 28 }, (_, index) => String(index + 1)).filter((row) => !tested.has(row)),
      [],
    );
  });
});
