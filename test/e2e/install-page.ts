/**
 * Follows docs/INSTALL.md word by word on two real clusters: every command of its numbered steps in their order, in one shell, and
 * of what comes after them the way out. Exit code 0 when each succeeded and the client got its answer.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { startClusters } from '#test/clusters/pair.ts';
import { cacheFolder } from '#test/support/api-server/source.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const EXPECTED = 'hello from east';
const DEADLINE_MS = 600_000;

/** Commands by the heading that they stand under. */
function commandsOf(page: string): ReadonlyMap<string, string> {
  const sections = page.split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => {
      const [heading = ''] = section.split('\n', 1);
      return [heading, [...section.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, text = '']) => text).join('\n')];
    }),
  );
}

/** The ways to bring an image to a node are alternatives: the clusters here have one of their own. */
function onlyBuild(commands: string): string {
  return commands
    .split('\n')
    .filter((line) => line.startsWith('npm '))
    .join('\n');
}

async function follow(): Promise<boolean> {
  await using undo = new AsyncDisposableStack();
  const sections = commandsOf(await readFile(join(ROOT, 'docs/INSTALL.md'), 'utf8'));
  const steps = [...sections].filter(([heading]) => /^\d\. /.test(heading));
  const wayOut = sections.get('Out again');
  if (steps.length < 8 || wayOut === undefined) throw new Error('docs/INSTALL.md: its steps were not found');

  // A folder that looks like the project, so that what the page writes is not in it.
  const folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-install-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const entries = (await readdir(ROOT)).filter((entry) => entry !== '.git' && entry !== 'build');
  for (const entry of entries) await symlink(join(ROOT, entry), join(folder, entry));
  const { clusters, kubeconfig, close } = await startClusters({
    names: ['east', 'west'],
    podRangeStarts: { west: '10.244.0.130' },
  });
  undo.defer(close);

  const [[, first = ''] = [], ...others] = steps;
  const path = [join(ROOT, 'node_modules/.bin'), join(cacheFolder(), 'bin'), process.env['PATH']].join(delimiter);
  const shell = (commands: string): Promise<string> =>
    run(commands, { cwd: folder, env: { ...process.env, KUBECONFIG: kubeconfig, PATH: path } });
  await shell(onlyBuild(first));
  for (const cluster of clusters) await cluster.loadImage(join(ROOT, 'build/image/clusterlink-mcs.tar'));
  const output = await shell([...others.map(([, commands]) => commands), wayOut].join('\n'));
  const isAnswered = output.includes(EXPECTED);
  console.error(
    isAnswered ? 'docs/INSTALL.md was followed to its end.' : `docs/INSTALL.md: no "${EXPECTED}" came back.`,
  );
  return isAnswered;
}

async function run(
  commands: string,
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<string> {
  const child = spawn('bash', ['-euxo', 'pipefail', '-c', commands], {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: DEADLINE_MS,
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    process.stderr.write(text);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`docs/INSTALL.md: a command failed (${code ?? 'killed'}); the one printed last`);
  return output;
}

process.exitCode = (await follow()) ? 0 : 1;
