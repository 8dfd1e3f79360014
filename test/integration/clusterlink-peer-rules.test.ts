/** What the emulated ClusterLink peer decides by, as tables: policy (§4), balancing (§5), heartbeats (§3.3), tokens (§3.5). */
import assert from 'node:assert/strict';
import { parseAccessRequest } from '#test/support/clusterlink/control.ts';
import { DECISION_ROWS, makePolicy } from '#test/support/clusterlink/decision-rows.ts';
import { makeThreshold, parseLabels } from '#test/support/clusterlink/heartbeat.ts';
import { makePolicyTable } from '#test/support/clusterlink/policy.ts';
import { makeBalancer } from '#test/support/clusterlink/schemes.ts';
import { makeTokenKey, mintToken, readToken, signClaims } from '#test/support/clusterlink/token.ts';
import type { PolicyObject, Scheme } from '#test/support/clusterlink/types.ts';

describe('makePolicyTable', () => {
  for (const { row, why, policies, question, allowed } of DECISION_ROWS) {
    it(`§4.6 (${row}) ${why} → ${allowed ? 'allow' : 'deny'}`, () => {
      const table = makePolicyTable();
      assert.deepEqual(table.set(policies), []);
      const { from } = question;
      const decided = from !== undefined || !table.dependsOnClients();
      assert.equal(decided && table.allows({ ...question, from: from ?? {} }), allowed);
    });
  }

  const item = { workloadSelector: {} };
  const invalid: readonly { readonly name: string; readonly spec: PolicyObject['spec'] }[] = [
    { name: 'from is empty', spec: { action: 'allow', from: [], to: [item] } },
    { name: 'a named set', spec: { action: 'allow', from: [{ workloadSets: ['a'] }], to: [item] } },
    { name: 'Allow with a capital', spec: { action: 'Allow', from: [item], to: [item] } },
    {
      name: 'both fields in one item',
      spec: { action: 'allow', from: [{ ...item, workloadSets: ['a'] }], to: [item] },
    },
    { name: 'neither field in an item', spec: { action: 'allow', from: [item], to: [{}] } },
    ...[
      { key: 'client.clusterlink.net/labels.app.kubernetes.io/name', operator: 'Exists' },
      { key: 'a', operator: 'In' },
      { key: 'a', operator: 'Exists', values: ['x'] },
      { key: 'a', operator: 'Gt', values: ['1'] },
      { key: '-a', operator: 'Exists' },
      { key: 'a', operator: 'In', values: ['x y'] },
    ].map((requirement) => ({
      name: JSON.stringify(requirement),
      spec: {
        action: 'allow',
        from: [{ workloadSelector: { matchExpressions: [requirement] } }],
        to: [item],
      } satisfies PolicyObject['spec'],
    })),
  ];
  const question = { namespace: 'shop', from: {}, to: {} };
  for (const { name, spec } of invalid) {
    it(`§4.6 (26, 27) ${name} → refused, matches nothing`, () => {
      const table = makePolicyTable();
      assert.deepEqual(table.set([{ ...makePolicy('allow', 'shop', { name: 'p' }), spec }]), ['shop/p']);
      assert.equal(table.allows(question), false);
      assert.equal(table.dependsOnClients(), false);
    });
  }

  it('§4.6 (28) a valid policy becomes invalid → the old one decides; deleted → it is gone', () => {
    const table = makePolicyTable();
    const valid = makePolicy('allow', 'shop', { name: 'p' });
    table.set([valid]);
    table.set([{ ...valid, spec: { ...valid.spec, action: 'Allow' } }]);
    assert.equal(table.allows(question), true);
    table.set([]);
    assert.equal(table.allows(question), false);
  });

  it('§4.2 a policy of the same name with the other action → replaces the first', () => {
    const table = makePolicyTable();
    table.set([makePolicy('deny', 'shop', { name: 'p' }), makePolicy('allow', 'shop', { name: 'p' })]);
    assert.equal(table.allows(question), true);
  });
});

describe('makeBalancer', () => {
  /** Which source each connection ends at, when these fail and those are not reachable. */
  function walk(
    scheme: Scheme,
    connections: number,
    {
      failing = [],
      unreachable = [],
    }: { readonly failing?: readonly number[]; readonly unreachable?: readonly number[] },
  ): (number | undefined)[] {
    const balancer = makeBalancer(() => 0.5);
    return Array.from({ length: connections }, () => {
      const order = balancer.start({ scheme, count: 3 });
      for (let index = order.select(); index !== undefined; index = order.select()) {
        if (unreachable.includes(index) && !order.lastResort()) order.delay();
        else if (!failing.includes(index)) return index;
      }
      return undefined;
    });
  }

  const rows: readonly [string, Scheme, Parameters<typeof walk>[2], (number | undefined)[]][] = [
    ['all up', 'round-robin', {}, [1, 2, 0, 1, 2, 0]],
    ['all up', 'static', {}, [0, 0, 0]],
    ['all up, start in the middle', 'random', {}, [1, 1]],
    ['source 1 unreachable', 'round-robin', { unreachable: [1] }, [2, 0, 2, 0, 2, 0]],
    ['source 0 unreachable', 'static', { unreachable: [0] }, [1, 1, 1]],
    ['source 0 fails', 'round-robin', { failing: [0] }, [1, 2, 1, 2, 1, 2]],
    ['sources 0 and 1 fail', 'round-robin', { failing: [0, 1] }, [2, 2, 2, 2]],
    ['source 1 fails', 'random', { failing: [1] }, [2, 2]],
    ['all unreachable: in the order met', 'static', { unreachable: [0, 1, 2] }, [0, 0]],
    ['all unreachable, the first of them fails', 'static', { unreachable: [0, 1, 2], failing: [0] }, [1, 1]],
    ['all fail', 'round-robin', { failing: [0, 1, 2] }, [undefined, undefined]],
  ];
  for (const [name, scheme, state, expected] of rows) {
    it(`§5 ${scheme}, ${name} → ${expected.join(', ')}`, () => {
      assert.deepEqual(walk(scheme, expected.length, state), expected);
    });
  }

  it('§5 no sources → nothing to try', () => {
    assert.equal(makeBalancer(Math.random).start({ scheme: 'round-robin', count: 0 }).select(), undefined);
  });
});

describe('makeThreshold', () => {
  const rows: readonly [results: string, states: string][] = [
    ['+', '+'],
    ['-+++', '---+'],
    ['-++-+++', '------+'],
    ['+----+----', '++++++++++'],
    ['+-----', '+++++-'],
    ['+-----+++', '+++++---+'],
  ];
  for (const [results, states] of rows) {
    it(`§3.3 ${results} → ${states}`, () => {
      const follow = makeThreshold();
      assert.equal([...results].map((result) => (follow(result === '+') ? '+' : '-')).join(''), states);
    });
  }
});

describe('parseLabels', () => {
  const rows: readonly [text: string, labels: Record<string, string> | undefined][] = [
    ['eyJhIjoiYiJ9', { a: 'b' }],
    ['bnVsbA==', {}],
    ['e30=', {}],
    ['', undefined],
    ['bnVsbA', undefined],
    ['not base64!', undefined],
    [Buffer.from('{"a":1}').toString('base64'), undefined],
    [Buffer.from('["a"]').toString('base64'), undefined],
    [Buffer.from('{"a"').toString('base64'), undefined],
  ];
  for (const [text, labels] of rows) {
    it(`§3.2, §3.3 ${JSON.stringify(text)} → ${labels === undefined ? 'a failed probe' : JSON.stringify(labels)}`, () => {
      assert.deepEqual(parseLabels(text), labels);
    });
  }
});

describe('parseAccessRequest', () => {
  const db = { namespace: 'shop', name: 'db', attributes: {} };
  const rows: readonly [text: string, request: ReturnType<typeof parseAccessRequest>][] = [
    ['{"ServiceName":"db","ServiceNamespace":"shop"}', db],
    ['{"SERVICENAME":"db","servicenamespace":"shop","SrcAttributes":null}', db],
    [' {"ServiceName":"db","ServiceNamespace":"shop","x":"}{"} and {', db],
    ['null', { namespace: '', name: '', attributes: {} }],
    ['{"SrcAttributes":{"a":null}}', { namespace: '', name: '', attributes: { a: '' } }],
    ['{"SrcAttributes":{"a":1}}', undefined],
    ['{"SrcAttributes":["a"]}', undefined],
    ['{"ServiceName":1}', undefined],
    ['[]', undefined],
    ['"text"', undefined],
    ['', undefined],
    ['{', undefined],
    ['{"a":}', undefined],
  ];
  for (const [text, request] of rows) {
    it(`§3.4 ${text} → ${request === undefined ? 'malformed' : JSON.stringify(request)}`, () => {
      assert.deepEqual(parseAccessRequest(text), request);
    });
  }
});

describe('readToken', () => {
  const key = makeTokenKey();
  const token = mintToken(key, { namespace: 'shop', name: 'db', nowMs: 1_999 });
  const claims = { exp: 9, export_name: 'db', export_namespace: 'shop' };
  const [header = '', payload = '', signature = ''] = token.split('.');

  it('§3.5 5 s after the whole second of its making → no token any more', () => {
    assert.deepEqual(readToken(key, token, 5_999), { namespace: 'shop', name: 'db' });
    assert.equal(readToken(key, token, 6_000), undefined);
  });

  const forged: readonly [name: string, token: string][] = [
    ['another key', signClaims(makeTokenKey(), claims)],
    [
      'other claims under its signature',
      `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`,
    ],
    ['no signature', `${header}.${payload}.`],
    ['half a signature', `${header}.${payload}.${signature.slice(0, 20)}`],
    ['alg none', `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.${signature}`],
    ['10 KiB', 'x'.repeat(10_240)],
    ['nothing', ''],
  ];
  for (const [name, text] of forged) {
    it(`§3.5 ${name} → refused`, () => assert.equal(readToken(key, text, 0), undefined));
  }
});
