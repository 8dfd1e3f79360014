import assert from 'node:assert/strict';
import { CLASS_IN, EXTENDED_ERROR, RCODE, TYPE, type DnsRecord } from '#src/dns/records.ts';
import { canonicalName, keyOfName } from '#src/dns/name.ts';
import { compileZone } from '#src/dns/zone-book.ts';
import { answer, type Answer, type Question, type Zone } from '#src/dns/zone.ts';
import {
  clusterSetIp,
  endpoint,
  FIXTURE,
  FIXTURE_ROWS,
  headless,
  snapshotOf,
  tcpPort,
  titleOf,
  TYPE_CODES,
  ZONE,
} from '#test/support/dns-fixture.ts';

const zone = compileZone(FIXTURE);

function ask(name: string, type: number, part: Partial<Question> & { in?: Zone } = {}): Answer {
  const { in: asked = zone, ...rest } = part;
  const key = keyOfName(canonicalName(name));
  return answer({ key, type, class: CLASS_IN, clientIsLoopback: false, rotation: 0, ...rest }, asked);
}

function toText(record: DnsRecord): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return record.address;
    case 'SRV':
      return `${record.port} ${record.target}`;
    case 'TXT':
      return record.text;
    default:
      return record.type;
  }
}

const texts = (records: readonly DnsRecord[]): string[] => records.map(toText).sort();

describe('answer', () => {
  for (const row of FIXTURE_ROWS) {
    it(titleOf(row), () => {
      const found = ask(row.name, TYPE_CODES[row.type]);
      assert.equal(found.rcode, RCODE[row.rcode]);
      assert.deepEqual(texts(found.answers), row.answers);
      const isOurs = row.rcode !== 'REFUSED';
      assert.equal(found.isAuthoritative, isOurs, 'DNS-27');
      const isNegative = isOurs && row.answers.length === 0;
      assert.deepEqual(texts(found.authority), isNegative ? ['SOA'] : [], 'DNS-28');
      assert.ok(found.answers.every((record) => record.name === row.name.toLowerCase()));
    });
  }

  const others = [
    { title: 'SOA at the apex', name: ZONE, type: TYPE.SOA, rcode: RCODE.NOERROR, answers: ['SOA'] },
    { title: 'NS at the apex', name: ZONE, type: TYPE.NS, rcode: RCODE.NOERROR, answers: ['NS'] },
    { title: 'the name server exists', name: `ns.dns.${ZONE}`, type: TYPE.A, rcode: RCODE.NOERROR, answers: [] },
    { title: 'above a port', name: `_tcp.web.shop.svc.${ZONE}`, type: TYPE.SRV, rcode: RCODE.NOERROR, answers: [] },
    {
      title: 'a protocol without ports',
      name: `_udp.web.shop.svc.${ZONE}`,
      type: TYPE.SRV,
      rcode: RCODE.NXDOMAIN,
      answers: [],
    },
    {
      title: 'DNS-09 no name of an unnamed port',
      name: `_tcp.solo.shop.svc.${ZONE}`,
      type: TYPE.SRV,
      rcode: RCODE.NXDOMAIN,
      answers: [],
    },
    {
      title: 'with the trailing dot',
      name: `web.shop.svc.${ZONE}.`,
      type: TYPE.A,
      rcode: RCODE.NOERROR,
      answers: ['10.45.0.7'],
    },
    {
      title: 'a dot within a label',
      name: `web\\046shop.svc.${ZONE}`,
      type: TYPE.A,
      rcode: RCODE.NXDOMAIN,
      answers: [],
    },
    {
      title: 'RFC 8482 ANY of a name',
      name: `web.shop.svc.${ZONE}`,
      type: TYPE.ANY,
      rcode: RCODE.NOERROR,
      answers: ['HINFO'],
    },
    {
      title: 'RFC 8482 ANY of no name',
      name: `nosuch.shop.svc.${ZONE}`,
      type: TYPE.ANY,
      rcode: RCODE.NXDOMAIN,
      answers: [],
    },
    { title: 'AXFR', name: ZONE, type: TYPE.AXFR, rcode: RCODE.REFUSED, answers: [] },
    { title: 'IXFR', name: ZONE, type: TYPE.IXFR, rcode: RCODE.REFUSED, answers: [] },
    { title: 'above the zone', name: 'local', type: TYPE.A, rcode: RCODE.REFUSED, answers: [] },
    { title: 'the root', name: '.', type: TYPE.NS, rcode: RCODE.REFUSED, answers: [] },
    { title: 'a longer label', name: 'xclusterset.local', type: TYPE.A, rcode: RCODE.REFUSED, answers: [] },
  ];
  for (const { title, name, type, rcode, answers } of others) {
    it(`${title}: ${name} → ${rcode} ${answers.join()}`, () => {
      const found = ask(name, type);
      assert.deepEqual({ rcode: found.rcode, answers: texts(found.answers) }, { rcode, answers });
    });
  }

  it('another class → REFUSED', () => {
    for (const class_ of [3, 4, 254, 255]) assert.equal(ask(ZONE, TYPE.SOA, { class: class_ }).rcode, RCODE.REFUSED);
  });

  it('DNS-30 no snapshot yet → SERVFAIL without AA', () => {
    const question = {
      key: keyOfName(`web.shop.svc.${ZONE}`),
      type: TYPE.A,
      class: CLASS_IN,
      clientIsLoopback: false,
      rotation: 0,
    };
    const { rcode, isAuthoritative, extendedError } = answer(question, undefined);
    assert.deepEqual(
      { rcode, isAuthoritative, extendedError },
      { rcode: 2, isAuthoritative: false, extendedError: EXTENDED_ERROR.NOT_READY },
    );
  });

  it('DNS-10 SRV → addresses of its targets, once each', () => {
    assert.deepEqual(texts(ask(`web.shop.svc.${ZONE}`, TYPE.SRV).additional), ['10.45.0.7', 'fd00:45::7']);
    assert.deepEqual(texts(ask(`_pg._tcp.db.shop.svc.${ZONE}`, TYPE.SRV).additional), [
      '10.1.0.5',
      '10.2.0.5',
      '10.2.0.9',
    ]);
  });

  it('DNS-25 rotation → every record comes first once, and none is lost', () => {
    const firsts = [0, 1, 2, 3, 2 ** 31 - 1].map((rotation) => {
      const { answers } = ask(`db.shop.svc.${ZONE}`, TYPE.A, { rotation });
      assert.deepEqual(texts(answers), ['10.1.0.5', '10.2.0.5', '10.2.0.9']);
      return answers.map(toText)[0];
    });
    assert.deepEqual(firsts, ['10.1.0.5', '10.2.0.5', '10.2.0.9', '10.1.0.5', '10.2.0.5']);
  });

  it('two zones, one below the other → each name under the closest, with its own SOA', () => {
    const two = compileZone({ ...FIXTURE, zones: ['Example.', 'mesh.example'] });
    assert.deepEqual(texts(ask('web.shop.svc.example', TYPE.A, { in: two }).answers), ['10.45.0.7']);
    assert.deepEqual(texts(ask('web.shop.svc.mesh.example', TYPE.A, { in: two }).answers), ['10.45.0.7']);
    assert.equal(ask('x.mesh.example', TYPE.A, { in: two }).authority[0]?.name, 'mesh.example');
    assert.equal(ask('x.example', TYPE.A, { in: two }).authority[0]?.name, 'example');
    assert.equal(ask(ZONE, TYPE.A, { in: two }).rcode, RCODE.REFUSED);
  });
});

describe('answer with loopback addresses', () => {
  const mixed = compileZone(
    snapshotOf(
      clusterSetIp('vip', { ips: ['127.64.0.9', '::1'], ports: [tcpPort('http', 80)] }),
      clusterSetIp('both', { ips: ['127.64.0.10', '10.9.9.9'], ports: [tcpPort('http', 80)] }),
      headless('db', { ports: [tcpPort('pg', 5432)], endpoints: [endpoint('east', 'db-0', '127.64.0.11')] }),
    ),
  );
  const cases = [
    { name: 'vip', type: TYPE.A, here: ['127.64.0.9'], elsewhere: [] },
    { name: 'vip', type: TYPE.AAAA, here: ['::1'], elsewhere: [] },
    { name: 'vip', type: TYPE.SRV, here: [`80 vip.shop.svc.${ZONE}`], elsewhere: [] },
    { name: '_http._tcp.vip', type: TYPE.SRV, here: [`80 vip.shop.svc.${ZONE}`], elsewhere: [] },
    { name: 'both', type: TYPE.A, here: ['10.9.9.9', '127.64.0.10'], elsewhere: ['10.9.9.9'] },
    { name: 'both', type: TYPE.SRV, here: [`80 both.shop.svc.${ZONE}`], elsewhere: [`80 both.shop.svc.${ZONE}`] },
    { name: 'db', type: TYPE.A, here: ['127.64.0.11'], elsewhere: [] },
    { name: 'db-0.east.db', type: TYPE.A, here: ['127.64.0.11'], elsewhere: [] },
    { name: '_pg._tcp.db', type: TYPE.SRV, here: [`5432 db-0.east.db.shop.svc.${ZONE}`], elsewhere: [] },
  ];
  for (const { name, type, here, elsewhere } of cases) {
    it(`${name} ${type} → ${here.join()} on this machine, ${elsewhere.join() || 'NODATA'} elsewhere`, () => {
      const local = ask(`${name}.shop.svc.${ZONE}`, type, { in: mixed, clientIsLoopback: true });
      const remote = ask(`${name}.shop.svc.${ZONE}`, type, { in: mixed });
      assert.deepEqual(texts(local.answers), here);
      assert.deepEqual(texts(remote.answers), elsewhere);
      assert.equal(remote.rcode, RCODE.NOERROR);
      assert.ok(remote.additional.every((record) => !toText(record).startsWith('127.')));
    });
  }
});
