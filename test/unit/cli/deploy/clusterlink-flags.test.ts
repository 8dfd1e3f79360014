import assert from 'node:assert/strict';
import { Command } from 'commander';
import {
  readClusterLinkFlags,
  withClusterLinkFlags,
  type ClusterLinkFlags,
} from '#src/cli/deploy/clusterlink-flags.ts';

describe('readClusterLinkFlags', () => {
  function read(line: string): ReturnType<typeof readClusterLinkFlags> {
    const command = withClusterLinkFlags(new Command())
      .exitOverride()
      .configureOutput({ writeErr: () => undefined });
    command.parse(line === '' ? [] : line.split(' '), { from: 'user' });
    return readClusterLinkFlags(command.opts<ClusterLinkFlags & Record<string, unknown>>());
  }

  const UNDERSTOOD: readonly (readonly [string, object])[] = [
    ['', { ingress: { type: 'ClusterIP' }, replicas: {} }],
    ['--ingress none --namespace clusterlink-system --start all', { ingress: { type: 'ClusterIP' }, replicas: {} }],
    ['--ingress NodePort', { ingress: { type: 'NodePort' }, replicas: {} }],
    ['--ingress NodePort --ingress-port 30000', { ingress: { type: 'NodePort', port: 30_000 }, replicas: {} }],
    ['--ingress NodePort --ingress-port 32767', { ingress: { type: 'NodePort', port: 32_767 }, replicas: {} }],
    ['--ingress LoadBalancer --ingress-port 443', { ingress: { type: 'LoadBalancer', port: 443 }, replicas: {} }],
    [
      '--ingress LoadBalancer --ingress-annotations a.example/b=c,d,e=f --ingress-annotations g=h=i',
      {
        ingress: { type: 'LoadBalancer', annotations: { 'a.example/b': 'c,d', e: 'f', g: 'h=i' } },
        replicas: {},
      },
    ],
    [
      '--dataplane-replicas 10 --controlplane-replicas 1',
      { ingress: { type: 'ClusterIP' }, replicas: { gateway: 10, controller: 1 } },
    ],
    [
      '--label region=eu,tier=gold --label zone=a',
      { ingress: { type: 'ClusterIP' }, replicas: {}, labels: { region: 'eu', tier: 'gold', zone: 'a' } },
    ],
    ['--log-level info', { ingress: { type: 'ClusterIP' }, replicas: {}, logLevel: 'info' }],
  ];
  for (const [line, intent] of UNDERSTOOD) {
    it(`${line === '' ? 'nothing' : line} → understood, and nothing to say`, () => {
      assert.deepEqual(read(line), { intent, notes: [] });
    });
  }

  const NOTED: readonly (readonly [string, RegExp, string | undefined])[] = [
    ['--dataplane envoy', /^--dataplane envoy: means nothing here/, undefined],
    ['--dataplane go', /^--dataplane go: means nothing here/, undefined],
    ['--log-level trace', /^--log-level trace: debug here/, 'debug'],
    ['--log-level warning', /^--log-level warning: warn here/, 'warn'],
    ['--log-level fatal', /^--log-level fatal: error here/, 'error'],
  ];
  for (const [line, note, logLevel] of NOTED) {
    it(`${line} → taken, and said`, () => {
      const { intent, notes } = read(line);
      assert.equal(notes.length, 1);
      assert.match(notes[0] ?? '', note);
      assert.equal(intent.logLevel, logLevel);
    });
  }

  const REFUSED: readonly (readonly [string, RegExp, RegExp])[] = [
    ['--start operator', /no operator/, /--start none/],
    ['--container-registry r.example', /--container-registry: .* one image/, /--image/],
    ['--tag v1', /--tag: .* one image/, /--image/],
    ['--namespace other', /lives in clusterlink-system alone/, /leave --namespace out/],
    ['--ingress-port 443', /no ingress/, /--ingress NodePort/],
    ['--ingress-annotations a=b', /--ingress-annotations: there is no ingress/, /--ingress/],
    ['--ingress NodePort --ingress-port 29999', /is no NodePort/, /30000 to 32767/],
    ['--ingress NodePort --ingress-port 32768', /is no NodePort/, /30000 to 32767/],
    ['--ingress LoadBalancer --ingress-port 65536', /is not a port/, /30443/],
    ['--dataplane-replicas 0', /--dataplane-replicas: "0"/, /from 1 to 10/],
    ['--controlplane-replicas 11', /--controlplane-replicas: "11"/, /from 1 to 10/],
    ['--label region', /"region" is not KEY=VALUE/, /region=eu/],
    ['--label a/b/c=d', /--label: key "a\/b\/c" has 2 slashes/, /prefix\/name/],
    ['--label a=-b', /--label: value "-b" is not legal/, /letter or digit/],
  ];
  for (const [line, message, fix] of REFUSED) {
    it(`${line} → ERR_USAGE with a remedy`, () => {
      assert.throws(
        () => read(line),
        (error: Error & { code?: string; fix?: string }) =>
          error.code === 'ERR_USAGE' && message.test(error.message) && fix.test(error.fix ?? ''),
      );
    });
  }

  it('an ingress or a level that is none → the command line is refused', () => {
    for (const line of ['--ingress Node', '--log-level loud', '--start never']) {
      assert.throws(() => read(line), { code: 'commander.invalidArgument' });
    }
  });
});
