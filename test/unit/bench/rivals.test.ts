import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findClusterlinks, type ClusterlinkName, type ClusterlinkPrograms } from '#test/bench/gateway/clusterlink.ts';
import { findEnvoys, parseEnvoyVersion } from '#test/bench/gateway/envoy.ts';
import { findHaproxies, parseHaproxyVersion } from '#test/bench/gateway/haproxy.ts';
import { parseReport } from '#test/bench/gateway/iperf3.ts';
import { isPresent, type System } from '#test/bench/gateway/system.ts';

describe('parseHaproxyVersion', () => {
  const printed = (version: string, library = 'OpenSSL'): string =>
    `HAProxy version ${version} 2026/10/17 - https://haproxy.org/\nRunning on ${library} version : OpenSSL 3.5.7 1 Jul 2026\n`;
  for (const [version, expected] of [
    ['2.6.12-1+deb12u4', { name: 'haproxy2', text: '2.6.12-1+deb12u4 on OpenSSL 3.5.7 1 Jul 2026' }],
    ['3.0.11', { name: 'haproxy3', text: '3.0.11 on OpenSSL 3.5.7 1 Jul 2026' }],
    ['4.0.0', undefined],
  ] as const) {
    it(`${version} → ${expected?.name}`, () => assert.deepEqual(parseHaproxyVersion(printed(version)), expected));
  }
  it('as 3.2 words it → the same', () => {
    assert.equal(parseHaproxyVersion(printed('3.2.0', 'SSL library'))?.text, '3.2.0 on OpenSSL 3.5.7 1 Jul 2026');
  });
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
    ['ClusterLink, no folder given', findClusterlinks({ folder: undefined, envoy: nowhere, harness: makeNothing })],
    ['ClusterLink, no such folder', findClusterlinks({ folder: '/nowhere', envoy: nowhere, harness: makeNothing })],
    [
      'ClusterLink, an empty folder',
      findClusterlinks({ folder: '/proc/self/fdinfo', envoy: nowhere, harness: makeNothing }),
    ],
  ] as const) {
    it(`${name} → both named, and why they are not compared`, () => {
      assert.equal(candidates.length, 2);
      for (const candidate of candidates) assert.ok(!isPresent(candidate) && candidate.absent !== '');
    });
  }
});

describe('findClusterlinks', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-rivals-'));
    for (const name of ['cl-controlplane', 'cl-go-dataplane', 'cl-dataplane']) {
      await writeFile(join(folder, name), `#!/bin/sh\necho '${name} version v0.4.1'\n`, { mode: 0o700 });
    }
    const envoy = '#!/bin/sh\necho "envoy  version: bad8280/1.36.4/Clean/RELEASE/BoringSSL"\n';
    await writeFile(join(folder, 'envoy'), envoy, { mode: 0o700 });
  });
  after(() => rm(folder, { recursive: true }));
  const find = (envoy: string): readonly (readonly [name: string, version: string])[] =>
    findClusterlinks({ folder, envoy, harness: makeFakes }).map((found) => [
      found.name,
      isPresent(found) ? found.version : 'absent',
    ]);

  it('all programs and an Envoy → both data planes, with their versions', () => {
    assert.deepEqual(find(join(folder, 'envoy')), [
      ['clusterlink-go', 'v0.4.1'],
      ['clusterlink-envoy', 'v0.4.1 with Envoy 1.36.4 on BoringSSL'],
    ]);
  });
  it('no Envoy → the Go data plane alone', () => {
    assert.deepEqual(find('/nowhere/envoy'), [
      ['clusterlink-go', 'v0.4.1'],
      ['clusterlink-envoy', 'absent'],
    ]);
  });
});

function makeNothing(): never {
  throw new Error('nothing was found that it could start');
}

function makeFakes({ versions }: ClusterlinkPrograms, names: readonly ClusterlinkName[]): readonly System[] {
  const start = (): never => makeNothing();
  return names.map((name) => ({ name, version: versions[name], settings: [], start }));
}

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
