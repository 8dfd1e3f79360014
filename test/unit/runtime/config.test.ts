import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { AppError } from '#src/api/errors.ts';
import { parseConfig, type ConfigSources } from '#src/runtime/config.ts';

const MINIMAL = 'peer: east\nfabric: {ca: fabric/cert.pem, cert: east/cert.pem, key: east/key.pem}\n';

function sourcesWith(text: string, changes: Partial<ConfigSources> = {}): ConfigSources {
  return { file: { name: 'conf/peer.yaml', text }, env: {}, cwd: '/srv', state: 'state', ...changes };
}

function failureOf(sources: ConfigSources): AppError {
  try {
    parseConfig(sources);
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, 'ERR_CONFIG');
    assert.ok(error.fix !== undefined && error.fix !== '');
    return error;
  }
  return assert.fail('it was accepted');
}

describe('parseConfig', () => {
  it('the least → every default, paths absolute, nothing to be dialled, no listener', () => {
    assert.deepEqual(parseConfig(sourcesWith(MINIMAL)), {
      peer: 'east',
      fabric: {
        name: 'default_fabric',
        ca: '/srv/conf/fabric/cert.pem',
        cert: '/srv/conf/east/cert.pem',
        key: '/srv/conf/east/key.pem',
      },
      gateway: { advertise: [] },
      clusterlinkCompat: 'on',
      proxyExcept: [],
      workers: 0,
      vips: '127.125.176.0/20',
      dns: {
        listen: { host: '127.0.0.1', port: 5353 },
        zones: ['clusterset.local'],
        clients: ['127.0.0.0/8', '::1/128'],
        threads: 1,
        repliesPerSecond: 10_000,
        queryLog: 0,
      },
      client: { namespace: 'default', serviceAccount: 'host', labels: {} },
      exports: { targets: [], namespaces: [] },
      fastPath: 'on',
      admin: '/srv/state/admin.sock',
      labels: {},
      log: { level: 'info' },
      drainSeconds: 30,
    });
  });

  it('everything → as written', () => {
    const config = parseConfig(
      sourcesWith(`${MINIMAL}
gateway: {listen: "[::]:4443", advertise: ["203.0.113.1:4443", "gw.east.example:443"]}
vips: 10.96.16.0/20
dns: {listen: "127.0.0.1:53", zones: [clusterset.local, corp.example], clients: [10.0.0.0/8]}
client: {namespace: apps, serviceAccount: web, labels: {app.kubernetes.io/name: web, tier: ""}}
exports: {targets: ["127.0.0.1:*", "10.0.0.0/8:5432", "*:80"], namespaces: [default]}
admin: run/admin.sock
metrics: "127.0.0.1:9090"
labels: {region: eu}
log: {level: debug}
drainSeconds: 0
`),
    );
    assert.deepEqual(config.gateway.listen, { host: '::', port: 4443 });
    assert.deepEqual(config.gateway.advertise[1], { host: 'gw.east.example', port: 443 });
    assert.equal(config.admin, '/srv/conf/run/admin.sock');
    assert.deepEqual(config.metrics, { host: '127.0.0.1', port: 9090 });
    assert.deepEqual(config.client.labels, { 'app.kubernetes.io/name': 'web', tier: '' });
    assert.equal(config.drainSeconds, 0);
  });

  it('the result → frozen all the way down', () => {
    const config = parseConfig(sourcesWith(MINIMAL));
    assert.throws(() => (config.dns.zones as string[]).push('x'), TypeError);
    assert.ok(Object.isFrozen(config) && Object.isFrozen(config.fabric));
  });

  it('flag, variable and file for one setting → flag, then variable, then file', () => {
    const text = `${MINIMAL}log: {level: debug}\n`;
    const env = { CLUSTERLINK_MCS_LOG_LEVEL: 'warn' };
    assert.equal(parseConfig(sourcesWith(text)).log.level, 'debug');
    assert.equal(parseConfig(sourcesWith(text, { env })).log.level, 'warn');
    assert.equal(parseConfig(sourcesWith(text, { env, flags: { 'log.level': 'error' } })).log.level, 'error');
    assert.equal(parseConfig(sourcesWith(text, { env, flags: { 'log.level': undefined } })).log.level, 'warn');
  });

  it('no file at all → the environment is enough; its paths are relative to the working directory', () => {
    const config = parseConfig({
      cwd: '/srv',
      state: '/var/state',
      env: {
        CLUSTERLINK_MCS_PEER: 'west',
        CLUSTERLINK_MCS_FABRIC_CA: 'ca.pem',
        CLUSTERLINK_MCS_FABRIC_CERT: '/etc/cert.pem',
        CLUSTERLINK_MCS_FABRIC_KEY: 'key.pem',
        CLUSTERLINK_MCS_EXPORTS_TARGETS: '127.0.0.1:*, 10.0.0.0/8:5432',
        CLUSTERLINK_MCS_CLIENT_SERVICE_ACCOUNT: 'web',
        CLUSTERLINK_MCS_LABELS: 'region=eu,tier=',
        CLUSTERLINK_MCS_DRAIN_SECONDS: '5',
        CLUSTERLINK_MCS_STORE: 'dir:.',
        CLUSTERLINK_MCS_DNS_SERVICE_HOST: '10.0.0.1',
        CLUSTERLINK_MCS_PORT_53_UDP_ADDR: '10.0.0.1',
        OTHER: 'x',
      },
    });
    assert.deepEqual(config.fabric, {
      name: 'default_fabric',
      ca: '/srv/ca.pem',
      cert: '/etc/cert.pem',
      key: '/srv/key.pem',
    });
    assert.deepEqual(config.exports.targets, ['127.0.0.1:*', '10.0.0.0/8:5432']);
    assert.deepEqual(config.labels, { region: 'eu', tier: '' });
    assert.equal(config.client.serviceAccount, 'web');
    assert.equal(config.drainSeconds, 5);
    assert.equal(config.admin, '/var/state/admin.sock');
  });

  it('a mapping with nothing in it → as if it were not there', () => {
    assert.deepEqual(parseConfig(sourcesWith(`${MINIMAL}gateway:\nlog:\n  level:\n`)).log, { level: 'info' });
  });

  const unknown: readonly (readonly [string, string, RegExp, RegExp])[] = [
    ['a mistyped key', 'gatway: {}', /^conf\/peer\.yaml:3:1: gatway: is not a setting$/, /did you mean gateway\?/],
    [
      'a mistyped inner key',
      'gateway:\n  lsten: "x"',
      /peer\.yaml:4:3: gateway\.lsten: is not/,
      /did you mean gateway\.listen\?/,
    ],
    ['a key at the wrong place', 'zones: [a]', /peer\.yaml:3:1: zones: is not/, /did you mean dns\.zones\?/],
    ['a key from nowhere', 'frobnicate: 1', /peer\.yaml:3:1: frobnicate: is not/, /run --help/],
    ['__proto__', '__proto__: {peer: x}', /__proto__: is not a setting/, /./],
  ];
  for (const [title, line, message, fix] of unknown) {
    it(`${title} → ERR_CONFIG with file, line and a guess`, () => {
      const failure = failureOf(sourcesWith(`${MINIMAL}${line}\n`));
      assert.match(failure.message, message);
      assert.match(failure.fix ?? '', fix);
    });
  }

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['metrics: 9090', /:3:1: metrics: is not text/],
    ['metrics: "9090"', /metrics: "9090" is not host:port/],
    ['metrics: "127.0.0.1:0"', /not host:port with a port from 1 to 65535/],
    ['gateway: {listen: "0.0.0.0:70000"}', /:3:11: gateway\.listen: "0\.0\.0\.0:70000" is not host:port/],
    ['gateway: {listen: "::1:4443"}', /not host:port/],
    ['gateway: {advertise: "a:1"}', /gateway\.advertise: is not a list/],
    ['gateway: {advertise: ["a:1", "b"]}', /gateway\.advertise\.1: "b" is not host:port/],
    ['gateway: 4443', /gateway: is not a mapping/],
    ['vips: 127.64.0.1/20', /vips: "127\.64\.0\.1\/20" does not begin at 127\.64\.0\.0/],
    ['vips: 127.64.0.0/31', /is not between \/8 and \/30/],
    ['vips: fd00::/64', /is not an IPv4 range/],
    ['dns: {zones: []}', /dns\.zones: \[\] is empty/],
    ['dns: {zones: [Clusterset.Local]}', /not a domain name/],
    ['dns: {clients: [10.0.0.0/33]}', /not a network/],
    ['dns: {threads: 0}', /dns\.threads: .*is not a whole number from 1 to 16/],
    ['dns: {repliesPerSecond: 0.5}', /dns\.repliesPerSecond: .*is not a whole number/],
    ['dns: {queryLog: -1}', /dns\.queryLog: .*is not a whole number/],
    ['exports: {targets: ["10.0.0.1"]}', /is not host:port/],
    ['exports: {targets: ["10.0.0.1:0"]}', /is not host:port/],
    ['exports: {namespaces: [Default]}', /not an RFC 1123 label/],
    ['labels: {"a b": c}', /labels\.a b: .*is not a label key/],
    ['labels: {a: "b c"}', /labels\.a: "b c" is not a label value/],
    ['labels: {a: 1}', /labels\.a: is not text/],
    ['log: {level: loud}', /log\.level: is not debug, info, warn, error/],
    ['proxy: "https://proxy:3128"', /:3:1: proxy: has another scheme than http/],
    ['proxy: "proxy:3128"', /proxy: is not http:/],
    ['proxy: {host: proxy}', /proxy: is not text/],
    ['proxyExcept: ["*.corp"]', /proxyExcept\.0: "\*\.corp" is not a host/],
    ['workers: -1', /is not a whole number from 0 to 64/],
    ['workers: 65', /is not a whole number/],
    ['drainSeconds: -1', /is not a whole number from 0 to 3600/],
    ['drainSeconds: 3601', /is not a whole number/],
    ['drainSeconds: "5"', /drainSeconds: is not a number/],
    ['admin: ""', /admin: "" is empty/],
  ];
  for (const [line, message] of wrong) {
    it(`${line} → ERR_CONFIG`, () => {
      assert.match(failureOf(sourcesWith(`${MINIMAL}${line}\n`)).message, message);
    });
  }

  it('a proxy with a password → the password in no message, and not in the configuration as it is printed', () => {
    const env = { CLUSTERLINK_MCS_PROXY: 'http://user:hush@proxy:99999' };
    const { message, fix = '' } = failureOf(sourcesWith(MINIMAL, { env }));
    assert.equal(message, 'CLUSTERLINK_MCS_PROXY: proxy: has no host:port with a port from 1 to 65535');
    assert.doesNotMatch(fix, /hush/);
    const config = parseConfig(sourcesWith(`${MINIMAL}proxy: "http://user:hush@proxy:3128"\n`));
    assert.deepEqual([config.proxy?.host, config.proxy?.port], ['proxy', 3128]);
    assert.match(config.proxy?.authorization() ?? '', /^Basic /);
    assert.doesNotMatch(JSON.stringify(config) + inspect(config, { depth: 9 }), /hush|dXNlcjpodXNo/);
  });

  it('a peer name that is no label, from the environment → names the variable, not the file', () => {
    const failure = failureOf(sourcesWith(MINIMAL, { env: { CLUSTERLINK_MCS_PEER: 'East' } }));
    assert.equal(failure.message, 'CLUSTERLINK_MCS_PEER: peer: "East" is not an RFC 1123 label');
    assert.match(failure.fix ?? '', /peer: east/);
  });

  it('a number that is none, from a flag → names the flag', () => {
    const failure = failureOf(sourcesWith(MINIMAL, { flags: { drainSeconds: 'soon' } }));
    assert.match(failure.message, /^--drain-seconds: drainSeconds: is not a number/);
  });

  it('a mistyped variable → ERR_CONFIG with a guess', () => {
    const failure = failureOf(sourcesWith(MINIMAL, { env: { CLUSTERLINK_MCS_PEEER: 'x' } }));
    assert.equal(failure.fix, 'did you mean CLUSTERLINK_MCS_PEER?');
  });

  it('nothing at all → says what is missing and where it can be set', () => {
    const failure = failureOf({ env: {}, cwd: '/', state: '/s' });
    assert.match(failure.message, /^peer: is missing; fabric: is missing$/);
    assert.match(failure.fix ?? '', /CLUSTERLINK_MCS_PEER or --peer/);
  });

  it('a fabric without a key → names fabric.key', () => {
    assert.match(failureOf(sourcesWith('peer: east\nfabric: {ca: a, cert: b}\n')).message, /^fabric\.key: is missing$/);
  });

  const unreadable: readonly (readonly [string, string, RegExp])[] = [
    ['broken YAML', 'peer: [east\n', /^conf\/peer\.yaml:\d+:\d+: /],
    ['a key twice', `${MINIMAL}peer: west\n`, /^conf\/peer\.yaml:3:1: /],
    ['two documents', `${MINIMAL}---\npeer: west\n`, /^conf\/peer\.yaml:3:1: /],
    ['a list', '- peer\n', /is not a mapping of settings/],
    ['a text', 'hello', /is not a mapping of settings/],
    ['many aliases', `a: &a [x]\nb: [${'*a,'.repeat(20)}]\n`, /more than 16 aliases/],
  ];
  for (const [title, text, message] of unreadable) {
    it(`${title} → ERR_CONFIG`, () => assert.match(failureOf(sourcesWith(text)).message, message));
  }

  it('more problems than are shown → the first ten and how many more', () => {
    const bad = Array.from({ length: 12 }, () => '"x"').join(',');
    const failure = failureOf(sourcesWith(`${MINIMAL}gateway: {advertise: [${bad}]}\n`));
    assert.match(failure.message, /; and 2 more$/);
    assert.equal(failure.details.problems, 12);
  });
});
