import assert from 'node:assert/strict';
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IServiceExport } from '#src/api/generated/ServiceExport.ts';
import { keyOf } from '#src/api/object.ts';
import type { DirectoryStore } from '#src/store/directory/store.ts';
import { eventually, exportDocument, makeTestFolders, type TestFolders } from '#test/support/directory.ts';
import { describeStore } from '#test/support/store-contract.ts';

const DB = { namespace: 'shop', name: 'db' };
const WEB = { namespace: 'shop', name: 'web' };
const CONTROLLER = { fieldManager: 'clusterlink-mcs-controller' };

describeStore('directory', { isDurable: true }, async () => {
  const folders = await makeTestFolders();
  const store = await folders.open();
  return {
    store,
    async reopen() {
      await store.close();
      return folders.open();
    },
    async close() {
      await folders[Symbol.asyncDispose]();
    },
  };
});

describe('openDirectoryStore: manifests', () => {
  let folders: TestFolders;

  beforeEach(async () => {
    folders = await makeTestFolders();
  });
  afterEach(async () => {
    await folders[Symbol.asyncDispose]();
  });

  async function teamOf(store: DirectoryStore, key = DB): Promise<string | undefined> {
    return (await store.get('ServiceExport', key))?.spec?.exportedLabels?.['team'];
  }

  /** Every event of ServiceExports: `changed db a`, `deleted db`. */
  function eventsOf(store: DirectoryStore): string[] {
    const events: string[] = [];
    const note = (event: string, object: IServiceExport): void => {
      events.push(`${event} ${keyOf(object).name} ${object.spec?.exportedLabels?.['team'] ?? ''}`.trim());
    };
    store.watch('ServiceExport', {
      synced: (objects) => events.push(`synced ${objects.length}`),
      changed: (object) => note('changed', object),
      deleted: (object) => note('deleted', object),
    });
    return events;
  }

  function hasProblem(store: DirectoryStore, file: string): boolean {
    return store.problems().some((problem) => problem.file === file);
  }

  describe('which files', () => {
    it('.yaml, .yml, .json, nested folders, many documents → objects; dot files and others → nothing', async () => {
      await folders.put('a.yaml', `${exportDocument('a1', 'x')}---\n${exportDocument('a2', 'x')}`);
      await folders.put('deep/er/b.yml', exportDocument('b', 'x'));
      const json = { apiVersion: 'multicluster.x-k8s.io/v1alpha1', kind: 'ServiceExport', metadata: { ...DB } };
      await folders.put('c.json', JSON.stringify(json));
      await folders.put('.hidden.yaml', exportDocument('hidden', 'x'));
      await folders.put('.git/d.yaml', exportDocument('git', 'x'));
      await folders.put('notes.txt', exportDocument('text', 'x'));
      const store = await folders.open();
      const names = (await store.list('ServiceExport')).map((object) => keyOf(object).name);
      assert.deepEqual(names, ['a1', 'a2', 'b', 'db']);
      assert.equal((await store.get('ServiceExport', DB))?.apiVersion, 'multicluster.x-k8s.io/v1beta1');
      assert.deepEqual(store.problems(), []);
    });

    it('no metadata.namespace → default', async () => {
      const text = 'apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\nmetadata: { name: db }\n';
      await folders.put('a.yaml', text);
      const store = await folders.open();
      assert.equal(
        (await store.get('ServiceExport', { namespace: 'default', name: 'db' }))?.metadata?.namespace,
        'default',
      );
    });

    it('an internal kind → a problem at its line, and no object', async () => {
      const internal =
        'apiVersion: mcs.clusterlink.net/v1alpha1\nkind: PeerRecords\n' +
        'metadata: { namespace: clusterlink-system, name: east }\n' +
        'spec: { peer: east, epoch: e, digest: d, records: [] }\n';
      await folders.put('a.yaml', `${exportDocument('db', 'x')}---\n${internal}`);
      const store = await folders.open();
      assert.deepEqual(await store.list('PeerRecords'), []);
      assert.equal(await teamOf(store), 'x');
      assert.deepEqual(
        store.problems().map(({ file }) => file),
        ['a.yaml'],
      );
    });

    it('a folder and a link to nowhere with names of manifests → problems, the rest is in force', async () => {
      await mkdir(join(folders.manifests, 'folder.yaml'));
      await symlink('nowhere', join(folders.manifests, 'link.yaml'));
      await folders.put('ok.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      assert.equal(await teamOf(store), 'a');
      assert.deepEqual(
        store.problems().map(({ file }) => file),
        ['folder.yaml', 'link.yaml'],
      );
    });

    it('a file of more than 1 MiB → a problem, the rest is in force', async () => {
      await folders.put('big.yaml', `# ${'x'.repeat(1024 * 1024)}\n${exportDocument('big', 'a')}`);
      await folders.put('limit.yaml', `${exportDocument('limit', 'a')}# `.padEnd(1024 * 1024, 'x'));
      const store = await folders.open();
      assert.deepEqual(
        (await store.list('ServiceExport')).map((object) => keyOf(object).name),
        ['limit'],
      );
      assert.ok(hasProblem(store, 'big.yaml'));
    });

    it('folders that link in a circle → each file once', async () => {
      await folders.put('sub/a.yaml', exportDocument('db', 'a'));
      await symlink('..', join(folders.manifests, 'sub', 'up'));
      const store = await folders.open();
      assert.equal(await teamOf(store), 'a');
      assert.deepEqual(store.problems(), []);
    });
  });

  describe('changes', () => {
    it('a new file, an atomic replacement, a careless overwrite → each taken; uid and creation time stay', async () => {
      const store = await folders.open();
      const events = eventsOf(store);
      await folders.put('a.yaml', exportDocument('db', 'a'));
      await eventually('a', async () => (await teamOf(store)) === 'a');
      const first = await store.get('ServiceExport', DB);
      await folders.put('a.yaml', exportDocument('db', 'b'));
      await eventually('b', async () => (await teamOf(store)) === 'b');
      await folders.overwrite('a.yaml', exportDocument('db', 'c'));
      await eventually('c', async () => (await teamOf(store)) === 'c');
      const last = await store.get('ServiceExport', DB);
      assert.equal(last?.metadata?.uid, first?.metadata?.uid);
      assert.equal(last?.metadata?.creationTimestamp, first?.metadata?.creationTimestamp);
      assert.equal(last?.metadata?.generation, 3);
      assert.deepEqual(events, ['synced 0', 'changed db a', 'changed db b', 'changed db c']);
    });

    it('a mounted ConfigMap (links through ..data) → swapped as a whole', async () => {
      for (const [version, team] of [
        ['..v1', 'a'],
        ['..v2', 'b'],
      ] as const) {
        await mkdir(join(folders.manifests, version));
        await writeFile(join(folders.manifests, version, 'a.yaml'), exportDocument('db', team));
      }
      await symlink('..v1', join(folders.manifests, '..data'));
      await symlink('..data/a.yaml', join(folders.manifests, 'a.yaml'));
      const store = await folders.open();
      assert.equal(await teamOf(store), 'a');
      await symlink('..v2', join(folders.manifests, '..data_tmp'));
      await rename(join(folders.manifests, '..data_tmp'), join(folders.manifests, '..data'));
      await eventually('the new version', async () => (await teamOf(store)) === 'b');
      assert.deepEqual(store.problems(), []);
    });

    it('a half-written file → its objects stay; completed → taken', async () => {
      await folders.put('a.yaml', `${exportDocument('db', 'a')}---\n${exportDocument('web', 'a')}`);
      const store = await folders.open();
      const events = eventsOf(store);
      await folders.overwrite('a.yaml', 'apiVersion: multicluster.x-k8s.io/v1beta1\nkind: "Servi');
      await eventually('the problem', () => hasProblem(store, 'a.yaml'));
      assert.deepEqual([await teamOf(store), await teamOf(store, WEB)], ['a', 'a']);
      await folders.overwrite('a.yaml', `${exportDocument('db', 'b')}---\n${exportDocument('web', 'b')}`);
      await eventually('both', async () => (await teamOf(store)) === 'b' && (await teamOf(store, WEB)) === 'b');
      await eventually('no problem', () => store.problems().length === 0);
      assert.deepEqual(events.slice(1).sort(), ['changed db b', 'changed web b']);
    });

    it('an invalid document beside a good one → the first keeps its last good form, the other changes', async () => {
      await folders.put('a.yaml', `${exportDocument('db', 'a')}---\n${exportDocument('web', 'a')}`);
      const store = await folders.open();
      const broken = exportDocument('db', 'b').replace('exportedLabels', 'exportedLabel');
      await folders.put('a.yaml', `${broken}---\n${exportDocument('web', 'b')}`);
      await eventually('the good one', async () => (await teamOf(store, WEB)) === 'b');
      assert.equal(await teamOf(store), 'a');
      const [problem] = store.problems();
      assert.equal(problem?.file, 'a.yaml');
      assert.equal(problem.object, 'ServiceExport shop/db');
      assert.notEqual(problem.fix, '');
    });

    it('an invalid document in a file that is renamed → the object stays', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      await folders.remove('a.yaml');
      await folders.put('b.yaml', exportDocument('db', 'b').replace('exportedLabels', 'exportedLabel'));
      await folders.put('marker.yaml', exportDocument('marker', 'x'));
      await folders.put('gone.yaml', exportDocument('gone', 'x'));
      await eventually('gone is there', () => store.get('ServiceExport', { namespace: 'shop', name: 'gone' }));
      await folders.remove('gone.yaml');
      // Whatever is to be deleted has been when this later one is.
      await eventually('gone is gone', async () => {
        return (await store.get('ServiceExport', { namespace: 'shop', name: 'gone' })) === undefined;
      });
      assert.equal(await teamOf(store), 'a');
    });

    it('a file that is not UTF-8 → its object stays', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      await writeFile(join(folders.manifests, 'a.yaml'), Buffer.from([0xff, 0xfe, 0x00, 0xd8]));
      await eventually('the problem', () => hasProblem(store, 'a.yaml'));
      assert.equal(await teamOf(store), 'a');
    });

    it('a file that becomes a folder, then is gone → its object stays, then goes', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      await folders.remove('a.yaml');
      await mkdir(join(folders.manifests, 'a.yaml'));
      await eventually('the problem', () => hasProblem(store, 'a.yaml'));
      assert.equal(await teamOf(store), 'a');
      await folders.remove('a.yaml');
      await eventually('the deletion', async () => (await teamOf(store)) === undefined);
      assert.deepEqual(store.problems(), []);
    });

    it('the whole folder gone → everything stays; back again → followed again', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      await rename(folders.manifests, `${folders.manifests}-away`);
      await eventually('the problem', () => hasProblem(store, '.'));
      assert.equal(await teamOf(store), 'a');
      await rename(`${folders.manifests}-away`, folders.manifests);
      await folders.put('a.yaml', exportDocument('db', 'b'));
      await eventually('the change', async () => (await teamOf(store)) === 'b');
      await eventually('no problem', () => store.problems().length === 0);
    });

    it('a folder emptied and restored within 300 ms → nothing was deleted', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      const events = eventsOf(store);
      await folders.remove('a.yaml');
      await folders.put('bad.yaml', 'kind: [');
      // Seen: so a scan has looked at the folder without a.yaml.
      await eventually('the scan in between', () => hasProblem(store, 'bad.yaml'));
      await folders.put('a.yaml', exportDocument('db', 'a'));
      await folders.put('b.yaml', exportDocument('web', 'a'));
      await eventually('a later scan', async () => (await teamOf(store, WEB)) === 'a');
      assert.deepEqual(events, ['synced 1', 'changed web a']);
    });

    it('every file removed, restored one by one → all is held and reported, nothing was deleted', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      await folders.put('b.yaml', exportDocument('web', 'a'));
      const store = await folders.open();
      const events = eventsOf(store);
      const heldSaid = (): boolean => store.problems().some(({ message }) => message.startsWith('2 objects went'));
      await folders.remove('a.yaml');
      await folders.remove('b.yaml');
      await eventually('the alarm', heldSaid);
      await folders.put('a.yaml', exportDocument('db', 'a'));
      await eventually('one is back', () => !heldSaid());
      await folders.put('b.yaml', exportDocument('web', 'b'));
      await eventually('the other is back', async () => (await teamOf(store, WEB)) === 'b');
      assert.deepEqual(store.problems(), []);
      assert.deepEqual(events, ['synced 2', 'changed web b']);
    });

    it('every file removed, and that confirmed → all objects go at once; what goes later is held again', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      await folders.put('b.yaml', exportDocument('web', 'a'));
      const store = await folders.open();
      const heldSaid = (): boolean => store.problems().some(({ message }) => message.startsWith('2 objects went'));
      const remove = async (): Promise<void> => {
        await folders.remove('a.yaml');
        await folders.remove('b.yaml');
        await eventually('the alarm', heldSaid);
      };
      await remove();
      assert.equal(store.acceptLoss(), 2);
      await eventually('all are gone', async () => (await store.list('ServiceExport')).length === 0);
      assert.equal(store.acceptLoss(), 0);
      await folders.put('a.yaml', exportDocument('db', 'a'));
      await folders.put('b.yaml', exportDocument('web', 'a'));
      await eventually('they are back', async () => (await store.list('ServiceExport')).length === 2);
      await remove();
      assert.equal((await store.list('ServiceExport')).length, 2);
    });

    it('a file deleted → its object goes, with what we applied; made again it has another uid and no status', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      const first = await store.get('ServiceExport', DB);
      const identity = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: DB } as const;
      await store.apply({ ...identity, spec: { exportedAnnotations: { ours: 'x' } } }, CONTROLLER);
      const condition = { type: 'Valid', status: 'True', reason: 'Valid', message: '' } as const;
      const status = { conditions: [{ ...condition, lastTransitionTime: '2026-01-02T03:04:05Z' }] };
      await store.applyStatus({ ...identity, status }, CONTROLLER);
      const events = eventsOf(store);
      await folders.remove('a.yaml');
      await eventually('the deletion', async () => (await store.get('ServiceExport', DB)) === undefined);
      assert.deepEqual(events, ['synced 1', 'deleted db a']);
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const second = await eventually('the new one', () => store.get('ServiceExport', DB));
      assert.notEqual(second.metadata?.uid, first?.metadata?.uid);
      assert.deepEqual([second.status, second.spec], [undefined, { exportedLabels: { team: 'a' } }]);
    });

    it('no hints of the kernel (ENOSPC) → a warning, and scans find the changes', async () => {
      const watchFolder = (): never => {
        throw Object.assign(new Error('ENOSPC: no space left on device, watch'), { code: 'ENOSPC' });
      };
      const store = await folders.open({ watchFolder });
      assert.ok(folders.log.includes('Folder watch failed, scanning more often instead'));
      await folders.put('a.yaml', exportDocument('db', 'a'));
      await eventually('the object', async () => (await teamOf(store)) === 'a');
    });
  });

  describe('one object in two files', () => {
    it('→ the first path counts, a problem names both places; the first deleted → the second, same uid', async () => {
      await folders.put('b.yaml', `# a comment\n---\n${exportDocument('db', 'second')}`);
      await folders.put('a.yaml', exportDocument('db', 'first'));
      const store = await folders.open();
      const first = await store.get('ServiceExport', DB);
      assert.equal(first?.spec?.exportedLabels?.['team'], 'first');
      const [problem, ...others] = store.problems();
      assert.deepEqual(others, []);
      assert.equal(problem?.file, 'b.yaml');
      assert.match(problem.message, /a\.yaml:1 .*b\.yaml:3/);
      await folders.remove('a.yaml');
      await eventually('the second', async () => (await teamOf(store)) === 'second');
      assert.equal((await store.get('ServiceExport', DB))?.metadata?.uid, first.metadata?.uid);
      assert.deepEqual(store.problems(), []);
    });

    it('→ a listener hears of the problem, and of its end', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      const counts: number[] = [];
      const stop = store.onProblems((problems) => counts.push(problems.length));
      await folders.put('b.yaml', exportDocument('db', 'b'));
      await eventually('the problem', () => store.problems().length === 1);
      await folders.remove('b.yaml');
      await eventually('its end', () => store.problems().length === 0);
      stop();
      assert.deepEqual(counts, [1, 0]);
    });
  });

  describe('the user and we', () => {
    const identity = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: DB } as const;

    it('a field of the manifest, applied by us with another value → ERR_CONFLICT that names the user', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      const applied = store.apply({ ...identity, spec: { exportedLabels: { team: 'ours' } } }, CONTROLLER);
      await assert.rejects(applied, { code: 'ERR_CONFLICT', message: /exportedLabels\.team \(user\)/ });
    });

    it('a field of ours in a new manifest → the user takes it; an unchanged manifest takes nothing back', async () => {
      const store = await folders.open();
      await store.apply({ ...identity, spec: { exportedLabels: { team: 'ours', tier: 'gold' } } }, CONTROLLER);
      const { metadata } = (await store.get('ServiceExport', DB)) ?? {};
      await folders.put('a.yaml', exportDocument('db', 'theirs'));
      await eventually('theirs', async () => (await teamOf(store)) === 'theirs');
      const taken = await store.get('ServiceExport', DB);
      assert.deepEqual(taken?.spec?.exportedLabels, { team: 'theirs', tier: 'gold' });
      assert.equal(taken.metadata?.uid, metadata?.uid);
      const force = { ...CONTROLLER, force: true };
      await store.apply({ ...identity, spec: { exportedLabels: { team: 'ours' } } }, force);
      await folders.put('b.yaml', exportDocument('web', 'x'));
      await eventually('a later scan', async () => (await teamOf(store, WEB)) === 'x');
      assert.equal(await teamOf(store), 'ours');
    });

    it('delete of a declared object → ERR_CONFLICT that names its file', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      const store = await folders.open();
      await assert.rejects(store.delete('ServiceExport', DB), { code: 'ERR_CONFLICT', message: /a\.yaml:1/ });
    });

    it('apply as user → ERR_INVALID_OBJECT', async () => {
      const store = await folders.open();
      await assert.rejects(store.apply(identity, { fieldManager: 'user' }), { code: 'ERR_INVALID_OBJECT' });
      await assert.rejects(store.applyStatus(identity, { fieldManager: 'user' }), { code: 'ERR_INVALID_OBJECT' });
    });

    it('whatever we do → the manifests folder, read-only, stays as the user left it', async () => {
      await folders.put('sub/a.yaml', exportDocument('db', 'a'));
      await folders.put('bad.yaml', 'kind: [');
      await chmod(join(folders.manifests, 'sub'), 0o555);
      await chmod(folders.manifests, 0o555);
      try {
        const before = await folders.fingerprint();
        const store = await folders.open();
        await store.apply({ ...identity, spec: { exportedAnnotations: { ours: 'x' } } }, CONTROLLER);
        await store.apply({ ...identity, metadata: WEB }, CONTROLLER);
        await store.delete('ServiceExport', WEB);
        await store.close();
        const again = await folders.open();
        assert.deepEqual((await again.get('ServiceExport', DB))?.spec?.exportedAnnotations, { ours: 'x' });
        assert.deepEqual(await folders.fingerprint(), before);
      } finally {
        await chmod(folders.manifests, 0o755);
        await chmod(join(folders.manifests, 'sub'), 0o755);
      }
    });
  });

  describe('restart', () => {
    it('with a half-written file → the objects of the last good form, same uid', async () => {
      await folders.put('a.yaml', `${exportDocument('db', 'a')}---\n${exportDocument('web', 'a')}`);
      const store = await folders.open();
      const first = await store.get('ServiceExport', DB);
      await store.close();
      await folders.put('a.yaml', 'apiVersion: multicluster.x-k8s.io/v1beta1\nkind: "Servi');
      const again = await folders.open();
      assert.deepEqual(await again.get('ServiceExport', DB), first);
      assert.equal(await teamOf(again, WEB), 'a');
      assert.ok(hasProblem(again, 'a.yaml'));
    });

    it('with a changed and a deleted file → the change is there, the deletion follows', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      await folders.put('b.yaml', exportDocument('web', 'a'));
      const store = await folders.open();
      const first = await store.get('ServiceExport', DB);
      await store.close();
      await folders.put('a.yaml', exportDocument('db', 'b'));
      await folders.remove('b.yaml');
      const again = await folders.open();
      const changed = await again.get('ServiceExport', DB);
      assert.equal(changed?.spec?.exportedLabels?.['team'], 'b');
      assert.equal(changed.metadata?.uid, first?.metadata?.uid);
      assert.equal(changed.metadata?.generation, 2);
      await eventually('the deletion', async () => (await again.get('ServiceExport', WEB)) === undefined);
    });

    it('without the manifests folder → the last state is served; without any state → ERR_CONFIG', async () => {
      await folders.put('a.yaml', exportDocument('db', 'a'));
      await (await folders.open()).close();
      await rename(folders.manifests, `${folders.manifests}-away`);
      const store = await folders.open();
      assert.equal(await teamOf(store), 'a');
      await store.close();
      await rm(folders.state, { recursive: true });
      await assert.rejects(folders.open(), { code: 'ERR_CONFIG' });
    });
  });
});
