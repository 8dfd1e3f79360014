import assert from 'node:assert/strict';
import {
  decideClientAddresses,
  parseClientAddresses,
  parseClientAnswer,
  type ClientAddresses,
  type ClientAnswer,
} from '#src/cli/run/cluster/client-addresses.ts';
import { toTargets } from '#src/cli/run/cluster/follow-client-addresses.ts';

const OWN = { name: 'gateway-1', ips: ['10.1.0.5', 'FD00:0::5'] };
const NODE = '172.18.0.2';

describe('decideClientAddresses', () => {
  const self = (client: string): ClientAnswer => ({ pod: OWN.name, client });
  const other = (client: string): ClientAnswer => ({ pod: 'dns-1', client });
  const cases: readonly (readonly [what: string, answers: readonly ClientAnswer[], found: ClientAddresses])[] = [
    ['nobody answered', [], { verdict: 'unknown' }],
    ['another pod saw our address', [other('10.1.0.5')], { verdict: 'visible' }],
    [
      'another pod saw our address of the second family, as others write it',
      [other('fd00::5')],
      { verdict: 'visible' },
    ],
    ['another pod saw a node', [other(NODE)], { verdict: 'hidden', seen: NODE }],
    ['only we answered, masqueraded as every hairpin is', [self(NODE), self(NODE)], { verdict: 'unknown' }],
    ['we answered masqueraded, another pod saw us', [self(NODE), other('10.1.0.5')], { verdict: 'visible' }],
    ['only we answered, and saw ourselves', [self('10.1.0.5')], { verdict: 'unknown' }],
    ['some ways are hidden', [other('10.1.0.5'), other(NODE)], { verdict: 'hidden', seen: NODE }],
  ];
  for (const [what, answers, found] of cases) {
    it(`${what} → ${found.verdict}`, () => assert.deepEqual(decideClientAddresses(answers, OWN), found));
  }
});

describe('parseClientAnswer', () => {
  it('what a pod of ours says, with the address of a socket for both families → name and canonical address', () => {
    const text = '{"pod":"dns-1","client":"::ffff:10.1.0.5","clients":{"verdict":"visible"}}\n';
    assert.deepEqual(parseClientAnswer(text), { pod: 'dns-1', client: '10.1.0.5' });
  });

  for (const text of [
    '',
    'hello',
    'null',
    '7',
    '[]',
    '{}',
    '{"pod":"dns-1"}',
    '{"client":"10.1.0.5"}',
    '{"pod":"","client":"10.1.0.5"}',
    '{"pod":"a b","client":"10.1.0.5"}',
    '{"pod":["dns-1"],"client":"10.1.0.5"}',
    '{"pod":"dns-1","client":"a-host"}',
    '{"pod":"dns-1","client":10}',
  ]) {
    it(`${JSON.stringify(text)} → nothing`, () => assert.equal(parseClientAnswer(text), undefined));
  }
});

describe('parseClientAddresses', () => {
  for (const clients of [{ verdict: 'visible' }, { verdict: 'unknown' }, { verdict: 'hidden', seen: NODE }]) {
    it(`${clients.verdict} → itself`, () => {
      assert.deepEqual(parseClientAddresses({ pod: 'gateway-1', client: '10.0.0.1', clients }), clients);
    });
  }

  for (const answer of [
    undefined,
    null,
    'visible',
    {},
    { clients: null },
    { clients: 'visible' },
    { clients: { verdict: 'fine' } },
    { clients: { verdict: 'hidden' } },
    { clients: { verdict: 'hidden', seen: '\u001b[2J' } },
  ]) {
    it(`${JSON.stringify(answer)} → nothing`, () => assert.equal(parseClientAddresses(answer), undefined));
  }
});

describe('toTargets', () => {
  const ports = [{ name: 'http', port: 9090 }];
  const service = (spec: object): never => ({ apiVersion: 'v1', kind: 'Service', spec }) as never;
  for (const [what, given, targets] of [
    ['no Service', undefined, []],
    ['one without an address', service({ ports }), []],
    ['a headless one', service({ clusterIP: 'None', clusterIPs: ['None'], ports }), []],
    ['one without our port', service({ clusterIP: '10.96.0.9', ports: [{ name: 'dns', port: 53 }] }), []],
    ['one address', service({ clusterIP: '10.96.0.9', ports }), [{ host: '10.96.0.9', port: 9090 }]],
    [
      'both families',
      service({ clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9', 'fd01::9'], ports }),
      [
        { host: '10.96.0.9', port: 9090 },
        { host: 'fd01::9', port: 9090 },
      ],
    ],
  ] as const) {
    it(`${what} → ${targets.length} targets`, () => assert.deepEqual(toTargets(given), targets));
  }
});
