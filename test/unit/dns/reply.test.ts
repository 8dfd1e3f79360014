import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseMessage, type Query } from '#src/dns/message.ts';
import { RCODE, type DnsRecord } from '#src/dns/records.ts';
import { encodeReply, replyBytesMax } from '#src/dns/reply.ts';
import type { Answer } from '#src/dns/zone.ts';
import { A_IN, ID, makeMessage, makeName, makeQuery, readReply, type QueryOptions } from '#test/support/dns-wire.ts';

function toQuery(message: Buffer): Query {
  const parsed = parseMessage(message, 'udp');
  assert.ok(parsed.kind === 'query');
  return parsed.query;
}

const queryFor = (name: string, options: QueryOptions = {}): Query => toQuery(makeQuery(name, options));

function answerOf(answers: readonly DnsRecord[], part: Partial<Answer> = {}): Answer {
  return { rcode: RCODE.NOERROR, isAuthoritative: true, answers, authority: [], additional: [], ...part };
}

const NAME = 'db.shop.svc.clusterset.local';
const a = (address: string, name = NAME): DnsRecord => ({ type: 'A', name, ttlSeconds: 4, address });
const addresses = (count: number): DnsRecord[] =>
  Array.from({ length: count }, (_, index) => a(`10.0.${index >> 8}.${index & 255}`));
const SOA: DnsRecord = {
  type: 'SOA',
  name: 'clusterset.local',
  ttlSeconds: 4,
  primary: 'ns.dns.clusterset.local',
  mailbox: 'hostmaster.clusterset.local',
  serial: 0xffff_ffff,
  refreshSeconds: 7200,
  retrySeconds: 1800,
  expireSeconds: 86_400,
  minimumSeconds: 4,
};

describe('encodeReply', () => {
  it('every type of record → what an independent decoder reads', () => {
    const srv: DnsRecord = {
      type: 'SRV',
      name: NAME,
      ttlSeconds: 4,
      priority: 1,
      weight: 2,
      port: 65_535,
      target: `db-0.east.${NAME}`,
    };
    const aaaa: DnsRecord = { type: 'AAAA', name: NAME, ttlSeconds: 2_147_483_647, address: '::ffff:c000:201' };
    const rest: DnsRecord[] = [
      { type: 'TXT', name: NAME, ttlSeconds: 28_800, text: '1.0.0' },
      { type: 'NS', name: NAME, ttlSeconds: 4, server: 'ns.dns.clusterset.local' },
      { type: 'HINFO', name: NAME, ttlSeconds: 4, cpu: 'RFC8482', os: '' },
    ];
    const found = answerOf([a('10.1.0.5'), aaaa, srv, ...rest], { authority: [SOA] });
    const { answers, authorities, id, isAuthoritative } = readReply(encodeReply(queryFor(NAME), found, 'tcp'));
    assert.deepEqual({ id, isAuthoritative }, { id: ID, isAuthoritative: true });
    assert.deepEqual(
      answers.map((record) => 'data' in record && record.data),
      [
        '10.1.0.5',
        '::ffff:c000:201',
        { priority: 1, weight: 2, port: 65_535, target: `db-0.east.${NAME}` },
        [Buffer.from('1.0.0')],
        'ns.dns.clusterset.local',
        { cpu: 'RFC8482', os: '' },
      ],
    );
    assert.deepEqual(
      answers.map((record) => 'ttl' in record && record.ttl),
      [4, 2_147_483_647, 4, 28_800, 4, 4],
    );
    const { primary: mname, mailbox: rname, serial, refreshSeconds: refresh, retrySeconds: retry } = SOA;
    const { expireSeconds: expire, minimumSeconds: minimum } = SOA;
    assert.deepEqual(
      authorities.map((record) => 'data' in record && record.data),
      [{ mname, rname, serial, refresh, retry, expire, minimum }],
    );
  });

  it('DNS-18 a question in mixed case → repeated, and the owners have its case', () => {
    const asked = 'Db.SHOP.svc.ClusterSet.local';
    const reply = readReply(
      encodeReply(
        queryFor(asked),
        answerOf([a('10.1.0.5')], { authority: [SOA], additional: [a('10.1.0.6', `x.${NAME}`)] }),
        'udp',
      ),
    );
    assert.equal(reply.questions[0]?.name, asked);
    assert.equal(reply.answers[0]?.name, asked);
    assert.equal(reply.authorities[0]?.name, 'ClusterSet.local');
    assert.equal(reply.additionals[0]?.name, `x.${asked}`);
  });

  it('RFC 2782 an SRV target → without a pointer', () => {
    const target = `db-0.east.${NAME}`;
    const srv: DnsRecord = { type: 'SRV', name: NAME, ttlSeconds: 4, priority: 0, weight: 100, port: 1, target };
    assert.ok(encodeReply(queryFor(NAME), answerOf([srv]), 'udp').includes(makeName(...target.split('.'))));
  });

  it('odd octets in a question → repeated octet by octet, and the zone’s name at its end still found', () => {
    const message = makeMessage([1, 0, 0, 0], makeName('we.b\0\xff', 'Clusterset', 'local'), A_IN);
    const reply = encodeReply(toQuery(message), answerOf([], { rcode: RCODE.NXDOMAIN, authority: [SOA] }), 'udp');
    assert.deepEqual(reply.subarray(12, message.length), message.subarray(12));
    assert.equal(readReply(reply).authorities[0]?.name, 'Clusterset.local');
  });

  const sizes = [
    { title: 'no EDNS', udpBytes: undefined, want: 512 },
    { title: 'EDNS 1', udpBytes: 1, want: 512 },
    { title: 'EDNS 511', udpBytes: 511, want: 512 },
    { title: 'EDNS 1000', udpBytes: 1000, want: 1000 },
    { title: 'EDNS 1232', udpBytes: 1232, want: 1232 },
    { title: 'EDNS 65535', udpBytes: 65_535, want: 1232 },
  ];
  for (const { title, udpBytes, want } of sizes) {
    it(`DNS-31 ${title} → at most ${want} octets over UDP, TC and whole records, OPT kept`, () => {
      const query = queryFor(NAME, udpBytes === undefined ? {} : { udpBytes });
      assert.equal(replyBytesMax(query, 'udp'), want);
      const bytes = encodeReply(query, answerOf(addresses(200), { additional: [a('10.9.9.9', `x.${NAME}`)] }), 'udp');
      const { isTruncated, answers, additionals } = readReply(bytes);
      assert.ok(bytes.length <= want && bytes.length > want - 16);
      assert.ok(isTruncated && answers.length > 0);
      assert.deepEqual(
        additionals.map(({ type }) => type),
        udpBytes === undefined ? [] : ['OPT'],
      );
    });
  }

  it('exactly full → no TC; one record more → TC', () => {
    // 512 - 12 - (30 + 4) = 466 octets of records, at 16 each: 29.
    const query = queryFor(NAME);
    assert.equal(readReply(encodeReply(query, answerOf(addresses(29)), 'udp')).isTruncated, false);
    assert.equal(readReply(encodeReply(query, answerOf(addresses(30)), 'udp')).isTruncated, true);
  });

  it('additional records that do not fit → all left out, no TC', () => {
    const additional = [1, 2, 3].map((digit) => a(`10.9.9.${digit}`, `x${digit}.${NAME}`));
    const { isTruncated, answers, additionals } = readReply(
      encodeReply(queryFor(NAME), answerOf(addresses(28), { additional }), 'udp'),
    );
    assert.deepEqual([isTruncated, answers.length, additionals.length], [false, 28, 0]);
  });

  it('more than TCP carries → 65,535 octets at most, and TC', () => {
    const bytes = encodeReply(queryFor(NAME), answerOf(addresses(4096)), 'tcp');
    assert.ok(bytes.length <= 65_535 && bytes.length > 65_535 - 16);
    assert.equal(readReply(bytes).isTruncated, true);
  });

  it('RFC 6891 BADVERS → upper bits in OPT, version 0; DO repeated', () => {
    const query = queryFor(NAME, { udpBytes: 1232, isDnssecOk: true });
    const reply = readReply(encodeReply(query, answerOf([], { rcode: RCODE.BADVERS, isAuthoritative: false }), 'udp'));
    const [opt] = reply.additionals;
    assert.ok(opt?.type === 'OPT');
    assert.deepEqual(
      [reply.rcode, opt.extendedRcode, opt.ednsVersion, opt.udpPayloadSize, opt.flags],
      [0, 1, 0, 1232, 0x8000],
    );
  });

  it('any compiled-looking owners and questions → decoded to the same names', () => {
    const label = fc.stringMatching(/^[a-z0-9]{1,12}$/);
    fc.assert(
      fc.property(
        fc.array(label, { minLength: 1, maxLength: 6 }),
        fc.array(label, { minLength: 1, maxLength: 6 }),
        fc.nat(6),
        (asked, owner, shared) => {
          const name = [...owner, ...asked.slice(-shared)].join('.');
          const reply = readReply(encodeReply(queryFor(asked.join('.')), answerOf([a('10.0.0.1', name)]), 'udp'));
          assert.equal(reply.answers[0]?.name, name);
        },
      ),
    );
  });
});
