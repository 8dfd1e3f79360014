import assert from 'node:assert/strict';
import fc from 'fast-check';
import { WIRE_REASONS } from '#src/api/reasons.ts';
import {
  type ConnectAnswer,
  type ConnectRequest,
  encodeAnswer,
  encodeConnect,
  encodeExchange,
  findConnectionId,
  parseAnswer,
  parseStreamRequest,
  type StreamRequest,
} from '#src/gateway/wire/connect.ts';
import { makeRequestHeadParser, makeResponseHeadParser, type RequestHead } from '#src/gateway/wire/head.ts';
import { SOURCE_BYTES_MAX, SOURCE_KEYS_MAX } from '#src/gateway/wire/limits.ts';

const CONNECTION = '0123456789abcdef0123456789abcdef';
const REQUEST: ConnectRequest = {
  exporter: 'east',
  export: { namespace: 'shop', name: 'db' },
  port: { port: 5432, protocol: 'TCP' },
  source: { 'client.clusterlink.net/namespace': 'default' },
  client: 'a1b2',
  connection: CONNECTION,
  via: ['west'],
  crit: [],
};

function toHead(bytes: Buffer): RequestHead {
  const result = makeRequestHeadParser().push(bytes);
  assert.ok(result);
  return result.head;
}

function parseRequest(bytes: Buffer): StreamRequest {
  return parseStreamRequest(toHead(bytes));
}

function toSource(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?$/);
const request: fc.Arbitrary<ConnectRequest> = fc.record(
  {
    exporter: label,
    export: fc
      .tuple(
        label,
        fc.array(label, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('.')),
      )
      .map(([namespace, name]) => ({ namespace, name })),
    port: fc.integer({ min: 1, max: 65535 }).map((port) => ({ port, protocol: 'TCP' as const })),
    endpoint: label,
    source: fc.option(
      fc
        .array(
          fc.tuple(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,20}$/), fc.stringMatching(/^\P{Cc}{0,20}$/u)),
          { maxLength: 10 },
        )
        .map((entries) => Object.fromEntries(entries)),
    ),
    client: fc.stringMatching(/^[\x21-\x7e]{1,64}$/),
    connection: fc.stringMatching(/^[0-9a-f]{32}$/),
    via: fc.array(label, { maxLength: 5 }),
    probe: fc.constantFrom('decide' as const, 'dial' as const),
    crit: fc.uniqueArray(fc.constantFrom('mcs-probe', 'mcs-endpoint', 'mcs-via', 'mcs-source'), { maxLength: 4 }),
  },
  {
    noNullPrototype: true,
    requiredKeys: ['exporter', 'export', 'port', 'source', 'client', 'connection', 'via', 'crit'],
  },
);

describe('parseStreamRequest', () => {
  it('any request that can be written → the same request', () => {
    fc.assert(
      fc.property(request, (request) => {
        assert.deepEqual(parseRequest(encodeConnect(request)), { kind: 'connect', request });
      }),
    );
  });

  it('GET /exchange → exchange', () => {
    assert.deepEqual(parseRequest(encodeExchange('east')), { kind: 'exchange', exporter: 'east' });
  });

  it('an unknown field → ignored', () => {
    const { method, target, fields } = toHead(encodeConnect(REQUEST));
    const head = { method, target, fields: new Map([...fields, ['mcs-future', 'x']]) };
    assert.deepEqual(parseStreamRequest(head), { kind: 'connect', request: REQUEST });
  });

  const manyKeys = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, '']));
  const ofBytes = (bytes: number): unknown => ({ k: 'x'.repeat(bytes - '{"k":""}'.length) });

  const bad: { name: string; field: string; value: string | undefined }[] = [
    { name: 'another host', field: 'host', value: 'west:443' },
    { name: 'no host', field: 'host', value: undefined },
    { name: 'no export', field: 'mcs-export', value: undefined },
    { name: 'an export without namespace', field: 'mcs-export', value: 'db' },
    { name: 'an export with a path', field: 'mcs-export', value: 'shop/../db' },
    { name: 'an export in upper case', field: 'mcs-export', value: 'Shop/db' },
    { name: 'no port', field: 'mcs-port', value: undefined },
    { name: 'port 0', field: 'mcs-port', value: '0/TCP' },
    { name: 'port 65536', field: 'mcs-port', value: '65536/TCP' },
    { name: 'port 080', field: 'mcs-port', value: '080/TCP' },
    { name: 'UDP', field: 'mcs-port', value: '53/UDP' },
    { name: 'an endpoint that is not a label', field: 'mcs-endpoint', value: '10.0.0.1' },
    { name: 'no source', field: 'mcs-source', value: undefined },
    { name: 'a source with padding', field: 'mcs-source', value: `${Buffer.from('{"a":""}').toString('base64')}` },
    { name: 'a source with stray bits', field: 'mcs-source', value: 'bnVsbB' },
    { name: 'a source that is not JSON', field: 'mcs-source', value: Buffer.from('{').toString('base64url') },
    {
      name: 'a source that is not UTF-8',
      field: 'mcs-source',
      value: Buffer.from([0x22, 0xff, 0x22]).toString('base64url'),
    },
    { name: 'a source that is a list', field: 'mcs-source', value: toSource([]) },
    { name: 'a source with a number', field: 'mcs-source', value: toSource({ a: 1 }) },
    { name: 'a source with a line', field: 'mcs-source', value: toSource({ a: 'b\nc' }) },
    {
      name: 'a source with an odd key',
      field: 'mcs-source',
      value: Buffer.from('{"__proto__":"x"}').toString('base64url'),
    },
    { name: 'a source of 65 keys', field: 'mcs-source', value: toSource(manyKeys(SOURCE_KEYS_MAX + 1)) },
    { name: 'a source of 4097 bytes', field: 'mcs-source', value: toSource(ofBytes(SOURCE_BYTES_MAX + 1)) },
    { name: 'no client', field: 'mcs-client', value: undefined },
    { name: 'an empty client', field: 'mcs-client', value: '' },
    { name: 'a client of 65 characters', field: 'mcs-client', value: 'x'.repeat(65) },
    { name: 'a client of two words', field: 'mcs-client', value: 'a b' },
    { name: 'no connection', field: 'mcs-connection', value: undefined },
    { name: 'a short connection', field: 'mcs-connection', value: CONNECTION.slice(1) },
    { name: 'a connection in upper case', field: 'mcs-connection', value: CONNECTION.toUpperCase() },
    { name: 'an empty via', field: 'mcs-via', value: '' },
    { name: 'a via that is not labels', field: 'mcs-via', value: 'a, B' },
    { name: 'a via of 6', field: 'mcs-via', value: 'a,b,c,d,e,f' },
    { name: 'an unknown probe', field: 'mcs-probe', value: 'DIAL' },
    { name: 'an unknown critical field', field: 'mcs-crit', value: 'mcs-via, mcs-future' },
    { name: 'an empty crit', field: 'mcs-crit', value: '' },
  ];
  for (const { name, field, value } of bad) {
    it(`${name} → ERR_MALFORMED`, () => {
      const { method, target, fields } = toHead(encodeConnect(REQUEST));
      const changed = new Map(fields);
      changed.delete(field);
      if (value !== undefined) changed.set(field, value);
      assert.throws(() => parseStreamRequest({ method, target, fields: changed }), { code: 'ERR_MALFORMED' });
    });
  }

  it('64 keys, 4096 bytes and a critical field in another case → accepted', () => {
    const { method, target, fields } = toHead(encodeConnect(REQUEST));
    for (const source of [manyKeys(SOURCE_KEYS_MAX), ofBytes(SOURCE_BYTES_MAX)]) {
      const changed = new Map([...fields, ['mcs-source', toSource(source)], ['mcs-crit', 'MCS-Via']] as [
        string,
        string,
      ][]);
      const parsed = parseStreamRequest({ method, target, fields: changed });
      assert.deepEqual(parsed, { kind: 'connect', request: { ...REQUEST, source, crit: ['mcs-via'] } });
    }
  });

  const others: RequestHead[] = [
    { method: 'GET', target: '/', fields: new Map([['host', 'east:443']]) },
    { method: 'POST', target: '/exchange', fields: new Map([['host', 'east:443']]) },
    { method: 'GET', target: '/exchange', fields: new Map([['host', 'east']]) },
    { method: 'GET', target: '/exchange', fields: new Map() },
    { method: 'GET', target: '/exchange', fields: new Map([['host', 'east:443'], ['mcs-crit', 'x']]) }, // prettier-ignore
    { method: 'CONNECT', target: 'east:444', fields: new Map([['host', 'east:444']]) },
    { method: 'CONNECT', target: 'EAST:443', fields: new Map([['host', 'EAST:443']]) },
  ];
  for (const head of others) {
    it(`${head.method} ${head.target} with ${JSON.stringify([...head.fields])} → ERR_MALFORMED`, () => {
      assert.throws(() => parseStreamRequest(head), { code: 'ERR_MALFORMED' });
    });
  }
});

describe('encodeConnect', () => {
  const bad: [string, Partial<ConnectRequest>][] = [
    ['an exporter that is not a label', { exporter: 'east\r\nx: y' }],
    ['a client with a line', { client: 'a\r\nb: c' }],
    ['a via that would split', { via: ['a,b,c', 'd'], crit: ['mcs-future'] }],
    ['a port out of range', { port: { port: 0, protocol: 'TCP' } }],
  ];
  for (const [name, change] of bad) {
    it(`${name} → ERR_MALFORMED`, () => {
      assert.throws(() => encodeConnect({ ...REQUEST, ...change }), { code: 'ERR_MALFORMED' });
    });
  }
});

describe('findConnectionId', () => {
  it('a request that is malformed elsewhere → its id; a bad id → undefined', () => {
    const head = (id: string): RequestHead => ({ method: 'X', target: 'x', fields: new Map([['mcs-connection', id]]) });
    assert.equal(findConnectionId(head(CONNECTION)), CONNECTION);
    assert.equal(findConnectionId(head('x')), undefined);
  });
});

describe('parseAnswer', () => {
  const answers: ConnectAnswer[] = [
    { ok: true, connection: CONNECTION },
    { ok: true },
    { ok: false, status: 400, reason: 'malformed' },
    { ok: false, status: 403, reason: 'denied', connection: CONNECTION },
    { ok: false, status: 404, reason: 'denied', connection: CONNECTION },
    { ok: false, status: 503, reason: 'unavailable', connection: CONNECTION },
    { ok: false, status: 503, reason: 'overloaded', connection: CONNECTION },
    { ok: false, status: 503, reason: 'drained', connection: CONNECTION },
    { ok: false, status: 508, reason: 'loop', connection: CONNECTION },
  ];
  for (const answer of answers) {
    it(`${JSON.stringify(answer)} → the same`, () => {
      const result = makeResponseHeadParser().push(encodeAnswer(answer));
      assert.ok(result);
      assert.deepEqual(parseAnswer(result.head), answer);
    });
  }

  it('every wire reason has a status', () => {
    const reasons = answers.flatMap((answer) => (answer.ok ? [] : [answer.reason]));
    assert.deepEqual(new Set(reasons), new Set(WIRE_REASONS));
  });

  const bad: [string, number, [string, string][]][] = [
    ['an interim answer', 100, []],
    ['another success', 204, []],
    ['a redirect', 302, [['mcs-reason', 'denied']]],
    ['a refusal without a reason', 403, []],
    ['a refusal with a fine reason', 403, [['mcs-reason', 'INGRESS_DENIED']]],
    ['a reason of another status', 403, [['mcs-reason', 'loop']]],
    ['a bad connection', 200, [['mcs-connection', 'x']]],
  ];
  for (const [name, status, fields] of bad) {
    it(`${name} → ERR_MALFORMED`, () => {
      assert.throws(() => parseAnswer({ status, reason: '', fields: new Map(fields) }), { code: 'ERR_MALFORMED' });
    });
  }
});

describe('encodeAnswer', () => {
  it('a reason that does not go with the status → ERR_MALFORMED', () => {
    assert.throws(() => encodeAnswer({ ok: false, status: 403, reason: 'loop' }), { code: 'ERR_MALFORMED' });
  });
});
