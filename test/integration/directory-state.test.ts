import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DirectoryStore } from '#src/store/directory/store.ts';
import { TEMPORARY_PREFIX } from '#src/store/directory/atomic-file.ts';
import {
  allowAll,
  eventually,
  exportDocument,
  makeTestFolders,
  stateFiles,
  type TestFolders,
} from '#test/support/directory.ts';

const DB = { namespace: 'shop', name: 'db' };
const CONTROLLER = { fieldManager: 'clusterlink-mcs-controller' };
const EXPORTS = 'serviceexports.multicluster.x-k8s.io';
const identity = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: DB } as const;

describe('openDirectoryStore: state', () => {
  let folders: TestFolders;
  const objectsFolder = (): string => join(folders.state, 'objects', EXPORTS, 'shop');

  beforeEach(async () => {
    folders = await makeTestFolders();
  });
  afterEach(async () => {
    await folders[Symbol.asyncDispose]();
  });

  async function applyTeam(store: DirectoryStore, team: string): Promise<void> {
    await store.apply({ ...identity, spec: { exportedLabels: { team } } }, CONTROLLER);
  }

  describe('files', () => {
    it('a new state folder → 0700, its files 0600, one file an object', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      await store.apply({ ...identity, metadata: { namespace: 'shop', name: 'ours' } }, CONTROLLER);
      assert.equal((await stat(folders.state)).mode & 0o777, 0o700);
      assert.deepEqual([...(await stateFiles(folders.state)).keys()].sort(), [
        `${EXPORTS}/shop/db.json`,
        `${EXPORTS}/shop/ours.json`,
      ]);
      for (const name of ['db.json', 'ours.json']) {
        assert.equal((await stat(join(objectsFolder(), name))).mode & 0o777, 0o600);
      }
      assert.deepEqual(JSON.parse(await readFile(join(folders.state, 'schema.json'), 'utf8')), { version: 1 });
    });

    it('an object that goes → its file goes', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      await store.apply({ ...identity, metadata: { namespace: 'shop', name: 'ours' } }, CONTROLLER);
      await store.delete('ServiceExport', { namespace: 'shop', name: 'ours' });
      await folders.remove('a.yaml');
      await eventually('no files', async () => (await stateFiles(folders.state)).size === 0);
    });

    it('a write that changes nothing → the file is not touched', async () => {
      const store = await folders.open();
      await applyTeam(store, 'a');
      const before = await stat(join(objectsFolder(), 'db.json'), { bigint: true });
      await applyTeam(store, 'a');
      const after = await stat(join(objectsFolder(), 'db.json'), { bigint: true });
      assert.deepEqual([after.ino, after.ctimeNs], [before.ino, before.ctimeNs]);
    });

    it('a name of 253 characters → a file of its own, found again', async () => {
      const name = 'x'.repeat(253);
      const store = await folders.open();
      await store.apply(allowAll(name), CONTROLLER);
      await store.apply(allowAll(`${'x'.repeat(252)}y`), CONTROLLER);
      await store.close();
      const again = await folders.open();
      assert.equal((await again.list('AccessPolicy')).length, 2);
      assert.equal((await again.get('AccessPolicy', { namespace: 'shop', name }))?.metadata?.name, name);
    });
  });

  describe('crashes and faults', () => {
    it('killed in the middle of a write (a temporary file is left) → the object as saved before, the rest removed', async () => {
      const store = await folders.open();
      await applyTeam(store, 'a');
      const before = await store.get('ServiceExport', DB);
      await store.close();
      const leftover = `${TEMPORARY_PREFIX}0`;
      await writeFile(join(objectsFolder(), leftover), '{"kind":"ServiceExp');
      const again = await folders.open();
      assert.deepEqual(await again.get('ServiceExport', DB), before);
      assert.ok(!(await readdir(objectsFolder())).includes(leftover));
    });

    for (const [what, text] of [
      ['half of one', '{"kind":"ServiceExp'],
      ['another shape', '{"kind":"ServiceExport"}'],
      ['nothing', ''],
    ] as const) {
      it(`a state file that is ${what} → set aside and logged, the others are loaded`, async () => {
        const store = await folders.open();
        await applyTeam(store, 'a');
        await store.close();
        await writeFile(join(objectsFolder(), 'web.json'), text);
        const again = await folders.open();
        assert.equal((await again.list('ServiceExport')).length, 1);
        assert.ok(folders.log.includes('State file was set aside'));
        assert.deepEqual((await readdir(objectsFolder())).sort(), ['db.json', 'web.json.corrupt']);
      });
    }

    it('a state file under the name of another object → set aside', async () => {
      const store = await folders.open();
      await applyTeam(store, 'a');
      await store.close();
      await rename(join(objectsFolder(), 'db.json'), join(objectsFolder(), 'web.json'));
      const again = await folders.open();
      assert.deepEqual(await again.list('ServiceExport'), []);
    });

    it('a disk that refuses → ERR_STATE_IO, retryable; the old form stays, is told to nobody, and later it works', async () => {
      const store = await folders.open();
      await applyTeam(store, 'a');
      const file = join(objectsFolder(), 'db.json');
      const saved = await readFile(file, 'utf8');
      // A file where the folder was: every account, root too, is refused.
      await rename(objectsFolder(), join(folders.root, 'aside'));
      await writeFile(objectsFolder(), '');
      const changes: unknown[] = [];
      const note = (object: unknown): void => void changes.push(object);
      store.watch('ServiceExport', { synced: () => undefined, changed: note, deleted: note });
      await assert.rejects(applyTeam(store, 'b'), { code: 'ERR_STATE_IO', retryable: true });
      await assert.rejects(store.delete('ServiceExport', DB), { code: 'ERR_STATE_IO', retryable: true });
      assert.deepEqual((await store.get('ServiceExport', DB))?.spec, { exportedLabels: { team: 'a' } });
      assert.deepEqual(changes, []);
      await rm(objectsFolder());
      await rename(join(folders.root, 'aside'), objectsFolder());
      assert.equal(await readFile(file, 'utf8'), saved);
      await applyTeam(store, 'b');
      assert.match(await readFile(file, 'utf8'), /"team":"b"/);
    });

    it('a failed rename → the old file whole, no temporary file', async () => {
      const store = await folders.open();
      await mkdir(join(objectsFolder(), 'db.json'), { recursive: true });
      await assert.rejects(applyTeam(store, 'a'), { code: 'ERR_STATE_IO' });
      assert.deepEqual(await readdir(objectsFolder()), ['db.json']);
    });

    it('a disk that refuses a declared object → a problem; it is taken when the disk works again', async () => {
      const store = await folders.open();
      await mkdir(join(folders.state, 'objects'), { recursive: true });
      await writeFile(join(folders.state, 'objects', EXPORTS), '');
      await folders.put('a.yaml', exportDocument('db', 'a'));
      await eventually('the problem', () => store.problems().some(({ message }) => message.includes('ERR_STATE_IO')));
      await rm(join(folders.state, 'objects', EXPORTS));
      await eventually('the object', () => store.get('ServiceExport', DB));
      await eventually('no problem', () => store.problems().length === 0);
    });
  });

  describe('lock', () => {
    it('a second store on the folder → ERR_STATE_LOCKED with a fix; after close → opens', async () => {
      const store = await folders.open();
      await assert.rejects(folders.open(), (error: { code?: string; fix?: string; message: string }) => {
        assert.equal(error.code, 'ERR_STATE_LOCKED');
        assert.match(error.message, new RegExp(`process ${process.pid}$`));
        return error.fix !== undefined;
      });
      await store.close();
      await folders.open();
    });

    it('the lock of a process that died → taken over', async () => {
      const child = spawn(process.execPath, ['-e', '']);
      await once(child, 'exit');
      await mkdir(folders.state, { mode: 0o700 });
      await writeFile(join(folders.state, 'lock'), JSON.stringify({ pid: child.pid, nonce: 'x' }));
      await folders.open();
      assert.equal(
        (JSON.parse(await readFile(join(folders.state, 'lock'), 'utf8')) as { pid: number }).pid,
        process.pid,
      );
      assert.deepEqual((await readdir(folders.state)).sort(), ['lock', 'schema.json']);
    });

    it('the lock of an earlier process with our id (a container’s process 1) → taken over', async function () {
      if (process.platform !== 'linux') this.skip();
      await mkdir(folders.state, { mode: 0o700 });
      const lock = { pid: process.pid, started: 'another boot:1', nonce: 'x' };
      await writeFile(join(folders.state, 'lock'), JSON.stringify(lock));
      await folders.open();
    });

    it('a lock that says nothing → taken over', async () => {
      await mkdir(folders.state, { mode: 0o700 });
      await writeFile(join(folders.state, 'lock'), '');
      await folders.open();
    });

    it('eight at once over a stale lock → exactly one opens', async () => {
      await mkdir(folders.state, { mode: 0o700 });
      await writeFile(join(folders.state, 'lock'), '');
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => folders.open()));
      const refused = results.flatMap((result) =>
        result.status === 'rejected' ? [result.reason as { code: string }] : [],
      );
      assert.deepEqual(
        refused.map(({ code }) => code),
        Array.from({ length: 7 }, () => 'ERR_STATE_LOCKED'),
      );
    });

    it('a claim on a stale lock whose owner died → does not keep others out', async () => {
      await mkdir(folders.state, { mode: 0o700 });
      await writeFile(join(folders.state, 'lock'), '');
      await writeFile(join(folders.state, 'lock.claim'), '');
      await folders.open();
      assert.deepEqual((await readdir(folders.state)).sort(), ['lock', 'schema.json']);
    });

    it('an open that fails → leaves no lock', async () => {
      await (await folders.open()).close();
      await writeFile(join(folders.state, 'schema.json'), '{"version":2}');
      await assert.rejects(folders.open(), { code: 'ERR_STATE_SCHEMA' });
      assert.ok(!(await readdir(folders.state)).includes('lock'));
    });
  });

  describe('folders', () => {
    for (const text of ['{"version":2}', '{"version":"1"}', '{}', 'null', '']) {
      it(`schema.json says ${text || 'nothing'} → ERR_STATE_SCHEMA`, async () => {
        await (await folders.open()).close();
        await writeFile(join(folders.state, 'schema.json'), text);
        await assert.rejects(folders.open(), { code: 'ERR_STATE_SCHEMA' });
      });
    }

    it('a state folder inside the manifests folder → ERR_CONFIG, and nothing was created', async () => {
      await assert.rejects(folders.open({ state: join(folders.manifests, 'state') }), { code: 'ERR_CONFIG' });
      await assert.rejects(folders.open({ state: folders.manifests }), { code: 'ERR_CONFIG' });
      assert.deepEqual(await readdir(folders.manifests), []);
    });

    it('somebody’s folder that others may look into → ERR_CONFIG, left as it is; empty → made private', async () => {
      await mkdir(folders.state);
      await chmod(folders.state, 0o755);
      await writeFile(join(folders.state, 'theirs'), '');
      await assert.rejects(folders.open(), { code: 'ERR_CONFIG', message: /mode 755/ });
      assert.equal((await stat(folders.state)).mode & 0o777, 0o755);
      await rm(join(folders.state, 'theirs'));
      await folders.open();
      assert.equal((await stat(folders.state)).mode & 0o777, 0o700);
    });
  });
});
