/** The last state on disk: what is read back is what was saved, or nothing. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject } from '#src/api/object.ts';
import { systemClock } from '#src/runtime/clock.ts';
import { SNAPSHOT_BYTES_MAX } from '#src/store/kubernetes/limits.ts';
import { makeSnapshots, type Snapshots } from '#src/store/kubernetes/snapshots.ts';

function objectOf(name: string): KubeObject {
  const metadata = { namespace: 'shop', name, uid: `uid of ${name}`, resourceVersion: '7' };
  return { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata };
}

describe('makeSnapshots', () => {
  let folder: string;
  let path: string;
  let warnings: string[];

  beforeEach(async () => {
    const parent = await mkdtemp(join(tmpdir(), 'snapshots-'));
    folder = join(parent, 'cache');
    path = join(folder, 'ServiceExport.json');
    warnings = [];
  });
  afterEach(() => rm(join(folder, '..'), { recursive: true }));

  function make({ cluster = 'https://east' } = {}): Snapshots {
    const logger = { info: () => undefined, warn: (_: object, message: string) => warnings.push(message) };
    return makeSnapshots({ folder, kinds: ['ServiceExport'], cluster }, { clock: systemClock, logger });
  }

  async function save(...names: readonly string[]): Promise<void> {
    const snapshots = make();
    snapshots.changed('ServiceExport', () => names.map(objectOf));
    await snapshots.close();
  }

  async function load(snapshots = make()): Promise<string[] | undefined> {
    return (await snapshots.load('ServiceExport'))?.map(({ object }) => object.metadata?.name ?? '');
  }

  it('saved at the close → read back as it was; only its user can read it; no other file', async () => {
    await save('a', 'b');
    const [first] = (await make().load('ServiceExport')) ?? [];
    assert.deepEqual([first?.object, first?.uid, first?.resourceVersion], [objectOf('a'), 'uid of a', '7']);
    assert.deepEqual(await load(), ['a', 'b']);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.deepEqual(await readdir(folder), ['ServiceExport.json']);
  });

  it('nothing saved, or a kind that is not kept → nothing, without a word', async () => {
    const snapshots = make();
    assert.equal(await load(snapshots), undefined);
    snapshots.changed('Pod', () => [objectOf('a')]);
    assert.equal(await snapshots.load('Pod'), undefined);
    await snapshots.close();
    assert.deepEqual(warnings, []);
  });

  it('of another cluster → nothing', async () => {
    await save('a');
    assert.equal(await load(make({ cluster: 'https://west' })), undefined);
  });

  const damages: readonly (readonly [string, (text: string) => Promise<void>])[] = [
    ['empty', () => writeFile(path, '')],
    ['cut', (text) => writeFile(path, text.slice(0, -5))],
    ['one letter changed', (text) => writeFile(path, text.replace('uid of a', 'uid of x'))],
    ['of another format', (text) => writeFile(path, text.replace('"format":1', '"format":2'))],
    [
      'of another kind',
      (text) => writeFile(path, text.replace('"kind":"ServiceExport","cluster"', '"kind":"Pod","cluster"')),
    ],
    ['no JSON', () => writeFile(path, 'nonsense\n[]')],
    ['larger than the bound', () => truncate(path, SNAPSHOT_BYTES_MAX + 1)],
  ];
  for (const [what, damage] of damages) {
    it(`a file that is ${what} → nothing, and a warning`, async () => {
      await save('a');
      await damage(await readFile(path, 'utf8'));
      assert.equal(await load(), undefined);
      assert.deepEqual(warnings, ['Saved state cannot be used']);
    });
  }

  it('a folder that cannot be made → a warning, no error', async () => {
    await writeFile(folder, 'a file');
    await save('a');
    assert.deepEqual(warnings, ['Last state was not saved']);
  });
});
