import assert from 'node:assert/strict';
import fc from 'fast-check';
import { TCP_QUERY_BYTES_MAX, UDP_QUERY_BYTES_MAX } from '#src/dns/limits.ts';
import { parseMessage, type ParsedMessage, type Query } from '#src/dns/message.ts';
import { formatName } from '#src/dns/name.ts';
import { RCODE } from '#src/dns/records.ts';
import { A_IN, ID, makeMessage, makeName, makeQuery, OPT } from '#test/support/dns-wire.ts';

const WEB = makeName('web', 'shop', 'svc', 'clusterset', 'local');

/** `drop <reason>`, `reject <code>` or `query <name>`. */
function summarize(parsed: ParsedMessage): string {
  switch (parsed.kind) {
    case 'drop':
      return `drop ${parsed.reason}`;
    case 'reject':
      return `reject ${parsed.rcode}`;
    case 'query':
      return `query ${formatName(parsed.query.key)}`;
  }
}

function parseOk(message: Buffer): Query {
  const parsed = parseMessage(message, 'udp');
  assert.ok(parsed.kind === 'query');
  return parsed.query;
}

function withFlags(message: Buffer, flags: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(flags, 2);
  return copy;
}

/** A query of exactly so many octets: the rest is an EDNS option (padding, RFC 7830). */
function makeLongQuery(bytes: number): Buffer {
  const padding = bytes - 12 - WEB.length - 4 - 11 - 4;
  const opt = Buffer.concat([
    Buffer.from(OPT),
    Buffer.from([0, 12, padding >> 8, padding & 255]),
    Buffer.alloc(padding),
  ]);
  opt.writeUInt16BE(4 + padding, 9);
  return makeMessage([1, 0, 0, 1], WEB, A_IN, opt);
}

describe('parseMessage', () => {
  const GOOD = makeMessage([1, 0, 0, 0], WEB, A_IN);
  const NAME = 'web.shop.svc.clusterset.local';
  const cases = [
    { title: 'a plain query', message: GOOD, want: `query ${NAME}` },
    { title: 'with OPT', message: makeMessage([1, 0, 0, 1], WEB, A_IN, OPT), want: `query ${NAME}` },
    { title: 'octets after the end', message: makeMessage([1, 0, 0, 0], WEB, A_IN, [1, 2, 3]), want: `query ${NAME}` },
    { title: 'the root', message: makeMessage([1, 0, 0, 0], [0], A_IN), want: 'query ' },
    {
      title: 'a dot in a label',
      message: makeMessage([1, 0, 0, 0], makeName('we.b', 'x'), A_IN),
      want: 'query we\\046b.x',
    },
    {
      title: 'a zero, a space, a backslash',
      message: makeMessage([1, 0, 0, 0], makeName('\0 \\'), A_IN),
      want: 'query \\000\\032\\092',
    },
    { title: 'no octets', message: Buffer.alloc(0), want: 'drop too-short' },
    { title: '11 octets', message: GOOD.subarray(0, 11), want: 'drop too-short' },
    { title: 'QR set', message: withFlags(GOOD, 0x8000), want: 'drop not-a-query' },
    { title: 'a header alone', message: GOOD.subarray(0, 12), want: 'reject 1' },
    { title: 'no name', message: makeMessage([1, 0, 0, 0]), want: 'reject 1' },
    { title: 'a name cut off', message: GOOD.subarray(0, 20), want: 'reject 1' },
    { title: 'no type', message: makeMessage([1, 0, 0, 0], WEB), want: 'reject 1' },
    { title: 'half a class', message: makeMessage([1, 0, 0, 0], WEB, A_IN.slice(0, 3)), want: 'reject 1' },
    { title: 'QDCOUNT 0', message: makeMessage([0, 0, 0, 0]), want: 'reject 1' },
    { title: 'QDCOUNT 2', message: makeMessage([2, 0, 0, 0], WEB, A_IN, WEB, A_IN), want: 'reject 1' },
    { title: 'ANCOUNT 1', message: makeMessage([1, 1, 0, 0], WEB, A_IN), want: 'reject 1' },
    { title: 'NSCOUNT 1', message: makeMessage([1, 0, 1, 0], WEB, A_IN), want: 'reject 1' },
    { title: 'NSCOUNT 1 of IXFR', message: makeMessage([1, 0, 1, 0], WEB, [0, 251, 0, 1]), want: 'reject 5' },
    { title: 'ARCOUNT 3', message: makeMessage([1, 0, 0, 3], WEB, A_IN, OPT, OPT, OPT), want: 'reject 1' },
    { title: 'ARCOUNT 1 without one', message: makeMessage([1, 0, 0, 1], WEB, A_IN), want: 'reject 1' },
    { title: 'two OPT', message: makeMessage([1, 0, 0, 2], WEB, A_IN, OPT, OPT), want: 'reject 1' },
    { title: 'OPT with a name', message: makeMessage([1, 0, 0, 1], WEB, A_IN, [1, 97], OPT), want: 'reject 1' },
    { title: 'OPT cut off', message: makeMessage([1, 0, 0, 1], WEB, A_IN, OPT.slice(0, 8)), want: 'reject 1' },
    {
      title: 'an option cut off',
      message: makeMessage([1, 0, 0, 1], WEB, A_IN, OPT.slice(0, 10), [3, 0, 8, 0]),
      want: 'reject 1',
    },
    { title: 'a pointer to itself', message: makeMessage([1, 0, 0, 0], [0xc0, 12], A_IN), want: 'reject 1' },
    { title: 'a label, then a pointer', message: makeMessage([1, 0, 0, 0], [1, 97, 0xc0, 12], A_IN), want: 'reject 1' },
    { title: 'a reserved label type', message: makeMessage([1, 0, 0, 0], [0x40, 97, 0], A_IN), want: 'reject 1' },
    {
      title: 'NOTIFY with a record',
      message: withFlags(makeMessage([1, 1, 0, 0], WEB, A_IN), 4 << 11),
      want: 'reject 4',
    },
    { title: 'UPDATE', message: withFlags(GOOD, 5 << 11), want: 'reject 4' },
  ];
  for (const { title, message, want } of cases) {
    it(`${title} → ${want}`, () => assert.equal(summarize(parseMessage(message, 'udp')), want));
  }

  it('255 octets of name → read; 256 → FORMERR', () => {
    const labels = [63, 63, 63].map((length) => 'x'.repeat(length));
    const longest = makeName(...labels, 'x'.repeat(61));
    assert.equal(longest.length, 255);
    assert.equal(parseOk(makeMessage([1, 0, 0, 0], longest, A_IN)).key.length, 255);
    assert.equal(
      summarize(parseMessage(makeMessage([1, 0, 0, 0], makeName(...labels, 'x'.repeat(62)), A_IN), 'udp')),
      'reject 1',
    );
  });

  for (const [transport, bound] of [
    ['udp', UDP_QUERY_BYTES_MAX],
    ['tcp', TCP_QUERY_BYTES_MAX],
  ] as const) {
    it(`${transport}: ${bound} octets → read; one more → FORMERR`, () => {
      assert.equal(makeLongQuery(bound).length, bound);
      assert.equal(summarize(parseMessage(makeLongQuery(bound), transport)), `query ${NAME}`);
      assert.equal(summarize(parseMessage(makeLongQuery(bound + 1), transport)), 'reject 1');
    });
  }

  it('id, RD, question and EDNS → as they came', () => {
    const query = parseOk(makeQuery('Web.Shop', { type: 'SRV', udpBytes: 4096, isDnssecOk: true }));
    const { id, opcode, isRecursionDesired, type, edns, questionBytes } = query;
    assert.deepEqual(
      { id, opcode, isRecursionDesired, type },
      { id: ID, opcode: 0, isRecursionDesired: true, type: 33 },
    );
    assert.deepEqual(edns, { version: 0, udpBytes: 4096, isDnssecOk: true });
    assert.deepEqual(questionBytes, Buffer.concat([makeName('Web', 'Shop'), Buffer.from([0, 33, 0, 1])]));
  });

  it('a TSIG record beside OPT → read over', () => {
    const tsig = Buffer.concat([makeName('key'), Buffer.from([0, 250, 0, 255, 0, 0, 0, 0, 0, 2, 9, 9])]);
    assert.equal(parseOk(makeMessage([1, 0, 0, 2], WEB, A_IN, OPT, tsig)).edns?.udpBytes, 1232);
  });

  it('any octets → a result, never a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom('udp', 'tcp'), (octets, transport) => {
        const parsed = parseMessage(Buffer.from(octets), transport);
        if (parsed.kind !== 'query') return;
        assert.match(formatName(parsed.query.key), /^[0-9a-z_.\\-]*$/);
        assert.equal(Buffer.from(octets).indexOf(parsed.query.questionBytes), 12);
      }),
    );
  });

  it('pointer chains of the largest message → below 5 ms', () => {
    // Each pointer leads to the one before it; both records begin at the far end of the chain.
    const head = makeMessage([1, 0, 0, 2], [0], A_IN);
    const filler = TCP_QUERY_BYTES_MAX - head.length - 24;
    const chain = Buffer.alloc(filler - (filler % 2));
    const chainStart = head.length + 12;
    for (let offset = 2; offset < chain.length; offset += 2)
      chain.writeUInt16BE(0xc000 | (chainStart + offset - 2), offset);
    const far = 0xc000 | (chainStart + chain.length - 2);
    const record = (rest: Buffer, type: number): Buffer => {
      const fixed = Buffer.from([far >> 8, far & 255, 0, type, 0, 1, 0, 0, 0, 0, rest.length >> 8, rest.length & 255]);
      return Buffer.concat([fixed, rest]);
    };
    const message = Buffer.concat([head, record(chain, 16), record(Buffer.alloc(0), 2)]);
    assert.ok(message.length <= TCP_QUERY_BYTES_MAX && message.length > TCP_QUERY_BYTES_MAX - 4);
    const runsMs = Array.from({ length: 9 }, () => {
      const startMs = performance.now();
      assert.equal(summarize(parseMessage(message, 'tcp')), `reject ${RCODE.FORMERR}`);
      return performance.now() - startMs;
    }).sort((a, b) => a - b);
    // The median: the machine may have other work in between.
    assert.ok((runsMs[4] ?? Infinity) < 5, `${runsMs[4]} ms`);
  });
});
