import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import type { KubeObject } from '#src/api/object.ts';
import { writeManifest } from '#src/store/directory/writer.ts';
import { allowAll, exportDocument, makeTestFolders, type TestFolders } from '#test/support/directory.ts';

function exportOf(namespace: string | undefined, name: string, team = 'a'): KubeObject {
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceExport',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    ...{ spec: { exportedLabels: { team } } },
  };
}

describe('writeManifest', () => {
  let folders: TestFolders;
  beforeEach(async () => {
    folders = await makeTestFolders();
  });
  afterEach(async () => {
    await folders[Symbol.asyncDispose]();
  });
  const write = (object: KubeObject, force?: boolean): Promise<string> =>
    writeManifest({ manifests: folders.manifests, object, ...(force === undefined ? {} : { force }) });

  it('a new object → <kind>-<namespace>-<name>.yaml, nothing else, and a running store takes it', async () => {
    const path = await write(exportOf('shop', 'db'));
    assert.equal(path, join(folders.manifests, 'serviceexport-shop-db.yaml'));
    assert.deepEqual(await readdir(folders.manifests), ['serviceexport-shop-db.yaml']);
    assert.deepEqual(parse(await readFile(path, 'utf8')), exportOf('shop', 'db'));
    const store = await folders.open();
    assert.notEqual(await store.get('ServiceExport', { namespace: 'shop', name: 'db' }), undefined);
    assert.deepEqual(store.problems(), []);
  });

  it('an object that another file declares → ERR_ALREADY_EXISTS with file and line, force or not', async () => {
    await folders.put('mine/all.yaml', `${exportDocument('web', 'a')}---\n${exportDocument('db', 'a')}`);
    for (const force of [false, true]) {
      await assert.rejects(write(exportOf('shop', 'db'), force), {
        code: 'ERR_ALREADY_EXISTS',
        message: /mine\/all\.yaml:\d/,
        fix: /mine\/all\.yaml/,
      });
    }
    assert.deepEqual(await readdir(folders.manifests), ['mine']);
  });

  it('an object that an invalid document names → ERR_ALREADY_EXISTS: corrected, it would be a second one', async () => {
    await folders.put('a.yaml', exportDocument('db', 'a').replace('exportedLabels', 'exportedLabel'));
    await assert.rejects(write(exportOf('shop', 'db')), { code: 'ERR_ALREADY_EXISTS' });
  });

  it('without a namespace → the same as in default', async () => {
    await write(exportOf('default', 'db'));
    await assert.rejects(write(exportOf(undefined, 'db')), { code: 'ERR_ALREADY_EXISTS' });
  });

  it('the same with force, alone in its file → replaced', async () => {
    const path = await write(exportOf('shop', 'db', 'a'));
    assert.equal(await write(exportOf('shop', 'db', 'b'), true), path);
    assert.deepEqual(parse(await readFile(path, 'utf8')), exportOf('shop', 'db', 'b'));
  });

  it('two objects that want one name → two files', async () => {
    const first = await write(exportOf('a-b', 'c'));
    const second = await write(exportOf('a', 'b-c'));
    assert.deepEqual(
      [first, second].map((path) => basename(path)),
      ['serviceexport-a-b-c.yaml', 'serviceexport-a-b-c-2.yaml'],
    );
  });

  it('a name of 253 characters → a file name that fits', async () => {
    const path = await write(allowAll('x'.repeat(253)));
    assert.ok(basename(path).length <= 255);
  });

  for (const [what, object] of [
    ['an unknown field', { ...exportOf('shop', 'db'), ...{ spec: { nothing: 1 } } }],
    ['a name that is a path', exportOf('shop', '../../etc/cron.d/x')],
    ['a namespace that is a path', exportOf('../..', 'db')],
    ['an unknown kind', { ...exportOf('shop', 'db'), kind: 'Deployment' }],
    [
      'an internal kind',
      { ...exportOf('shop', 'db'), apiVersion: 'mcs.clusterlink.net/v1alpha1', kind: 'PeerRecords' },
    ],
  ] as const) {
    it(`${what} → ERR_INVALID_OBJECT, and nothing is written`, async () => {
      await assert.rejects(write(object), { code: 'ERR_INVALID_OBJECT' });
      assert.deepEqual(await readdir(folders.manifests), []);
    });
  }

  it('a folder that is not there → ERR_CONFIG', async () => {
    await rm(folders.manifests, { recursive: true });
    await assert.rejects(write(exportOf('shop', 'db')), { code: 'ERR_CONFIG' });
  });
});
