import assert from 'node:assert/strict';
import { isFamily } from '#test/bench/gateway/keys.ts';
import { findClusterlinks } from '#test/bench/gateway/clusterlink.ts';
import { findEnvoys, parseEnvoyVersion } from '#test/bench/gateway/envoy.ts';
import { findHaproxies, parseHaproxyVersion } from '#test/bench/gateway/haproxy.ts';
import { parseReport } from '#test/bench/gateway/iperf3.ts';
import { isPresent } from '#test/bench/gateway/system.ts';

describe('parseHaproxyVersion', () => {
  const printed = (version: string): string =>
    `HAProxy version ${version} 2026/10/17 - https://haproxy.org/\nRunning on OpenSSL version : OpenSSL 3.5.7 1 Jul 2026\n`;
  for (const [version, expected] of [
    ['2.6.12-1+deb12u4', { name: 'haproxy2', text: '2.6.12-1+deb12u4 on OpenSSL 3.5.7 1 Jul 2026' }],
    ['3.0.11', { name: 'haproxy3', text: '3.0.11 on OpenSSL 3.5.7 1 Jul 2026' }],
    ['4.0.0', undefined],
  ] as const) {
    it(`${version} → ${expected?.name}`, () => assert.deepEqual(parseHaproxyVersion(printed(version)), expected));
  }
  it('something else → undefined', () => assert.equal(parseHaproxyVersion('nginx version: nginx/1.22.1'), undefined));
});

describe('parseEnvoyVersion', () => {
  it('what Envoy prints → its version and its TLS library', () => {
    const printed = '\nenvoy  version: bad8280de85c25b147a90c1d9b8a8c67a13e7134/1.36.4/Clean/RELEASE/BoringSSL\n\n';
    assert.equal(parseEnvoyVersion(printed), '1.36.4 on BoringSSL');
  });
  it('something else → undefined', () => assert.equal(parseEnvoyVersion('envoy 1'), undefined));
});

describe('rivals that are not installed', () => {
  const nowhere = '/nowhere/program';
  for (const [name, candidates] of [
    ['HAProxy', findHaproxies([nowhere])],
    ['Envoy', findEnvoys(nowhere)],
    ['ClusterLink, no folder given', findClusterlinks(undefined)],
    ['ClusterLink, no such folder', findClusterlinks('/nowhere')],
    ['ClusterLink, nothing that starts it', findClusterlinks('/')],
  ] as const) {
    it(`${name} → both named, and why they are not compared`, () => {
      assert.equal(candidates.length, 2);
      for (const candidate of candidates) assert.ok(!isPresent(candidate) && candidate.absent !== '');
    });
  }
  it("ClusterLink's harness → what it gives", () => {
    const given = [{ name: 'clusterlink-go', absent: 'of the test' }] as const;
    assert.deepEqual(
      findClusterlinks('/', () => given),
      given,
    );
  });
});

describe('isFamily', () => {
  it('a family, a rival, a property of every object → yes, no, no', () => {
    assert.deepEqual(['haproxy', 'haproxy2', 'constructor'].map(isFamily), [true, false, false]);
  });
});

describe('parseReport', () => {
  it('what arrived → Gbit/s and bytes', () => {
    const report = { end: { sum_sent: { bytes: 9 }, sum_received: { bytes: 250_000_000, bits_per_second: 2e9 } } };
    assert.deepEqual(parseReport(JSON.stringify(report)), { gbit: 2, bytes: 250_000_000 });
  });
  for (const [text, message] of [
    ['', /ended before/],
    ['{"error":"unable to connect"}', /unable to connect/],
    ['{"end":{}}', /nothing was transferred/],
    ['{"end":{"sum_received":{"bytes":0,"bits_per_second":0}}}', /nothing was transferred/],
  ] as const) {
    it(`${text || 'nothing'} → an error`, () => assert.throws(() => parseReport(text), message));
  }
});
