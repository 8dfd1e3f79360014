import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { kubeConfigFiles, loadKubeConfigs, mergeKubeConfigs, UsageError } from '#test/conformance/kubeconfig.ts';
import { makeClusters } from '#test/conformance/clusters.ts';

const cluster = (name: string, server: string) => ({ name, server, skipTLSVerify: false });
const context = (name: string, of = name) => ({ name, cluster: of, user: of });

describe('mergeKubeConfigs', () => {
  it('a name in two files → the first one holds, as with kubectl', () => {
    const merged = mergeKubeConfigs([
      { clusters: [cluster('a', 'https://1')], users: [{ name: 'a' }], contexts: [context('a')], currentContext: '' },
      {
        clusters: [cluster('a', 'https://2'), cluster('b', 'https://3')],
        users: [{ name: 'a' }, { name: 'b' }],
        contexts: [context('a', 'b'), context('b')],
        currentContext: 'b',
      },
    ]);
    assert.deepEqual(
      merged.clusters.map(({ name, server }) => [name, server]),
      [
        ['a', 'https://1'],
        ['b', 'https://3'],
      ],
    );
    assert.deepEqual(merged.contexts, [context('a'), context('b')]);
    assert.deepEqual(
      merged.users.map(({ name }) => name),
      ['a', 'b'],
    );
    assert.equal(merged.currentContext, 'b');
  });
});

describe('kubeConfigFiles', () => {
  const home = join(homedir(), '.kube', 'config');
  const rows: [string, string | undefined, NodeJS.ProcessEnv, string[]][] = [
    ['a flag', 'f', { KUBECONFIG: 'g' }, ['f']],
    ['several files', ['a', '', 'b'].join(delimiter), {}, ['a', 'b']],
    ['the environment', undefined, { KUBECONFIG: ['g', 'h'].join(delimiter) }, ['g', 'h']],
    ['nothing', undefined, {}, [home]],
    ['an empty environment', undefined, { KUBECONFIG: '' }, [home]],
  ];
  for (const [what, given, environment, expected] of rows) {
    it(`${what} → ${expected.length} file(s)`, () => assert.deepEqual(kubeConfigFiles(given, environment), expected));
  }
});

describe('loadKubeConfigs', () => {
  it('only files that are not there → UsageError that names them', () => {
    assert.throws(() => loadKubeConfigs(['/nonexistent/a']), /no kubeconfig: \/nonexistent\/a/);
  });
});

describe('makeClusters', () => {
  const parts = {
    clusters: [cluster('one', 'https://1')],
    users: [],
    contexts: [context('a', 'one'), context('b')],
    currentContext: 'a',
  };

  it('contexts → clients named after their clusters', () => {
    assert.deepEqual(
      makeClusters(parts, ['a']).map(({ context, name }) => [context, name]),
      [['a', 'one']],
    );
  });

  it('an unknown context → UsageError that lists the known ones', () => {
    assert.throws(() => makeClusters(parts, ['x']), /no context x in the kubeconfig; it has: a, b/);
  });

  it('a context without its cluster → UsageError', () => assert.throws(() => makeClusters(parts, ['b']), UsageError));
});
