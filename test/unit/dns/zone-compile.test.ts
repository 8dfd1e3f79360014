import assert from 'node:assert/strict';
import { ENDPOINTS_PER_SERVICE_MAX, RECORDS_PER_NAME_MAX, SKIPPED_REPORTED_MAX } from '#src/dns/limits.ts';
import { CLASS_IN, RCODE, TYPE, type DnsRecord } from '#src/dns/records.ts';
import type { ZoneService } from '#src/dns/snapshot.ts';
import { compileZone, type CompiledServices } from '#src/dns/zone-compile.ts';
import { answer, type Answer, type Zone } from '#src/dns/zone.ts';
import { clusterSetIp, endpoint, FIXTURE, headless, snapshotOf, tcpPort, ZONE } from '#test/support/dns-fixture.ts';

function ask(services: readonly ZoneService[], name: string, type: number): Answer {
  const question = { name: `${name}.${ZONE}`, type, class: CLASS_IN, clientIsLoopback: false, rotation: 0 };
  return answer(question, compileZone(snapshotOf(...services)));
}

const label = (length: number): string => 'x'.repeat(length);

describe('compileZone', () => {
  it('the fixture → nothing skipped, version kept', () => {
    const { version, skipped } = compileZone(structuredClone(FIXTURE));
    assert.deepEqual({ version, skipped }, { version: 7, skipped: { count: 0, examples: [] } });
  });

  it('compiled again → services that are the same objects keep their records, others get theirs; problems are told again', () => {
    const same = clusterSetIp('web', { ips: ['10.45.0.7', 'no address'], ports: [tcpPort('http', 80)] });
    const compiled: CompiledServices = new WeakMap();
    const before = compileZone(snapshotOf(same, clusterSetIp('solo', { ips: ['10.45.0.9'] })), compiled);
    const after = compileZone(snapshotOf(same, clusterSetIp('solo', { ips: ['127.0.0.9'] })), compiled);
    const nodesOf = ({ apexes }: Zone, view: 'loopbackClients' | 'otherClients', name: string) =>
      apexes[0]?.[view].services.get(name);
    assert.equal(nodesOf(after, 'loopbackClients', 'web.shop'), nodesOf(before, 'loopbackClients', 'web.shop'));
    assert.deepEqual(nodesOf(after, 'loopbackClients', 'solo.shop')?.here.records.get(TYPE.A)?.length, 1);
    assert.equal(nodesOf(after, 'otherClients', 'solo.shop')?.here.records.get(TYPE.A), undefined);
    assert.deepEqual(after.skipped, { count: 1, examples: ['shop/web: one of its addresses is not an IP address'] });
    assert.deepEqual(before.skipped, after.skipped);
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

  it('a service twice → the first, and a report', () => {
    const services = [clusterSetIp('web', { ips: ['10.0.0.1'] }), clusterSetIp('web', { ips: ['10.0.0.2'] })];
    assert.equal(compileZone(snapshotOf(...services)).skipped.count, 1);
    assert.deepEqual(
      ask(services, 'web.shop.svc', TYPE.A).answers.map((record) => 'address' in record && record.address),
      ['10.0.0.1'],
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
