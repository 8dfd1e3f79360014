import assert from 'node:assert/strict';
import { exportAttributes, workloadAttributes } from '#src/policy/attributes.ts';
import { couldAdmit, decide } from '#src/policy/decide.ts';
import type { Attributes, Question } from '#src/policy/types.ts';
import { baseline, compileAll, has, is, privileged, regular, spec, type AnyPolicy } from './fixtures.ts';

/** The scene of clusterlink.md §4.6. */
const EAST = { peer: 'east', peerLabels: { region: 'us' } };
const NORTH = { peer: 'north', peerLabels: {} };
const TARGET = exportAttributes({
  peer: 'west',
  peerLabels: { region: 'eu' },
  namespace: 'prod',
  name: 'cart-api',
  labels: { tier: 'gold' },
});

const ingress = (from: Attributes): Question => ({ from, to: TARGET, namespace: 'prod' });

const allowShop = regular('shop', spec('allow'), 'allow');
const allowProd = regular('prod', spec('allow'), 'allow');

type Row = [row: string, policies: AnyPolicy[], question: Question, allowed: boolean];

describe('decide', () => {
  const anybody = ingress(workloadAttributes(EAST));
  const UNKNOWN: Row[] = [
    ['an unknown attribute in an allow', [regular('prod', spec('allow', is({ sa: 'front' })))], anybody, false],
    [
      'an unknown attribute in an allow, NotIn',
      [regular('prod', spec('allow', has('team', 'NotIn', 'x')))],
      anybody,
      false,
    ],
    [
      'an unknown attribute in a deny',
      [allowProd, regular('prod', spec('deny', is({ sa: 'back' })), 'd')],
      anybody,
      false,
    ],
    [
      'an unknown attribute beside one that fails, in a deny',
      [allowProd, regular('prod', spec('deny', is({ sa: 'back', peer: 'north' })), 'd')],
      anybody,
      true,
    ],
    ['baseline allow', [baseline(spec('allow'))], anybody, true],
    [
      'baseline deny before baseline allow',
      [baseline(spec('allow'), 'a'), baseline(spec('deny'), 'b')],
      anybody,
      false,
    ],
    ['a namespace overrides the baseline, yes', [baseline(spec('deny')), allowProd], anybody, true],
    [
      'a namespace overrides the baseline, no',
      [baseline(spec('allow')), regular('prod', spec('deny'))],
      anybody,
      false,
    ],
    ['a namespace named like a member of objects', [allowProd], { ...anybody, namespace: 'constructor' }, false],
  ];
  for (const [title, policies, question, allowed] of UNKNOWN) {
    it(`${title} → ${allowed ? 'allow' : 'deny'}`, () => {
      assert.equal(decide(compileAll(policies), question).allowed, allowed);
    });
  }

  it('several that match → the first by name', () => {
    const policies = ['c', 'a', 'b'].map((name) => regular('prod', spec('deny'), name));
    assert.deepEqual(decide(compileAll(policies), anybody).policy, {
      kind: 'AccessPolicy',
      namespace: 'prod',
      name: 'a',
    });
  });

  it('no policy matches → no policy is named', () => {
    assert.deepEqual(decide(compileAll([]), anybody), { allowed: false });
  });
});

describe('couldAdmit', () => {
  const south = { ...ingress(workloadAttributes(NORTH)) };
  const ROWS: Row[] = [
    ['no policy', [], south, false],
    ['an allow of another peer', [regular('prod', spec('allow', is({ peer: 'east' })))], south, false],
    ['an allow of one service account', [regular('prod', spec('allow', is({ sa: 'front' })))], south, true],
    ['an allow of another namespace', [allowShop], south, false],
    [
      'a deny of one service account beside an allow',
      [allowProd, regular('prod', spec('deny', is({ sa: 'x' })), 'd')],
      south,
      true,
    ],
    [
      'a deny of the peer beside an allow',
      [allowProd, regular('prod', spec('deny', is({ peer: 'north' })), 'd')],
      south,
      false,
    ],
    ['a privileged deny over everything', [allowProd, privileged(spec('deny'))], south, false],
    [
      'a privileged allow of some over a deny of all',
      [privileged(spec('allow', is({ sa: 'x' }))), regular('prod', spec('deny'))],
      south,
      true,
    ],
    ['a baseline allow', [baseline(spec('allow'))], south, true],
  ];
  for (const [title, policies, question, expected] of ROWS) {
    it(`${title} → ${expected ? 'told' : 'not told'}`, () => {
      assert.equal(couldAdmit(compileAll(policies), question), expected);
    });
  }
});
