import assert from 'node:assert/strict';
import type { IAccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import type { ClientIdentity } from '#src/gateway/client-identity.ts';
import { makeDecisionMemory } from '#src/gateway/decision-memory.ts';
import type { ImportRoute, RouteSource } from '#src/gateway/messages.ts';
import { toRoutes } from '#src/gateway/routes.ts';
import { compilePolicies } from '#src/policy/compile.ts';

const self = { name: 'east', labels: {} };
const source: RouteSource = { peer: 'west', namespace: 'shop', name: 'db', ports: [80], readyEndpoints: 1 };
const route: ImportRoute = {
  key: { namespace: 'store', name: 'db' },
  ips: [],
  ports: [],
  sources: [source],
  labels: {},
  localFirst: true,
};
const web: ClientIdentity = { namespace: 'web', serviceAccount: 'front', labels: {} };
const key = { namespace: 'shop', name: 'db' };

/** Clients of namespace web alone may. */
function allowWeb(namespace: string): IAccessPolicy {
  const matchLabels = { 'client.clusterlink.net/namespace': 'web' };
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { namespace, name: 'web' },
    spec: { action: 'allow', from: [{ workloadSelector: { matchLabels } }], to: [{ workloadSelector: {} }] },
  };
}

function makeRoutes(policies: IAccessPolicy[]) {
  return toRoutes({
    version: 1,
    peers: [{ name: 'west', labels: {}, gateways: [], mayAssert: ['namespace'] }],
    imports: [route],
    exports: [{ ...key, uid: 'u', ports: [], labels: {} }],
    policies: compilePolicies({ privileged: [], regular: policies, baseline: [] }),
  });
}

describe('makeDecisionMemory', () => {
  const allowing = makeRoutes([allowWeb('store'), allowWeb('shop')]);
  const denying = makeRoutes([]);

  it('the same question → the same answer, made once', () => {
    const memory = makeDecisionMemory();
    const asserted = { namespace: 'web' };
    const egress = { routes: allowing, self, client: web, route, source };
    const ingress = { routes: allowing, self, peer: 'west', asserted, export: key };
    const own = { routes: allowing, self, client: web, export: key };
    assert.ok(memory.egress(egress).allowed && memory.ingress(ingress).allowed && memory.ownIngress(own).allowed);
    assert.equal(memory.egress({ ...egress }), memory.egress(egress));
    assert.equal(memory.ingress({ ...ingress }), memory.ingress(ingress));
    assert.equal(memory.ownIngress({ ...own }), memory.ownIngress(own));
  });

  it('other policies, another client, or another word of its peer → asked again', () => {
    const memory = makeDecisionMemory();
    const mail: ClientIdentity = { namespace: 'mail', serviceAccount: 'front', labels: {} };
    const egress = (routes: typeof allowing, client: ClientIdentity): boolean =>
      memory.egress({ routes, self, client, route, source }).allowed;
    const ingress = (routes: typeof allowing, asserted: { namespace: string } | null): boolean =>
      memory.ingress({ routes, self, peer: 'west', asserted, export: key }).allowed;
    assert.deepEqual(
      [egress(allowing, web), egress(denying, web), egress(allowing, mail), egress(allowing, web)],
      [true, false, false, true],
    );
    const asserted = { namespace: 'web' };
    assert.deepEqual(
      [
        ingress(allowing, asserted),
        ingress(denying, asserted),
        ingress(allowing, { namespace: 'mail' }),
        ingress(allowing, null),
        ingress(allowing, asserted),
      ],
      [true, false, false, false, true],
    );
  });

  it('an export that is not here, and a peer without a Peer object → refused each time', () => {
    const memory = makeDecisionMemory();
    const ask = (peer: string, name: string) =>
      memory.ingress({ routes: allowing, self, peer, asserted: null, export: { namespace: 'shop', name } });
    for (let count = 0; count < 2; count++) {
      const [missing, unknown] = [ask('west', 'gone'), ask('north', 'db')];
      assert.ok(!missing.allowed && missing.reason === 'NOTHING_OFFERED');
      assert.ok(!unknown.allowed && unknown.reason === 'PEER_UNKNOWN');
    }
  });

  it('a stranger that may ask, then one that may not → each by its own answer', () => {
    const memory = makeDecisionMemory();
    const stranger = { routes: denying, self, peer: 'north', asserted: null, export: key };
    const [first, second] = [memory.ingress({ ...stranger, strangers: 'may-ask' }), memory.ingress(stranger)];
    assert.ok(!first.allowed && first.reason === 'INGRESS_DENIED');
    assert.ok(!second.allowed && second.reason === 'PEER_UNKNOWN');
  });
});
