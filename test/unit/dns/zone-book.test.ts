import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ENDPOINTS_PER_SERVICE_MAX, RECORDS_PER_NAME_MAX, SKIPPED_REPORTED_MAX } from '#src/dns/limits.ts';
import { keyOfName } from '#src/dns/name.ts';
import { CLASS_IN, RCODE, TYPE, type DnsRecord } from '#src/dns/records.ts';
import type { ZoneService } from '#src/dns/snapshot.ts';
import { compileZone, openZoneBook } from '#src/dns/zone-book.ts';
import { answer, type Answer, type Zone } from '#src/dns/zone.ts';
import { clusterSetIp, endpoint, FIXTURE, headless, snapshotOf, tcpPort, ZONE } from '#test/support/dns-fixture.ts';

function ask(services: readonly ZoneService[], name: string, type: number): Answer {
  const question = { key: keyOfName(`${name}.${ZONE}`), type, class: CLASS_IN, clientIsLoopback: false, rotation: 0 };
  return answer(question, compileZone(snapshotOf(...services)));
}

const label = (length: number): string => 'x'.repeat(length);

describe('compileZone', () => {
  it('the fixture → nothing skipped, version kept', () => {
    const { version, skipped } = compileZone(structuredClone(FIXTURE));
    assert.deepEqual({ version, skipped }, { version: 7, skipped: { count: 0, examples: [] } });
  });

  it('a ClusterSetIP service without addresses → exists, NODATA, no SRV that leads nowhere', () => {
    const services = [clusterSetIp('web', { ports: [tcpPort('http', 80)] })];
    for (const [name, type] of [
      ['web', TYPE.A],
      ['web', TYPE.SRV],
      ['_http._tcp.web', TYPE.SRV],
    ] as const) {
      const { rcode, answers, authority } = ask(services, `${name}.shop.svc`, type);
      assert.deepEqual([rcode, answers.length, authority.length], [RCODE.NOERROR, 0, 1]);
    }
  });

  it('DNS-14 a namespace with an empty headless service only → exists', () => {
    assert.equal(ask([headless('idle')], 'shop.svc', TYPE.A).rcode, RCODE.NOERROR);
    assert.equal(ask([headless('idle')], 'idle.shop.svc', TYPE.A).rcode, RCODE.NXDOMAIN);
  });

  it('DNS-16 tcp/42 and udp/42 → one SRV record at the bare name', () => {
    const ports = [tcpPort('a', 42), { name: 'b', protocol: 'UDP', port: 42 } as const];
    assert.equal(ask([clusterSetIp('web', { ips: ['10.0.0.1'], ports })], 'web.shop.svc', TYPE.SRV).answers.length, 1);
    assert.equal(
      ask([clusterSetIp('web', { ips: ['10.0.0.1'], ports })], '_b._udp.web.shop.svc', TYPE.SRV).answers.length,
      1,
    );
  });

  it('DNS-07 one hostname twice in a cluster → both addresses at it, one SRV', () => {
    const endpoints = [endpoint('east', 'db-0', '10.1.0.5'), endpoint('east', 'db-0', 'fd00::5')];
    const services = [headless('db', { endpoints, ports: [tcpPort('pg', 5432)] })];
    assert.equal(ask(services, 'db-0.east.db.shop.svc', TYPE.A).answers.length, 1);
    assert.equal(ask(services, 'db-0.east.db.shop.svc', TYPE.AAAA).answers.length, 1);
    assert.equal(ask(services, 'db.shop.svc', TYPE.SRV).answers.length, 1);
  });

  it('ports of an endpoint → instead of the service’s', () => {
    const endpoints = [{ ...endpoint('east', 'db-0', '10.1.0.5'), ports: [tcpPort('pg', 15432)] }];
    const { answers } = ask(
      [headless('db', { endpoints, ports: [tcpPort('pg', 5432)] })],
      '_pg._tcp.db.shop.svc',
      TYPE.SRV,
    );
    assert.deepEqual(
      answers.map((record) => record.type === 'SRV' && record.port),
      [15432],
    );
  });

  it('an address twice → one record', () => {
    assert.equal(
      ask([clusterSetIp('web', { ips: ['fd00::1', 'fd00:0::1'] })], 'web.shop.svc', TYPE.AAAA).answers.length,
      1,
    );
  });

  const skipped = [
    { title: 'a name that is no label', service: clusterSetIp('we.b'), why: 'not a DNS label' },
    {
      title: 'a namespace that is no label',
      service: clusterSetIp('web', { namespace: 'Shop' }),
      why: 'not a DNS label',
    },
    { title: 'an address that is none', service: clusterSetIp('web', { ips: ['10.0.0'] }), why: 'not an IP address' },
    {
      title: 'port 0',
      service: clusterSetIp('web', { ips: ['10.0.0.1'], ports: [tcpPort('a', 0)] }),
      why: 'not a port number',
    },
    {
      title: 'port 65536',
      service: clusterSetIp('web', { ips: ['10.0.0.1'], ports: [tcpPort('a', 65_536)] }),
      why: 'not a port number',
    },
    {
      title: 'a port name of 63',
      service: clusterSetIp('web', { ips: ['10.0.0.1'], ports: [tcpPort(label(63), 1)] }),
      why: 'does not fit',
    },
    {
      title: 'a hostname with a dot',
      service: headless('db', { endpoints: [endpoint('east', 'a.b', '10.0.0.1')] }),
      why: 'no name of its own',
    },
  ];
  for (const { title, service, why } of skipped) {
    it(`${title} → left out and reported once for all zones and views`, () => {
      const { skipped: found } = compileZone({
        version: 1,
        zones: [ZONE, 'other.example'],
        services: [service, clusterSetIp('lo', { ips: ['127.0.0.9'] })],
      });
      assert.equal(found.count, 1);
      assert.match(found.examples.join(), new RegExp(why));
    });
  }

  it('a port name of 62 → has its label of 63', () => {
    const ports = [tcpPort(label(62), 1)];
    assert.equal(
      ask([clusterSetIp('web', { ips: ['10.0.0.1'], ports })], `_${label(62)}._tcp.web.shop.svc`, TYPE.SRV).answers
        .length,
      1,
    );
  });

  it(`more than ${SKIPPED_REPORTED_MAX} entries left out → all counted, ${SKIPPED_REPORTED_MAX} named`, () => {
    const services = Array.from({ length: SKIPPED_REPORTED_MAX + 1 }, (_, index) => clusterSetIp(`_${index}`));
    const { skipped: found } = compileZone(snapshotOf(...services));
    assert.deepEqual([found.count, found.examples.length], [SKIPPED_REPORTED_MAX + 1, SKIPPED_REPORTED_MAX]);
  });
});

describe('compileZone, name lengths (DNS-26)', () => {
  // <hostname>.<peer>.<service>.<namespace>.svc.clusterset.local: 63 + 63 + 63 + h + 4 dots + 20 = 253 at h = 40.
  const suffix = `${label(63)}.${label(63)}.${label(63)}.svc`;
  const services = (hostname: string): ZoneService[] => {
    const endpoints = [endpoint(label(63), hostname, '10.0.0.1')];
    return [headless(label(63), { namespace: label(63), endpoints, ports: [tcpPort('pg', 1)] })];
  };
  it('253 characters → has its record', () => {
    assert.equal(`${label(40)}.${suffix}.${ZONE}`.length, 253);
    assert.equal(ask(services(label(40)), `${label(40)}.${suffix}`, TYPE.A).answers.length, 1);
  });
  it('254 characters → no name of its own, still among the addresses of the service', () => {
    const service = `${label(63)}.${label(63)}.svc`;
    assert.equal(ask(services(label(41)), service, TYPE.A).answers.length, 1);
    assert.equal(ask(services(label(41)), service, TYPE.SRV).answers.length, 0);
    assert.equal(compileZone(snapshotOf(...services(label(41)))).skipped.count, 1);
  });
  it('a zone so long that no service fits → reported, no record', () => {
    const long = [1, 2, 3].map((digit) => `${digit}${label(62)}`).join('.');
    const zone = compileZone({ version: 1, zones: [long], services: [clusterSetIp(label(60), { ips: ['10.0.0.1'] })] });
    assert.equal(zone.skipped.count, 1);
  });
});

describe('a zone that changes', () => {
  const web = clusterSetIp('web', { ips: ['10.45.0.7', 'no address'], ports: [tcpPort('http', 80)] });
  const solo = clusterSetIp('solo', { ips: ['10.45.0.9'] });
  const nodeOf = (zone: Zone, name: string) => zone.names.get(keyOfName(`${name}.shop.svc.${ZONE}`));

  it('one service → its names are others; those of the rest are the same objects; the zone before is as it was', () => {
    const { book, zone: before } = openZoneBook(snapshotOf(web, solo));
    const after = book.change({ version: 8, services: [clusterSetIp('solo', { ips: ['127.0.0.9'] })], gone: [] });
    assert.equal(nodeOf(after, 'web'), nodeOf(before, 'web'));
    assert.equal(nodeOf(after, 'solo')?.forLoopback?.records.get(TYPE.A)?.length, 1);
    assert.equal(nodeOf(after, 'solo')?.forOthers?.records.get(TYPE.A), undefined);
    assert.equal(nodeOf(before, 'solo')?.forOthers?.records.get(TYPE.A)?.length, 1);
    assert.deepEqual(after.skipped, { count: 1, examples: ['shop/web: one of its addresses is not an IP address'] });
    assert.deepEqual(after.skipped, before.skipped);
    assert.equal(after.version, 8);
  });

  it('the last service of a namespace goes → the namespace, too; one that comes brings it', () => {
    const { book } = openZoneBook(snapshotOf(web));
    const without = book.change({ version: 8, services: [], gone: [web] });
    assert.equal(without.names.get(keyOfName(`shop.svc.${ZONE}`)), undefined);
    assert.deepEqual(without.skipped, { count: 0, examples: [] });
    const again = book.change({ version: 9, services: [solo], gone: [web] });
    assert.ok(again.names.get(keyOfName(`shop.svc.${ZONE}`)) !== undefined);
  });

  const service = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    namespace: fc.constantFrom('shop', 'store'),
    type: fc.constantFrom('ClusterSetIP' as const, 'Headless' as const),
    ips: fc.subarray(['10.0.0.1', '127.0.0.1', 'fd00::1']),
    ports: fc.subarray([tcpPort('http', 80), tcpPort('', 443)]),
    endpoints: fc.subarray([endpoint('east', 'x', '10.1.0.1'), endpoint('west', '', '127.0.0.2')]),
  });
  const step = fc.record({
    services: fc.uniqueArray(service, { selector: ({ namespace, name }) => `${namespace}/${name}` }),
    gone: fc.subarray(['a', 'b', 'c'].flatMap((name) => ['shop', 'store'].map((namespace) => ({ namespace, name })))),
  });

  it('any changes one after the other → what a zone made of the result says', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
        const present = new Map<string, ZoneService>();
        const { book, zone: first } = openZoneBook(snapshotOf());
        let zone = first;
        for (const { services, gone } of steps) {
          zone = book.change({ version: 7, services, gone });
          for (const { namespace, name } of gone) present.delete(`${namespace}/${name}`);
          for (const each of services) present.set(`${each.namespace}/${each.name}`, each);
        }
        const whole = compileZone(snapshotOf(...present.values()));
        assert.equal(zone.names.size, whole.names.size);
        for (const [key, entry] of whole.names.entries()) assert.deepEqual(zone.names.get(key), entry);
      }),
    );
  });
});

describe('aliases', () => {
  const db = (part: Partial<ZoneService> = {}): ZoneService =>
    clusterSetIp('db', { ips: ['10.0.0.1'], ports: [tcpPort('pg', 5432)], aliases: ['DB.corp.example'], ...part });
  const askAlias = (zone: Zone, name: string, type: number): Answer =>
    answer({ key: keyOfName(name), type, class: CLASS_IN, clientIsLoopback: false, rotation: 0 }, zone);

  it('an alias → answered like the import, as a zone of its own', () => {
    const zone = compileZone(snapshotOf(db()));
    const address = askAlias(zone, 'db.corp.example', TYPE.A);
    assert.deepEqual(
      address.answers.map((record) => record.type === 'A' && record.address),
      ['10.0.0.1'],
    );
    const [srv] = askAlias(zone, '_pg._tcp.db.corp.example', TYPE.SRV).answers;
    assert.ok(srv?.type === 'SRV' && srv.target === 'db.corp.example' && srv.port === 5432);
    for (const type of [TYPE.SOA, TYPE.NS]) assert.equal(askAlias(zone, 'db.corp.example', type).answers.length, 1);
    const none = askAlias(zone, 'x.db.corp.example', TYPE.A);
    assert.deepEqual([none.rcode, none.authority[0]?.name], [RCODE.NXDOMAIN, 'db.corp.example']);
    assert.equal(askAlias(zone, 'corp.example', TYPE.A).rcode, RCODE.REFUSED);
  });

  it('the import goes → the alias is none of ours any more', () => {
    const { book } = openZoneBook(snapshotOf(db()));
    const zone = book.change({ version: 8, services: [], gone: [db()] });
    assert.equal(askAlias(zone, 'db.corp.example', TYPE.A).rcode, RCODE.REFUSED);
  });

  it('two imports want it → who came first has it, the other is told, and gets it when the first leaves', () => {
    const other = db({ name: 'other', ips: ['10.0.0.2'] });
    const { book, zone } = openZoneBook(snapshotOf(db(), other));
    const addressIn = (asked: Zone): unknown =>
      askAlias(asked, 'db.corp.example', TYPE.A).answers.map((r) => 'address' in r && r.address);
    assert.deepEqual(addressIn(zone), ['10.0.0.1']);
    assert.deepEqual(zone.skipped.examples, ['shop/other: alias db.corp.example belongs to shop/db']);
    const changed = book.change({ version: 8, services: [db({ ips: ['10.0.0.3'] })], gone: [] });
    assert.deepEqual(addressIn(changed), ['10.0.0.3']);
    const left = book.change({ version: 9, services: [], gone: [db()] });
    assert.deepEqual(addressIn(left), ['10.0.0.2']);
    assert.equal(left.skipped.count, 0);
  });

  it('an alias inside a zone of ours, or no name → left out and told', () => {
    const { skipped } = compileZone(snapshotOf(db({ aliases: [`x.${ZONE}`, 'no name'] })));
    assert.deepEqual(skipped.examples, [
      `shop/db: alias x.${ZONE} is inside a zone of this responder`,
      'shop/db: one of its aliases is not a DNS name',
    ]);
  });
});

describe('compileZone, bounds', () => {
  const address = (index: number): string => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
  const many = (count: number, peer: string, from = 0) =>
    Array.from({ length: count }, (_, index) => endpoint(peer, `p${index}`, address(from + index)));
  const peersOf = (answers: readonly DnsRecord[]): number =>
    answers.filter((record) => record.type === 'SRV' && record.target.includes('.west.')).length;

  it(`${ENDPOINTS_PER_SERVICE_MAX} endpoints → all`, () => {
    const services = [headless('db', { endpoints: many(ENDPOINTS_PER_SERVICE_MAX, 'east') })];
    assert.equal(ask(services, 'db.shop.svc', TYPE.A).answers.length, ENDPOINTS_PER_SERVICE_MAX);
  });

  it(`DNS-05 one more, of two peers → ${ENDPOINTS_PER_SERVICE_MAX}, and the small peer is complete`, () => {
    const endpoints = [...many(ENDPOINTS_PER_SERVICE_MAX - 1, 'east'), ...many(2, 'west', 1 << 20)];
    const services = [headless('db', { endpoints, ports: [tcpPort('pg', 5432)] })];
    const { answers } = ask(services, 'db.shop.svc', TYPE.SRV);
    assert.equal(answers.length, ENDPOINTS_PER_SERVICE_MAX);
    assert.equal(peersOf(answers), 2);
  });

  it(`more than ${RECORDS_PER_NAME_MAX} SRV records at the bare name → as many as fit`, () => {
    const ports = Array.from({ length: 5 }, (_, index) => tcpPort(`p${index}`, index + 1));
    const services = [headless('db', { endpoints: many(ENDPOINTS_PER_SERVICE_MAX, 'east'), ports })];
    assert.equal(ask(services, 'db.shop.svc', TYPE.SRV).answers.length, RECORDS_PER_NAME_MAX);
  });
});
