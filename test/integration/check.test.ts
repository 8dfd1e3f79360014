import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { checkManifests, formatProblems, type CheckResult } from '#src/cli/check.ts';
import { MANIFEST_BYTES_MAX } from '#src/store/limits.ts';

const service = `apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {ports: [{name: pg, port: 5432}]}
`;
const serviceExport = `apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {name: db, namespace: shop, labels: {tier: gold}}
`;
const everything = '[{workloadSelector: {}}]';

function policy(action: string, { namespace = 'shop', name = 'p', to = everything } = {}): string {
  return `apiVersion: clusterlink.net/v1alpha1
kind: AccessPolicy
metadata: {name: ${name}, namespace: ${namespace}}
spec: {action: ${action}, from: ${everything}, to: ${to}}
`;
}

function rule(
  name: string,
  more: string,
  { kind = 'ClusterImportRule', exports = '{namespaces: [shop], names: [db]}' } = {},
): string {
  return `apiVersion: mcs.clusterlink.net/v1alpha1
kind: ${kind}
metadata: {name: ${name}}
spec: {peers: {names: [east, west]}, exports: ${exports}, ${more}}
`;
}

const selectsLabels = (labels: string): string => `[{workloadSelector: {matchLabels: {${labels}}}}]`;

describe('checkManifests', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-check-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function check(files: Record<string, string | Uint8Array>): Promise<CheckResult> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    return checkManifests(folder);
  }
  const messages = ({ problems }: CheckResult): string[] =>
    problems.map(
      ({ file, line, severity, object, message }) =>
        `${file.slice(folder.length + 1)}:${line} ${severity} ${object}: ${message}`,
    );

  it('manifests in folders below, YAML and JSON, other files aside → counted, nothing wrong', async () => {
    const json = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { ports: [{ port: 80 }] },
    });
    const result = await check({
      'a/b/c.yml': service,
      'd.yaml': `${serviceExport}---\n${policy('allow')}`,
      'e.json': json,
      'README.md': ': [',
    });
    assert.deepEqual(result, { problems: [], files: 3, objects: 4 });
  });

  it('the same object in two files → an error at the second that names the first', async () => {
    const result = await check({ 'a.yaml': service, 'b.yaml': `\n${service}` });
    assert.deepEqual(messages(result), [
      `b.yaml:2 error Service shop/db: is declared in ${join(folder, 'a.yaml')}:1 already, which counts`,
    ]);
  });

  const allow = policy('allow');
  const clusterlinkExport = (spec: string): string =>
    `apiVersion: clusterlink.net/v1alpha1\nkind: Export\nmetadata: {name: db, namespace: shop}\nspec: ${spec}\n`;
  const rows: [title: string, text: string[], expected: RegExp[]][] = [
    [
      'a ServiceExport without Service',
      [serviceExport, allow],
      [/^a.yaml:1 warning ServiceExport shop\/db: exports Service shop\/db, which is in none/],
    ],
    [
      'a ClusterLink Export without Service',
      [clusterlinkExport('{port: 5432}'), allow],
      [/^a.yaml:1 warning Export shop\/db: exports Service shop\/db, which is in none/],
    ],
    [
      'one of another Service by its DNS name',
      [service, clusterlinkExport('{port: 80, host: web.shop.svc.cluster.local}'), allow],
      [/warning Export shop\/db: exports Service shop\/web, which is in none/],
    ],
    ['one of a host', [clusterlinkExport('{port: 80, host: db.internal.example}'), allow], []],
    [
      'one without policy',
      [service, clusterlinkExport('{port: 5432}')],
      [/warning Export shop\/db: no policy in these files allows anybody/],
    ],
    [
      'one with the name of a ServiceExport, which counts',
      [service, clusterlinkExport('{port: 5432}'), serviceExport, allow],
      [/warning Export shop\/db: is not offered: ServiceExport shop\/db has this name and counts/],
    ],
    [
      'one without a port',
      [service, clusterlinkExport('{}'), allow],
      [/error Export shop\/db: is missing/, /AccessPolicy shop\/p: has no effect/],
    ],
    [
      'a ServiceExport whose Service is wrong',
      [service.replace('5432', '0'), serviceExport, allow],
      [/error Service shop\/db: must be a number between 1 and 65535/],
    ],
    [
      'an export without policy',
      [service, serviceExport],
      [/^a.yaml:6 warning ServiceExport shop\/db: no policy in these files allows anybody/],
    ],
    [
      'an export with a deny only',
      [service, serviceExport, policy('deny')],
      [/no policy in these files allows anybody/],
    ],
    [
      'an export with an allow for another export',
      [service, serviceExport, policy('allow', { to: selectsLabels('export.clusterlink.net/name: web') })],
      [/no policy in these files allows anybody/],
    ],
    [
      'an export with an allow for its label',
      [service, serviceExport, policy('allow', { to: selectsLabels('export.clusterlink.net/labels.tier: gold') })],
      [],
    ],
    [
      'an export with an allow for this peer, whatever it is called',
      [service, serviceExport, policy('allow', { to: selectsLabels('peer.clusterlink.net/name: east') })],
      [],
    ],
    [
      'an export with an allow that cannot be read',
      [service, serviceExport, policy('allow', { to: '[{}]' })],
      [/no policy in these files/, /error AccessPolicy shop\/p: is missing/],
    ],
    [
      'an export with a BaselineAccessPolicy',
      [
        service,
        serviceExport,
        policy('allow')
          .replace('clusterlink.net/v1alpha1', 'mcs.clusterlink.net/v1alpha1')
          .replace('AccessPolicy', 'BaselineAccessPolicy')
          .replace(', namespace: shop', ''),
      ],
      [],
    ],
    [
      'a policy where nothing is exported or imported',
      [policy('allow', { namespace: 'web' })],
      [/AccessPolicy web\/p: has no effect: namespace web has neither/],
    ],
    [
      'a policy where a rule imports',
      [policy('allow', { namespace: 'store' }), rule('a', 'into: {namespace: store}')],
      [],
    ],
    [
      'a policy where an Import is',
      [
        policy('allow', { namespace: 'store' }),
        `apiVersion: clusterlink.net/v1alpha1
kind: Import
metadata: {name: cart, namespace: store}
spec: {port: 80, sources: [{peer: a, exportName: b, exportNamespace: c}]}
`,
      ],
      [],
    ],
    [
      'a policy where a namespaced rule imports',
      [policy('allow', { namespace: 'default' }), rule('a', 'merge: false', { kind: 'ImportRule' })],
      [],
    ],
    [
      'a policy where an exporter’s namespace decides',
      [policy('allow', { namespace: 'web' }), rule('a', 'into: {sameNamespace: true}', { exports: '{all: true}' })],
      [],
    ],
    [
      'two rules for one name',
      [rule('a', 'into: {namespace: store}'), rule('b', 'into: {namespace: store}')],
      [
        /^a.yaml:6 warning ClusterImportRule b: ClusterImportRule b and ClusterImportRule a both want the import store\/db; ClusterImportRule a wins by its name/,
      ],
    ],
    [
      'two rules, the second of higher priority',
      [rule('a', 'into: {namespace: store}'), rule('b', 'into: {namespace: store}, priority: 7')],
      [/^a.yaml:1 warning ClusterImportRule a: .*ClusterImportRule b wins by its priority/],
    ],
    [
      'a namespaced and a cluster rule',
      [rule('a', 'into: {namespace: default}'), rule('b', 'merge: false', { kind: 'ImportRule' })],
      [/warning ImportRule default\/b: .*wins by its name/],
    ],
    [
      'two rules whose templates meet',
      [
        rule('a', 'into: {namespace: store, name: db-east}'),
        rule('b', 'into: {namespace: store, name: "{name}-{peer}"}'),
      ],
      [/both want the import store\/db-east/],
    ],
    [
      'two rules for two names',
      [rule('a', 'into: {namespace: store}'), rule('b', 'into: {namespace: store, name: other}')],
      [],
    ],
    [
      'two rules whose names only records could tell',
      [rule('a', 'into: {namespace: store}', { exports: '{all: true}' }), rule('b', 'into: {namespace: store}')],
      [],
    ],
    [
      'two rules that keep the namespace',
      [rule('a', 'into: {sameNamespace: true}'), rule('b', 'into: {namespace: shop}')],
      [/both want the import shop\/db/],
    ],
  ];
  for (const [title, texts, expected] of rows) {
    it(`${title} → ${expected.length} problems`, async () => {
      const found = messages(await check({ 'a.yaml': texts.join('---\n') }));
      assert.equal(found.length, expected.length, found.join('\n'));
      expected.forEach((message, index) => assert.match(found[index] ?? '', message));
    });
  }

  it('files that cannot be read → an error each, the others count', async () => {
    await symlink('nowhere', join(folder, 'link.yaml'));
    const result = await check({
      'bytes.yaml': new Uint8Array([0xff, 0xfe]),
      'large.yaml': '#'.repeat(MANIFEST_BYTES_MAX + 1),
      'good.yaml': service,
    });
    assert.deepEqual(messages(result), [
      'bytes.yaml:1 error undefined: cannot be read: not UTF-8',
      `large.yaml:1 error undefined: cannot be read: more than ${MANIFEST_BYTES_MAX} bytes`,
      'link.yaml:1 error undefined: cannot be read: a link that leads nowhere',
    ]);
    assert.deepEqual([result.files, result.objects], [4, 1]);
  });

  it('no such folder → ERR_CONFIG, not an empty success', async () => {
    await assert.rejects(checkManifests(join(folder, 'nowhere')), { code: 'ERR_CONFIG' });
  });

  it('text → file:line:col, severity, object, field, message, remedy; json → the same as data', async () => {
    const { problems } = await check({ 'a.yaml': service.replace('port: 5432', 'prot: 5432') });
    const text = formatProblems(problems, { output: 'text' });
    const place = `${join(folder, 'a.yaml')}:4`;
    assert.deepEqual(text.split('\n'), [
      `${place}:16: error: Service shop/db spec.ports[0].port: is missing. Fix: Add "port": a number between 1 and 65535.`,
      `${place}:27: error: Service shop/db spec.ports[0].prot: unknown field "prot", did you mean "port"? Fix: Rename it to "port", or delete it.`,
    ]);
    assert.deepEqual(JSON.parse(formatProblems(problems, { output: 'json' })), problems);
    assert.equal(formatProblems([], { output: 'text' }), '');
  });
});
