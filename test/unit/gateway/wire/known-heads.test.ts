import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  encodeAnswer,
  encodeConnect,
  parseStreamRequest,
  type ConnectRequest,
  type StreamRequest,
} from '#src/gateway/wire/connect.ts';
import { makeRequestHeadParser, type HeadParser } from '#src/gateway/wire/head.ts';
import { makeAnswerParser, makeStreamRequestParser } from '#src/gateway/wire/known-heads.ts';
import { KNOWN_HEADS_MAX, KNOWN_HEAD_BYTES_MAX } from '#src/gateway/wire/limits.ts';

const [ONE, OTHER] = ['1', '2'].map((digit) => digit.repeat(32)) as [string, string];
const REQUEST: ConnectRequest = {
  exporter: 'east',
  export: { namespace: 'shop', name: 'db' },
  port: { port: 5432, protocol: 'TCP' },
  source: { namespace: 'default' },
  client: ONE,
  connection: ONE,
  via: ['west'],
  crit: [],
};

function read<H>(parser: HeadParser<H>, pieces: readonly Buffer[]): { readonly head: H; readonly rest: string } {
  for (const piece of pieces) {
    const parsed = parser.push(piece);
    if (parsed !== undefined) return { head: parsed.head, rest: parsed.rest.toString() };
  }
  return assert.fail('no whole head');
}

/** As it is read where nothing is known. */
function parseAnew(bytes: Buffer): StreamRequest {
  return parseStreamRequest(read(makeRequestHeadParser(), [bytes]).head);
}

const id = fc.stringMatching(/^[0-9a-f]{32}$/);
/** Here an id may stand for anything that may look like one. */
const label = fc.oneof(fc.constantFrom('db', 'shop', ONE, OTHER), id);
const request: fc.Arbitrary<ConnectRequest> = fc.record({
  exporter: label,
  export: fc.record({ namespace: label, name: label }),
  port: fc.constant(REQUEST.port),
  source: fc.option(fc.record({ namespace: label, serviceAccount: label })),
  client: label,
  connection: fc.oneof(fc.constantFrom(ONE, OTHER), id),
  via: fc.array(label, { maxLength: 2 }),
  crit: fc.constant([]),
});

describe('makeStreamRequestParser', () => {
  it('any requests, one after the other, ids in any places → each is read as if nothing were known', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 20 }), (requests) => {
        for (const bytes of [...requests, ...requests].map(encodeConnect)) {
          assert.deepEqual(read(makeStreamRequestParser(), [bytes]).head, parseAnew(bytes));
        }
      }),
    );
  });

  it('the same request with another id → read with that id, and what follows it stays', () => {
    for (const connection of [ONE, OTHER]) {
      const bytes = Buffer.concat([
        encodeConnect({ ...REQUEST, client: connection, connection }),
        Buffer.from('early'),
      ]);
      const { head, rest } = read(makeStreamRequestParser(), [bytes]);
      assert.deepEqual(head, { kind: 'connect', request: { ...REQUEST, client: connection, connection } });
      assert.equal(rest, 'early');
    }
  });

  it('a client that is told from others → its own key, whatever the connection', () => {
    for (const [client, connection] of [
      ['a', ONE],
      ['a', OTHER],
      ['b', OTHER],
    ] as const) {
      const { head } = read(makeStreamRequestParser(), [encodeConnect({ ...REQUEST, client, connection })]);
      assert.ok(head.kind === 'connect');
      assert.deepEqual([head.request.client, head.request.connection], [client, connection]);
    }
  });

  it('known, and cut anywhere → the same', () => {
    const bytes = encodeConnect(REQUEST);
    const whole = read(makeStreamRequestParser(), [bytes]);
    for (let at = 0; at <= bytes.length; at++) {
      assert.deepEqual(read(makeStreamRequestParser(), [bytes.subarray(0, at), bytes.subarray(at)]), whole);
    }
  });

  it('nearly as one that is known → ERR_MALFORMED', () => {
    const text = encodeConnect(REQUEST).toString();
    read(makeStreamRequestParser(), [Buffer.from(text)]);
    for (const bad of [
      text.replace(`mcs-client: ${ONE}`, 'mcs-client: '),
      text.replace(`mcs-connection: ${ONE}`, `mcs-connection: ${ONE}1`),
      text.replace(`mcs-connection: ${ONE}`, `mcs-connection: ${ONE.toUpperCase().replace('1', 'A')}`),
      text.replace(`mcs-client: ${ONE}`, `mcs-client: \0`),
    ]) {
      assert.throws(() => makeStreamRequestParser().push(Buffer.from(bad)), { code: 'ERR_MALFORMED' });
    }
  });

  it('more than are kept, and one that is too long to be → each is read all the same', () => {
    const names = Array.from({ length: KNOWN_HEADS_MAX + 2 }, (_, index) => `db-${index}`);
    const far = { ...REQUEST, source: { note: 'x'.repeat(KNOWN_HEAD_BYTES_MAX) } };
    const requests = [...names, ...names].map((name) => ({ ...REQUEST, export: { namespace: 'shop', name } }));
    for (const one of [...requests, far, far]) {
      const { head } = read(makeStreamRequestParser(), [encodeConnect(one)]);
      assert.deepEqual(head, { kind: 'connect', request: one });
    }
  });
});

describe('makeAnswerParser', () => {
  it('a yes, a yes to another connection, a no; cut anywhere → the answer, and what follows it stays', () => {
    for (const answer of [
      { ok: true, connection: ONE },
      { ok: true, connection: OTHER },
      { ok: true },
      { ok: false, status: 503, reason: 'drained', connection: ONE },
    ] as const) {
      const bytes = Buffer.concat([encodeAnswer(answer), Buffer.from('!')]);
      for (let at = 0; at < bytes.length - 1; at++) {
        const { head, rest } = read(makeAnswerParser(ONE), [bytes.subarray(0, at), bytes.subarray(at)]);
        assert.deepEqual([head, rest], [answer, '!']);
      }
    }
  });

  it('a yes with something else → ERR_MALFORMED', () => {
    const bytes = Buffer.from(encodeAnswer({ ok: true, connection: ONE }).toString().replace(ONE, `${ONE}1`));
    assert.throws(() => makeAnswerParser(ONE).push(bytes), { code: 'ERR_MALFORMED' });
  });
});
