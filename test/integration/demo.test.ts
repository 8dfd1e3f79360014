/** The demo is the product in one sitting: it must hold from a fresh clone, for root and for everybody else. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, rm, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DemoResult, ProfileName } from '#src/cli/demo/demo.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const STEPS = {
  mcs: [
    'fabric',
    'start',
    'export',
    'import',
    'dns',
    'denied',
    'least-disclosure',
    'bytes',
    'second-source',
    'failover',
    'revocation',
  ],
  clusterlink: ['fabric', 'start', 'export', 'import', 'refused', 'traffic', 'policy', 'wire', 'testing', 'cut'],
} as const satisfies Record<ProfileName, readonly string[]>;
const NOBODY = 65_534;

interface Run {
  readonly code: number | null;
  readonly output: string;
  readonly result: DemoResult;
}

interface RunOptions {
  readonly root?: string;
  readonly temporary: string;
  readonly flags?: readonly string[];
  readonly user?: number;
}

function runDemo({ root = ROOT, temporary, flags = [], user }: RunOptions): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'bin', 'clusterlink-mcs.mjs'), 'demo', '--json', ...flags], {
      env: { ...process.env, TMPDIR: temporary, HOME: temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(user === undefined ? {} : { uid: user, gid: user, cwd: temporary }),
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.once('error', reject);
    child.once('exit', (code) => {
      const last = output.trimEnd().split('\n').at(-1) ?? '';
      try {
        resolve({ code, output, result: JSON.parse(last) as DemoResult });
      } catch {
        reject(new Error(`the last line is not JSON:\n${output}`));
      }
    });
  });
}

function assertHeld({ code, output, result }: Run, steps: readonly string[] = STEPS.mcs): void {
  assert.deepEqual([code, result.ok], [0, true], output);
  assert.deepEqual(
    result.steps.map(({ name, ok }) => [name, ok]),
    steps.map((name) => [name, true]),
  );
  for (const { ms } of result.steps) assert.ok(Number.isInteger(ms));
}

async function assertNothingLeft(temporary: string): Promise<void> {
  assert.deepEqual(await readdir(temporary), []);
  const left = spawnSync('sh', ['-c', `ps -eo args | grep -F '${temporary}' | grep -vF grep`], { encoding: 'utf8' });
  assert.equal(left.stdout, '');
}

describe('demo', function () {
  this.timeout(240_000);
  let temporary: string;
  beforeEach(async () => {
    temporary = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-demo-test-'));
    await chmod(temporary, 0o777);
  });
  afterEach(() => rm(temporary, { recursive: true, force: true }));

  it('every step holds within two minutes, and nothing is left behind', async () => {
    const run = await runDemo({ temporary });
    assertHeld(run);
    assert.ok(run.result.steps.reduce((sum, { ms }) => sum + ms, 0) < 120_000);
    await assertNothingLeft(temporary);
  });

  it("--profile clusterlink → ClusterLink's sample manifests apply and carry traffic, and nothing is left behind", async () => {
    const run = await runDemo({ temporary, flags: ['--profile', 'clusterlink'] });
    assertHeld(run, STEPS.clusterlink);
    await assertNothingLeft(temporary);
  });

  it('Ctrl-C, which a terminal sends to all its processes → it stops, and nothing is left behind', async () => {
    const asked = [join(ROOT, 'bin', 'clusterlink-mcs.mjs'), 'demo', '--profile', 'clusterlink'];
    const env = { ...process.env, TMPDIR: temporary };
    const child = spawn(process.execPath, asked, { env, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = once(child, 'exit');
    for await (const text of child.stdout.setEncoding('utf8'))
      if (String(text).includes('East and west start')) process.kill(-(child.pid ?? 0), 'SIGINT');
    assert.deepEqual(await ended, [1, null]);
    await assertNothingLeft(temporary);
  });

  it('a profile that there is not → exit code 2, and which there are', () => {
    const asked = [join(ROOT, 'bin', 'clusterlink-mcs.mjs'), 'demo', '--profile', 'skupper'];
    const { status, stderr } = spawnSync(process.execPath, asked, { encoding: 'utf8' });
    assert.equal(status, 2);
    assert.match(stderr, /mcs, clusterlink/);
  });

  it('as an unprivileged user → the same', async function () {
    if (process.getuid?.() !== 0) return assertHeld(await runDemo({ temporary }));
    const visible = spawnSync(process.execPath, ['--version'], { uid: NOBODY, gid: NOBODY, cwd: ROOT }).status === 0;
    const copy = join(temporary, 'clone');
    if (!visible) {
      // A clone below a home that others may not enter: the same files, where they may.
      for (const part of ['bin', 'src', 'crds', 'package.json', 'node_modules']) {
        await cp(join(ROOT, part), join(copy, part), { recursive: true, verbatimSymlinks: true });
      }
    }
    const run = await runDemo({ root: visible ? ROOT : copy, temporary, user: NOBODY });
    assertHeld(run);
  });
});
