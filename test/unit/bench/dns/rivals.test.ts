import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCoredns, parseCorednsVersion, toCorefile } from '#test/bench/dns/coredns.ts';
import { parseCpuList } from '#test/bench/dns/cpus.ts';
import { toImports } from '#test/bench/dns/names.ts';
import { findNsd } from '#test/bench/dns/nsd.ts';
import { parseRefused } from '#test/bench/dns/ours.ts';
import { isPresent } from '#test/bench/dns/system.ts';
import { toNsdConfig, toZoneFile } from '#test/bench/dns/zone-file.ts';

describe('toZoneFile', () => {
  const lines = toZoneFile(toImports(2)).split('\n');
  it('an import → its address, and its port by SRV', () => {
    assert.ok(lines.includes('svc-1.bench.svc.clusterset.local. IN A 10.200.0.2'));
    const srv = '_http._tcp.svc-1.bench.svc.clusterset.local. IN SRV 0 100 8001 svc-1.bench.svc.clusterset.local.';
    assert.ok(lines.includes(srv));
  });
  it('the zone → a SOA before everything else, and a name server', () => {
    assert.deepEqual([lines[0], /^clusterset\.local\. IN SOA /.test(lines[1] ?? '')], ['$TTL 4', true]);
    assert.ok(lines.includes('clusterset.local. IN NS ns.dns.clusterset.local.'));
  });
  it('its last line → ended', () => assert.equal(lines.at(-1), ''));
});

describe('toNsdConfig', () => {
  const config = toNsdConfig({ host: '127.0.0.1', port: 5_300, folder: '/f', zoneFile: '/f/zone' });
  for (const line of [
    'ip-address: 127.0.0.1@5300',
    'server-count: 1',
    'rrl-ratelimit: 0',
    'control-enable: no',
    'zonefile: "/f/zone"',
  ]) {
    it(line, () => assert.ok(config.includes(`  ${line}\n`)));
  }
});

describe('toCorefile', () => {
  const options = { port: 5_300, kubeconfig: '/k' };
  it('without a cache → the multicluster zone at that port', () => {
    const text = toCorefile({ ...options, isCached: false });
    assert.match(text, /^clusterset\.local:5300 \{\n/);
    assert.match(text, /\n {8}multicluster clusterset\.local\n/);
    assert.doesNotMatch(text, /cache/);
  });
  it('with one → cache 30', () => assert.match(toCorefile({ ...options, isCached: true }), /\n {4}cache 30\n/));
});

describe('parseCorednsVersion', () => {
  it('what CoreDNS prints → its version and that of Go', () => {
    assert.equal(parseCorednsVersion('CoreDNS-1.15.0\nlinux/amd64, go1.26.8, \n'), '1.15.0, go1.26.8');
  });
  it('something else → undefined', () => assert.equal(parseCorednsVersion('BIND 9.18'), undefined));
});

describe('rivals of DNS', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-rivals-'));
  });
  after(() => rm(folder, { recursive: true }));

  for (const [name, candidates] of [
    ['NSD', [findNsd(['/nowhere/nsd'])]],
    ['CoreDNS', findCoredns('/nowhere/coredns')],
  ] as const) {
    it(`${name} that is not there → named, and why it is not compared`, () => {
      for (const candidate of candidates) assert.ok(!isPresent(candidate) && candidate.absent !== '');
    });
  }
  it('a CoreDNS → both forms of it', async () => {
    const program = join(folder, 'coredns');
    await writeFile(program, "#!/bin/sh\necho 'CoreDNS-1.15.0'\n", { mode: 0o700 });
    const found = findCoredns(program).map((candidate) => isPresent(candidate) && [candidate.name, candidate.version]);
    assert.deepEqual(found, [
      ['coredns', '1.15.0'],
      ['coredns-cache', '1.15.0'],
    ]);
  });
});

describe('parseRefused', () => {
  const count = (transport: string, reason: string, of: number): string =>
    `clusterlink_mcs_dns_dropped_total{transport="${transport}",reason="${reason}"} ${of}`;
  it('metrics → queries that were refused for who has asked, by reason', () => {
    const metrics = [
      '# TYPE clusterlink_mcs_dns_dropped_total counter',
      ...[count('udp', 'rate-limited', 3), count('tcp', 'client-not-allowed', 2), count('udp', 'send', 9)],
      'clusterlink_mcs_dns_queries_total{transport="udp",path="fast",type="A",rcode="NOERROR"} 7',
      '',
    ].join('\n');
    assert.deepEqual(parseRefused(metrics), ['rate-limited 3', 'client-not-allowed 2']);
  });
  it('none → none', () => assert.deepEqual(parseRefused(`${count('udp', 'rate-limited', 0)}\n`), []));
});

describe('parseCpuList', () => {
  for (const [text, expected] of [
    ['0', [0]],
    ['0-1', [0, 1]],
    ['2,4-6,9', [2, 4, 5, 6, 9]],
  ] as const) {
    it(text, () => assert.deepEqual(parseCpuList(text), expected));
  }
});
