/** Queries that are almost right, through the whole way from octets to octets. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { TCP_QUERY_BYTES_MAX, UDP_QUERY_BYTES_MAX } from '#src/dns/limits.ts';
import { parseMessage } from '#src/dns/message.ts';
import { respond } from '#src/dns/respond.ts';
import { compileZone } from '#src/dns/zone-book.ts';
import { FIXTURE, ZONE } from '#test/support/dns-fixture.ts';
import { A_IN, makeMessage, makeName, makeQuery, OPT, readReply } from '#test/support/dns-wire.ts';
import { mutated } from './mutations.ts';

const zone = compileZone(FIXTURE);
const name = fc.constantFrom(
  ZONE,
  `web.shop.svc.${ZONE}`,
  `_main._tcp.web.shop.svc.${ZONE}`,
  `none.shop.svc.${ZONE}`,
  'example.org',
);
const query = fc.oneof(
  fc
    .tuple(
      name,
      fc.constantFrom('A', 'AAAA', 'SRV', 'SOA', 'NS', 'TXT', 'PTR', 'ANY'),
      fc.constantFrom(undefined, 512, 1_232, 65_535),
    )
    .map(([name, type, udpBytes]) => makeQuery(name, { type, ...(udpBytes === undefined ? {} : { udpBytes }) })),
  fc.constant(makeMessage([1, 0, 0, 2], makeName('web', 'shop'), A_IN, OPT, OPT)),
  fc.constant(makeMessage([1, 0, 0, 1], [0xc0, 0x0c], A_IN, OPT)),
);
const transport = fc.constantFrom('udp' as const, 'tcp' as const);
/** What a client over UDP takes that says nothing (RFC 1035 §4.2.1), and no reply of a TCP connection is longer. */
const REPLY_BYTES_MAX = { udp: 65_535, tcp: 65_535 } as const;

describe('fuzz: respond', () => {
  it('a query with something wrong → silence, or a well-formed reply to its id that no failure of ours made', () => {
    fc.assert(
      fc.property(mutated(query), transport, fc.boolean(), (message, transport, clientIsLoopback) => {
        const before = Buffer.from(message);
        const outcome = respond(message, { transport, zone, clientIsLoopback, rotation: 3 });
        assert.ok(before.equals(message), 'the query was written to');
        if (outcome.kind === 'drop') return;
        assert.equal(outcome.failure, undefined);
        assert.ok(outcome.bytes.length <= REPLY_BYTES_MAX[transport]);
        assert.equal(outcome.bytes.readUInt16BE(0), message.readUInt16BE(0));
        assert.notEqual(outcome.bytes.readUInt16BE(2) & 0x8000, 0, 'a reply has the QR bit');
        if (outcome.type !== undefined) readReply(outcome.bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('a query with something wrong, over UDP without EDNS → at most 512 octets', () => {
    fc.assert(
      fc.property(mutated(query), (message) => {
        const parsed = parseMessage(message, 'udp');
        const outcome = respond(message, { transport: 'udp', zone, clientIsLoopback: true, rotation: 0 });
        if (parsed.kind !== 'query' || parsed.query.edns !== undefined || outcome.kind === 'drop') return;
        assert.ok(outcome.bytes.length <= 512, `${outcome.bytes.length} octets`);
      }),
      { numRuns: 200 },
    );
  });

  it('a query that goes on behind its end → the same within the bound, refused above', () => {
    for (const [transport, bound] of [
      ['udp', UDP_QUERY_BYTES_MAX],
      ['tcp', TCP_QUERY_BYTES_MAX],
    ] as const) {
      const long = Buffer.concat([makeQuery(ZONE), Buffer.alloc(bound)]);
      assert.equal(parseMessage(long, transport).kind, 'reject');
      assert.equal(parseMessage(long.subarray(0, bound), transport).kind, 'query');
    }
  });
});
