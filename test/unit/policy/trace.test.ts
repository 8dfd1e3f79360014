import assert from 'node:assert/strict';
import { clientAttributes, exportAttributes, workloadAttributes } from '#src/policy/attributes.ts';
import { LOOKS_TOLD_MAX, OBSTACLES_TOLD_MAX } from '#src/policy/limits.ts';
import { traceDecision } from '#src/policy/trace.ts';
import { ANY, baseline, compileAll, has, is, privileged, regular, spec } from './fixtures.ts';

const west = { peer: 'west', peerLabels: {} };
const to = exportAttributes({ peer: 'east', peerLabels: {}, namespace: 'shop', name: 'db', labels: {} });
const front = {
  from: clientAttributes({ ...west, namespace: 'web', serviceAccount: 'front', labels: { app: 'ui' } }),
  to,
  namespace: 'shop',
};
const nobody = { ...front, from: workloadAttributes(west) };

describe('traceDecision', () => {
  it('tiers that are asked → each policy with what it said, down to the one that decides, and no further', () => {
    const set = compileAll([
      privileged(spec('deny', is({ peer: 'north' })), 'no-north'),
      regular('shop', spec('allow', is({ sa: 'front' })), 'front'),
      regular('shop', spec('allow'), 'later'),
      baseline(spec('allow')),
    ]);
    const { decision, looks, untold } = traceDecision(set, front);
    assert.deepEqual(decision.policy, { kind: 'AccessPolicy', namespace: 'shop', name: 'front' });
    assert.deepEqual(
      looks.map(({ policy, action, said }) => [policy.name, action, said]),
      [
        ['no-north', 'deny', 'no-match'],
        ['front', 'allow', 'match'],
      ],
    );
    assert.equal(untold, 0);
  });

  it('no match → the first requirement of each item that fails, and what the attribute is', () => {
    const set = compileAll([
      regular('shop', spec('allow', [is({ sa: 'back' }), has('team', 'Exists')], is({ exp: 'db' }))),
    ]);
    assert.deepEqual(traceDecision(set, front).looks[0]?.because, [
      {
        side: 'from',
        said: 'no-match',
        item: 0,
        requirement: { key: 'client.clusterlink.net/service-account', operator: 'In', values: ['back'] },
        value: 'front',
      },
      {
        side: 'from',
        said: 'no-match',
        item: 1,
        requirement: { key: 'client.clusterlink.net/labels.team', operator: 'Exists' },
      },
    ]);
  });

  it('one side fails, the other matches by its second item → nothing is told of the other', () => {
    const set = compileAll([regular('shop', spec('allow', is({ sa: 'back' }), [is({ exp: 'web' }), ANY]))]);
    assert.deepEqual(
      traceDecision(set, front).looks[0]?.because.map(({ side }) => side),
      ['from'],
    );
  });

  it('unknown attributes → a deny decides by them, an allow does not, and both say which', () => {
    const set = compileAll([
      regular('shop', spec('allow', is({ app: 'ui' })), 'ui'),
      baseline(spec('deny', is({ sa: 'back' })), 'not-back'),
    ]);
    const { decision, looks } = traceDecision(set, nobody);
    assert.equal(decision.policy?.name, 'not-back');
    assert.deepEqual(
      looks.map(({ said, because }) => [said, because[0]?.requirement.key]),
      [
        ['unknown', 'client.clusterlink.net/labels.app'],
        ['unknown', 'client.clusterlink.net/service-account'],
      ],
    );
  });

  it('an allow that cannot be read → is looked at, matches nothing, and says why', () => {
    const set = compileAll([regular('shop', { ...spec('allow'), from: [] })]);
    const [look] = traceDecision(set, front).looks;
    assert.equal(look?.said, 'no-match');
    assert.equal(look.unreadable, 'spec.from selects no client at all');
    assert.deepEqual(look.because, []);
  });

  it('AccessPolicies of other namespaces → the namespaces are named, for they do not count', () => {
    const set = compileAll(['web', 'shop', 'dev'].map((namespace) => regular(namespace, spec('allow'))));
    assert.deepEqual(traceDecision(set, front).elsewhere, ['dev', 'web']);
  });

  it(`${LOOKS_TOLD_MAX} policies are looked at → all are told; one more → as many, the one that decides among them`, () => {
    const denies = Array.from({ length: LOOKS_TOLD_MAX }, (_, index) =>
      regular('shop', spec('deny', is({ sa: 'back' })), `n${index}`),
    );
    const all = traceDecision(compileAll([...denies.slice(1), regular('shop', spec('allow'))]), front);
    assert.deepEqual([all.looks.length, all.untold], [LOOKS_TOLD_MAX, 0]);
    const some = traceDecision(compileAll([...denies, regular('shop', spec('allow'))]), front);
    assert.deepEqual([some.looks.length, some.untold], [LOOKS_TOLD_MAX, 1]);
    assert.equal(some.looks.at(-1)?.said, 'match');
  });

  it(`more than ${OBSTACLES_TOLD_MAX} items fail → so many are told`, () => {
    const items = Array.from({ length: OBSTACLES_TOLD_MAX + 1 }, () => is({ sa: 'back' }));
    const [look] = traceDecision(compileAll([regular('shop', spec('allow', items))]), front).looks;
    assert.equal(look?.because.length, OBSTACLES_TOLD_MAX);
  });
});
