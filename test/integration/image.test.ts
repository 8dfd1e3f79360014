/** The image as it is built: the program finds everything it needs inside, and nothing of this machine. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };

describe('npm run image', function () {
  this.timeout(120_000);
  let folder: string;
  let built: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-image-'));
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/image/main.ts', '--out', folder], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    built = stdout;
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** As a user without a name in a root of its own: what is not in the folder is not there. */
  function run(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
    return runProgram('/bin/node', '/app/clusterlink-mcs.mjs', ...args);
  }

  function runProgram(...program: readonly string[]): { status: number | null; stdout: string; stderr: string } {
    const rootfs = join(folder, 'rootfs');
    const isRoot = process.getuid?.() === 0;
    const [command = '', ...before] = isRoot
      ? ['chroot', '--userspec=65532:65532', rootfs]
      : ['unshare', '--user', '--map-root-user', '--root', rootfs];
    return spawnSync(command, [...before, ...program], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] },
    });
  }

  it('--version → that of the package, and not a word on standard error', () => {
    const { status, stdout, stderr } = run('--version');
    assert.deepEqual([status, stdout.trim(), stderr], [0, packageJson.version, '']);
  });

  it('clusterlink-mcs, as "kubectl exec" names it → the same program', () => {
    const { status, stdout } = runProgram('/bin/clusterlink-mcs', 'explain', '--help');
    assert.equal(status, 0);
    assert.match(stdout, /NAMESPACE\/POD/);
  });

  it('check of manifests inside → schemas are found, no problem', () => {
    for (const path of ['/app/manifests/examples', '/app/manifests/clusterset-profile']) {
      const { status, stdout, stderr } = run('check', path);
      assert.equal(status, 0, stdout + stderr);
      assert.match(stderr, / 0 errors, 0 warnings/);
    }
  });

  it('everything → for nobody to write, and no shell or tool in it', async () => {
    const rootfs = join(folder, 'rootfs');
    const paths = (await readdir(rootfs, { recursive: true, withFileTypes: true })).map((entry) => ({
      path: join(entry.parentPath, entry.name),
      isFile: entry.isFile(),
    }));
    for (const { path, isFile } of paths) {
      const { mode } = await stat(path);
      if (path === join(rootfs, 'tmp')) assert.equal(mode & 0o7777, 0o1777);
      else assert.equal(mode & 0o022, 0, path);
      if (isFile) assert.equal(mode & 0o200, 0, path);
    }
    assert.deepEqual((await readdir(join(rootfs, 'bin'))).sort(), ['clusterlink-mcs', 'node']);
    assert.deepEqual(
      (await readdir(rootfs)).filter((name) => /^(usr|sbin|root|home)$/.test(name)),
      [],
    );
  });

  it('the archive → one layer, not root, tags that containerd and Docker look for', () => {
    const read = (file: string): unknown =>
      JSON.parse(
        spawnSync('tar', ['-xOf', join(folder, 'clusterlink-mcs.tar'), file], { encoding: 'utf8' }).stdout,
      ) as unknown;
    const { name, version } = packageJson;
    assert.deepEqual(read('manifest.json'), [
      {
        Config: 'config.json',
        RepoTags: [`${name}:${version}`, `docker.io/library/${name}:${version}`],
        Layers: ['layer.tar'],
      },
    ]);
    const { config } = read('config.json') as { config: { User: string; Entrypoint: string[] } };
    assert.equal(config.User, '65532:65532');
    assert.deepEqual(config.Entrypoint, ['/bin/node', '/app/clusterlink-mcs.mjs']);
  });

  it('built again → the same image', () => {
    const digest = /sha256:[0-9a-f]{64}/.exec(built)?.[0];
    assert.ok(digest !== undefined);
    const { stdout } = spawnSync(process.execPath, ['scripts/image/main.ts', '--out', folder], { encoding: 'utf8' });
    assert.ok(stdout.includes(digest));
  });

  it('Containerfile → the user and the entrypoint of the archive', async () => {
    const text = await readFile('Containerfile', 'utf8');
    assert.match(text, /^USER 65532:65532$/m);
    assert.match(text, /^ENTRYPOINT \["\/bin\/node", "\/app\/clusterlink-mcs\.mjs"\]$/m);
  });
});
