import assert from 'node:assert/strict';
import type { AccessPolicySpec } from '#src/api/generated/AccessPolicy.ts';
import { exportAttributes, workloadAttributes } from '#src/policy/attributes.ts';
import { decide } from '#src/policy/decide.ts';
import { baseline, compileAll, privileged, regular, spec } from './fixtures.ts';

const question = (namespace: string) => ({
  from: workloadAttributes({ peer: 'east', peerLabels: {} }),
  to: exportAttributes({ peer: 'west', peerLabels: {}, namespace, name: 'db', labels: {} }),
  namespace,
});

/** Specs that cannot be read, but for their action. */
const UNREADABLE: [title: string, change: (body: AccessPolicySpec) => void][] = [
  ['26 from: []', (body) => (body.from = [])],
  ['26 to: []', (body) => (body.to = [])],
  ['26 workloadSets', (body) => (body.from = [{ workloadSets: ['a'] }])],
  ['26 workloadSets beside a selector', (body) => (body.from = [{ workloadSets: ['a'], workloadSelector: {} }])],
  ['an item of nothing', (body) => (body.to = [{}])],
  [
    '27 a label key with two slashes',
    (body) =>
      (body.from = [
        { workloadSelector: { matchLabels: { 'client.clusterlink.net/labels.app.kubernetes.io/name': 'x' } } },
      ]),
  ],
  [
    'an operator that is not one',
    (body) =>
      (body.from = [{ workloadSelector: { matchExpressions: [{ key: 'a', operator: 'Equals', values: ['b'] }] } }]),
  ],
  [
    'NotIn without values',
    (body) => (body.from = [{ workloadSelector: { matchExpressions: [{ key: 'a', operator: 'NotIn' }] } }]),
  ],
];

function unreadable(action: string, change: (body: AccessPolicySpec) => void): AccessPolicySpec {
  const body = spec(action);
  change(body);
  return body;
}

describe('compilePolicies', () => {
  for (const [title, change] of UNREADABLE) {
    it(`clusterlink.md §4.6 ${title}: an invalid allow → matches nothing`, () => {
      const set = compileAll([regular('shop', unreadable('allow', change))]);
      assert.deepEqual(decide(set, question('shop')), { allowed: false });
    });
    it(`clusterlink.md §4.6 ${title}: an invalid deny → denies its whole scope, and no other`, () => {
      const broken = regular('shop', unreadable('deny', change), 'broken');
      const set = compileAll([broken, ...['shop', 'other'].map((namespace) => regular(namespace, spec('allow')))]);
      assert.deepEqual(decide(set, question('shop')), {
        allowed: false,
        policy: { kind: 'AccessPolicy', namespace: 'shop', name: 'broken' },
      });
      assert.equal(decide(set, question('other')).allowed, true);
    });
  }

  for (const action of ['Allow', 'DENY', '', 'permit']) {
    it(`clusterlink.md §4.6 26: action "${action}" → a deny of the whole scope`, () => {
      const narrow = { matchLabels: { 'peer.clusterlink.net/name': 'somebody-else' } };
      const set = compileAll([privileged(spec(action, narrow)), regular('shop', spec('allow'))]);
      assert.deepEqual(decide(set, question('shop')).policy, {
        kind: 'PrivilegedAccessPolicy',
        namespace: '',
        name: 'p',
      });
      assert.equal(decide(set, question('shop')).allowed, false);
    });
  }

  it('objects that no schema has seen → denied, not thrown', () => {
    for (const body of [undefined, {}, { action: 'deny' }, { action: 'deny', from: 'all', to: 'all' }]) {
      const policy = { ...privileged(spec('deny')), spec: body as unknown as AccessPolicySpec };
      assert.equal(decide(compileAll([policy, regular('shop', spec('allow'))]), question('shop')).allowed, false);
    }
  });

  it('a set → survives structured clone and JSON, and decides alike', () => {
    const set = compileAll([privileged(spec('allow')), regular('shop', spec('deny')), baseline(spec('allow'))]);
    assert.deepEqual(structuredClone(set), set);
    assert.deepEqual(JSON.parse(JSON.stringify(set)), set);
    assert.deepEqual(decide(structuredClone(set), question('shop')), decide(set, question('shop')));
  });

  it('policies in any order → the same set', () => {
    const policies = ['b', 'a', 'c'].map((name) => privileged(spec('deny'), name));
    assert.deepEqual(compileAll(policies), compileAll(policies.toReversed()));
  });
});
