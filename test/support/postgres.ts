/** A PostgreSQL server of the test's own. It refuses to be root: then it runs as the user that Debian's package made. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from 'mocha';
import { freePort } from './standalone.ts';
import { requireTool } from './tools.ts';
import { waitFor } from './wait.ts';

/** Debian has a folder for each version. */
const VERSIONS = '/usr/lib/postgresql';
const START_TIMEOUT_MS = 30_000;

export interface Postgres {
  /** At 127.0.0.1; user `postgres` without a password. */
  readonly port: number;
  close(): Promise<void>;
}

/** Where it is not installed: as {@link requireTool}. */
export async function startPostgres(context: Context): Promise<Postgres> {
  requireTool(context, 'psql');
  const programs = findPrograms(context);
  const folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-postgres-'));
  const data = join(folder, 'data');
  const user = process.getuid?.() === 0 ? userOf('postgres') : undefined;
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const made = spawnSync(join(programs, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync'], {
    encoding: 'utf8',
    cwd: folder,
    ...user,
  });
  assert.equal(made.status, 0, made.stderr);
  const port = await freePort();
  const child = spawn(
    join(programs, 'postgres'),
    ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F'],
    {
      stdio: 'ignore',
      cwd: folder,
      ...user,
    },
  );
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGQUIT');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`;
  const answers = (): boolean => spawnSync('psql', [url, '-Atc', 'select 1'], { encoding: 'utf8' }).stdout === '1\n';
  await waitFor('PostgreSQL answers', answers, START_TIMEOUT_MS).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return { port, close };
}

function findPrograms(context: Context): string {
  const [newest] = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a)) : [];
  const folder = join(VERSIONS, newest ?? '', 'bin');
  // Beside no PATH: the wrapper that Debian's package has there says whether it is installed.
  if (newest === undefined || !existsSync(join(folder, 'initdb'))) requireTool(context, 'pg_ctlcluster');
  return folder;
}

function userOf(name: string): { readonly uid: number; readonly gid: number } {
  const id = (option: string): number => Number(spawnSync('id', [option, name], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
}
