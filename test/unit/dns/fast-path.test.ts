import assert from 'node:assert/strict';
import { decode } from 'dns-packet';
import fc from 'fast-check';
import { makeFastPath } from '#src/dns/fast-path.ts';
import { ABSENT_KNOWN_MAX } from '#src/dns/limits.ts';
import { TYPE } from '#src/dns/records.ts';
import { respond } from '#src/dns/respond.ts';
import { compileZone, openZoneBook } from '#src/dns/zone-book.ts';
import type { Zone } from '#src/dns/zone.ts';
import { clusterSetIp, endpoint, FIXTURE, headless, snapshotOf, tcpPort, ZONE } from '#test/support/dns-fixture.ts';
import { makeName, makeQuery } from '#test/support/dns-wire.ts';
import { mutated } from '../fuzz/mutations.ts';

const MANY = Array.from({ length: 120 }, (_, index) => endpoint('east', `p${index}`, `10.9.0.${index}`));
const SNAPSHOT = {
  ...FIXTURE,
  zones: [ZONE, 'mesh.example'],
  services: [
    ...FIXTURE.services,
    clusterSetIp('vip', { ips: ['127.64.0.9'], ports: [tcpPort('http', 80)], aliases: ['vip.corp.example'] }),
    headless('big', { ports: [tcpPort('pg', 5432)], endpoints: MANY }),
    headless('some', { ports: [tcpPort('pg', 5432)], endpoints: MANY.slice(0, 20) }),
  ],
};
const zone = compileZone(SNAPSHOT);

const NAMES = [
  ...[...zone.names.entries()].map(([key]) => key),
  ...['x.web.shop', 'none.shop', 'none.none', 'east.db.shop'].map((name) => key(`${name}.svc.${ZONE}`)),
  key(`xx.${ZONE}`),
  key('other.example'),
  key('x.vip.corp.example'),
  '\0',
];
function key(name: string): string {
  return makeName(...name.split('.')).toString('latin1');
}

const question = fc.record({
  name: fc.constantFrom(...NAMES),
  upper: fc.infiniteStream(fc.boolean()),
  type: fc.oneof(fc.constantFrom(...Object.values(TYPE)), fc.integer({ min: 0, max: 65_535 })),
  class: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constantFrom(0, 3, 255) }),
  flags: fc.constantFrom(0x0000, 0x0100, 0x0110, 0x0120, 0x2800),
  id: fc.integer({ min: 0, max: 65_535 }),
  edns: fc.option(
    fc.record({
      udpBytes: fc.constantFrom(0, 511, 512, 600, 1_232, 4_096),
      version: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
      isDnssecOk: fc.boolean(),
      options: fc.constantFrom([], [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8], [0, 10, 0, 9]),
    }),
  ),
});
type Question = typeof question extends fc.Arbitrary<infer T> ? T : never;

function write({ name, upper, type, class: class_, flags, id, edns }: Question): Buffer {
  const octets = Buffer.from(
    [...name].map((character) => (upper.next().value === true ? character.toUpperCase() : character)).join(''),
    'latin1',
  );
  const head = Buffer.alloc(12);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(flags, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(edns === null ? 0 : 1, 10);
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(type, 0);
  tail.writeUInt16BE(class_, 2);
  const opt: number[] = [];
  if (edns !== null) {
    const { udpBytes, version, isDnssecOk, options } = edns;
    opt.push(
      0,
      0,
      41,
      udpBytes >> 8,
      udpBytes & 255,
      0,
      version,
      isDnssecOk ? 0x80 : 0,
      0,
      0,
      options.length,
      ...options,
    );
  }
  return Buffer.concat([head, octets, tail, Buffer.from(opt)]);
}

interface Asked {
  readonly clientIsLoopback: boolean;
  readonly rotation: number;
}
const asked = fc.record({ clientIsLoopback: fc.boolean(), rotation: fc.integer({ min: 0, max: 2 ** 31 - 1 }) });

function answerInFull(query: Buffer, { clientIsLoopback, rotation }: Asked, of: Zone = zone): Buffer | undefined {
  const outcome = respond(query, { transport: 'udp', zone: of, clientIsLoopback, rotation });
  return outcome.kind === 'reply' ? outcome.bytes : undefined;
}

describe('the fast path', () => {
  it('every query that both can answer → the same, as dns-packet reads it and octet by octet', () => {
    const fastPath = makeFastPath();
    let quick = 0;
    fc.assert(
      fc.property(question, asked, (parts, how) => {
        const query = write(parts);
        const before = Buffer.from(query);
        const reply = fastPath.respond(query, { zone, ...how });
        assert.ok(before.equals(query), 'the query was written to');
        if (reply === undefined) return;
        quick += 1;
        const full = answerInFull(query, how);
        assert.ok(full !== undefined);
        assert.deepEqual(decode(reply.bytes), decode(full));
        assert.deepEqual(reply.bytes, full);
        assert.deepEqual([reply.type, reply.rcode], [parts.type, full.readUInt16BE(2) & 0xf]);
      }),
      { numRuns: 5_000 },
    );
    assert.ok(quick > 500, `${quick} of 5000 took it`);
  });

  it('queries with something wrong → left to the full path, or the same', () => {
    const fastPath = makeFastPath();
    const query = fc.tuple(question).map(([parts]) => write(parts));
    fc.assert(
      fc.property(mutated(query), asked, (message, how) => {
        const reply = fastPath.respond(message, { zone, ...how });
        if (reply !== undefined) assert.deepEqual(reply.bytes, answerInFull(message, how));
      }),
      { numRuns: 5_000 },
    );
  });

  const ask = (query: Buffer, in_: Zone = zone) =>
    makeFastPath().respond(query, { zone: in_, clientIsLoopback: false, rotation: 0 });
  const common = [
    { what: 'an address', query: makeQuery(`web.shop.svc.${ZONE}`), isFast: true },
    { what: 'no address of that family', query: makeQuery(`solo.shop.svc.${ZONE}`, { type: 'AAAA' }), isFast: true },
    { what: 'a port', query: makeQuery(`_http._tcp.web.shop.svc.${ZONE}`, { type: 'SRV' }), isFast: true },
    { what: 'no such name', query: makeQuery(`none.shop.svc.${ZONE}`, { udpBytes: 1_232 }), isFast: true },
    { what: '20 endpoints with EDNS', query: makeQuery(`some.shop.svc.${ZONE}`, { udpBytes: 1_232 }), isFast: true },
    { what: 'more endpoints than fit', query: makeQuery(`big.shop.svc.${ZONE}`, { udpBytes: 1_232 }), isFast: false },
    { what: 'SOA of the zone', query: makeQuery(ZONE, { type: 'SOA' }), isFast: false },
    { what: 'ANY', query: makeQuery(`web.shop.svc.${ZONE}`, { type: 'ANY' }), isFast: false },
    { what: 'a name of others', query: makeQuery('example.org'), isFast: false },
  ];
  for (const { what, query, isFast } of common) {
    it(`${what} → ${isFast ? 'fast' : 'for the full path'}`, () => assert.equal(ask(query) !== undefined, isFast));
  }

  it('a change → the next answer is another one, also where nothing is', () => {
    const { book, zone: before } = openZoneBook(snapshotOf(clusterSetIp('web', { ips: ['10.0.0.1'] })));
    const fastPath = makeFastPath();
    const how = { clientIsLoopback: false, rotation: 0 };
    const queries = ['web', 'none'].map((name) => makeQuery(`${name}.shop.svc.${ZONE}`));
    const changes = [
      { version: 8, services: [clusterSetIp('web', { ips: ['10.0.0.2'] })], gone: [] },
      { version: 9, services: [], gone: [{ namespace: 'shop', name: 'web' }] },
    ];
    const zones = [before, ...changes.map((change) => book.change(change))];
    for (const each of zones) {
      for (const query of queries) {
        assert.deepEqual(fastPath.respond(query, { zone: each, ...how })?.bytes, answerInFull(query, how, each));
      }
    }
  });

  it('more names that are not there than are kept, between two questions for one that is → all as the full path says', () => {
    const fastPath = makeFastPath();
    const how = { clientIsLoopback: false, rotation: 0 };
    const check = (name: string): void => {
      const query = makeQuery(`${name}.shop.svc.${ZONE}`);
      const reply = fastPath.respond(query, { zone, ...how });
      assert.ok(reply !== undefined);
      assert.deepEqual(reply.bytes, answerInFull(query, how));
    };
    for (let index = 0; index <= ABSENT_KNOWN_MAX; index++) {
      if (index % 1_000 === 0) check('web');
      check(`none-${index}`);
    }
    for (const name of ['none-0', 'none-0', `none-${ABSENT_KNOWN_MAX}`, 'web']) check(name);
  });

  it('replies that are not sent yet → not written over', () => {
    const fastPath = makeFastPath();
    const query = makeQuery(`some.shop.svc.${ZONE}`, { udpBytes: 1_232 });
    const how = { zone, clientIsLoopback: false };
    const replies = Array.from({ length: 500 }, (_, rotation) => fastPath.respond(query, { ...how, rotation })?.bytes);
    replies.forEach((reply, rotation) => {
      assert.deepEqual(reply, answerInFull(query, { clientIsLoopback: false, rotation }));
    });
  });
});
