import assert from 'node:assert/strict';
import { clientAttributes, exportAttributes, workloadAttributes } from '#src/policy/attributes.ts';
import { couldAdmit, decide } from '#src/policy/decide.ts';
import type { Attributes, Question } from '#src/policy/types.ts';
import type { Selector } from '#src/policy/selector.ts';
import { ANY, baseline, compileAll, privileged, regular, spec, type AnyPolicy } from './fixtures.ts';

/** The scene of clusterlink.md §4.6. */
const EAST = { peer: 'east', peerLabels: { region: 'us' } };
const NORTH = { peer: 'north', peerLabels: {} };
const CLIENT = { ...EAST, namespace: 'web', serviceAccount: 'front', labels: { app: 'ui' } };
const TARGET = exportAttributes({
  peer: 'west',
  peerLabels: { region: 'eu' },
  namespace: 'prod',
  name: 'cart-api',
  labels: { tier: 'gold' },
});
const UNTIERED = { ...TARGET, known: { ...TARGET.known } };
Reflect.deleteProperty(UNTIERED.known, 'export.clusterlink.net/labels.tier');

const egress = (from: Attributes = clientAttributes(CLIENT)): Question => ({ from, to: TARGET, namespace: 'shop' });
const ingress = (from: Attributes = clientAttributes(CLIENT), to = TARGET): Question => ({
  from,
  to,
  namespace: 'prod',
});

const KEYS = {
  sa: 'client.clusterlink.net/service-account',
  app: 'client.clusterlink.net/labels.app',
  team: 'client.clusterlink.net/labels.team',
  peer: 'peer.clusterlink.net/name',
  exp: 'export.clusterlink.net/name',
  region: 'peer.clusterlink.net/labels.region',
  tier: 'export.clusterlink.net/labels.tier',
};
type Short = keyof typeof KEYS;
const is = (values: Partial<Record<Short, string>>): Selector => ({
  matchLabels: Object.fromEntries(Object.entries(values).map(([key, value]) => [KEYS[key as Short], value])),
});
const has = (key: Short, operator: string, ...values: string[]): Selector => ({
  matchExpressions: [values.length === 0 ? { key: KEYS[key], operator } : { key: KEYS[key], operator, values }],
});

const allowShop = regular('shop', spec('allow'), 'allow');
const allowProd = regular('prod', spec('allow'), 'allow');
const denyShop = (from: Selector, to: Selector = ANY): AnyPolicy => regular('shop', spec('deny', from, to), 'deny');

type Row = [row: string, policies: AnyPolicy[], question: Question, allowed: boolean];

/** Rows that agree with ClusterLink. 25 asks no policy, 26 and 27 are in compile.test.ts. */
const SAME: Row[] = [
  ['1 egress: none', [], egress(), false],
  ['2 egress: A+(shop) *→*', [allowShop], egress(), true],
  ['3 egress: A+ in the namespace of the client', [regular('web', spec('allow'))], egress(), false],
  ['4 egress: deny before allow', [allowShop, denyShop(ANY, is({ exp: 'cart-api' }))], egress(), false],
  ['5 egress: privileged tier first', [privileged(spec('allow')), denyShop(ANY)], egress(), true],
  [
    '6 egress: privileged deny first',
    [privileged(spec('allow'), 'a'), privileged(spec('deny', ANY, is({ peer: 'west' })), 'b')],
    egress(),
    false,
  ],
  ['7 egress: sa=front', [regular('shop', spec('allow', is({ sa: 'front' })))], egress(), true],
  ['8 egress: sa=back', [regular('shop', spec('allow', is({ sa: 'back' })))], egress(), false],
  ['9 egress: app NotIn [ui]', [allowShop, denyShop(has('app', 'NotIn', 'ui'))], egress(), true],
  ['10 egress: an absent key satisfies NotIn', [allowShop, denyShop(has('team', 'NotIn', 'x'))], egress(), false],
  ['11 egress: DoesNotExist', [allowShop, denyShop(has('team', 'DoesNotExist'))], egress(), false],
  [
    '12 egress: Exists, In',
    [regular('shop', spec('allow', has('app', 'Exists'), has('exp', 'In', 'cart-api', 'other')))],
    egress(),
    true,
  ],
  [
    '13 egress: items are ORed',
    [regular('shop', spec('allow', [is({ sa: 'back' }), is({ app: 'ui' })]))],
    egress(),
    true,
  ],
  [
    '14 egress: requirements are ANDed',
    [regular('shop', spec('allow', is({ sa: 'front', app: 'api' })))],
    egress(),
    false,
  ],
  ['15 egress: client unknown, *→*', [allowShop], egress(workloadAttributes(EAST)), true],
  ['17 egress: label of the peer', [regular('shop', spec('allow', ANY, is({ region: 'eu' })))], egress(), true],
  ['19 ingress: nothing asserted, *→*', [allowProd], ingress(workloadAttributes(EAST)), true],
  [
    '21 ingress: a peer that is denied',
    [allowProd, regular('prod', spec('deny', is({ peer: 'east' })), 'deny')],
    ingress(),
    false,
  ],
  ['23 ingress: A+ in the namespace of the import', [allowShop], ingress(), false],
  ['24 egress: the label of the import', [regular('shop', spec('allow', ANY, is({ tier: 'gold' })))], egress(), true],
  [
    '24 ingress: an export without the label',
    [regular('prod', spec('allow', ANY, is({ tier: 'gold' })))],
    ingress(clientAttributes(CLIENT), UNTIERED),
    false,
  ],
];

/** Rows that differ from ClusterLink, on purpose. */
const DIFFERENT: Row[] = [
  [
    '16 egress: a policy of an unrelated namespace looks at the client (there: an error) ',
    [allowShop, regular('dev', spec('allow', is({ sa: 'x' })))],
    egress(workloadAttributes(EAST)),
    true,
  ],
  [
    '18 egress: the peer is away (there: its labels are gone); labels are those of the local Peer object',
    [allowShop, denyShop(ANY, is({ region: 'eu' }))],
    egress(),
    false,
  ],
  [
    '20 ingress: nothing asserted, a deny of another peer (there: 403); the peer is known by its certificate',
    [allowProd, privileged(spec('deny', is({ peer: 'north' })))],
    ingress(workloadAttributes(EAST)),
    true,
  ],
  [
    '22 ingress: a denied peer calls itself north (there: allowed); the name is that of the certificate',
    [allowProd, regular('prod', spec('deny', is({ peer: 'east' })), 'deny')],
    ingress(clientAttributes({ ...EAST, labels: { 'peer.clusterlink.net/name': 'north' } })),
    false,
  ],
  [
    '28 a valid allow is changed into an invalid one (there: the old one keeps deciding)',
    [regular('shop', { ...spec('allow'), from: [] })],
    egress(),
    false,
  ],
];

describe('decide', () => {
  for (const [row, policies, question, allowed] of SAME) {
    it(`clusterlink.md §4.6 ${row} → ${allowed ? 'allow' : 'deny'}`, () => {
      assert.equal(decide(compileAll(policies), question).allowed, allowed);
    });
  }
  for (const [row, policies, question, allowed] of DIFFERENT) {
    it(`unlike clusterlink.md §4.6 ${row} → ${allowed ? 'allow' : 'deny'}`, () => {
      assert.equal(decide(compileAll(policies), question).allowed, allowed);
    });
  }

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
