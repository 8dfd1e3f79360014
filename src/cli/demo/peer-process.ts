/** One peer of the demo: the product itself, as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { callAdmin } from '../../runtime/admin.ts';
import type { PeerLayout } from './layout.ts';
import { until } from './until.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));
const START_TIMEOUT_MS = 20_000;

export interface PeerProcess {
  readonly layout: PeerLayout;
  readonly pid: number;
  /** Asks its admin socket. */
  ask<T>(route: string, body?: unknown): Promise<T>;
  /** As a crash would: without a word to anybody. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Resolves when the peer says that it is ready. */
export async function startPeer(layout: PeerLayout): Promise<PeerProcess> {
  const child = spawn(
    process.execPath,
    [MAIN, 'run', '--store', `dir:${layout.manifests}`, '--state', layout.state, '--config', layout.config],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  child.stderr.pipe(createWriteStream(join(layout.state, '..', 'log'), { flags: 'a' }));
  const admin = join(layout.state, 'admin.sock');
  const ask = async <T>(route: string, body?: unknown): Promise<T> => {
    const [method = 'GET', path = '/'] = route.split(' ');
    return (await callAdmin({ path: admin, method, route: path, body, timeoutMs: 20_000 })) as T;
  };
  try {
    await until(`peer ${layout.name} is ready`, START_TIMEOUT_MS, async () => {
      if (child.exitCode !== null)
        throw new Error(`peer ${layout.name} ended with code ${child.exitCode}; see its log`);
      const { missing } = await ask<{ missing: string[] }>('GET /ready');
      return missing.length === 0;
    });
  } catch (error) {
    // Nobody else knows it yet, and a child that lives keeps the demo from ending.
    await end(child, 'SIGKILL');
    throw error;
  }
  return {
    layout,
    pid: child.pid ?? 0,
    ask,
    kill: () => end(child, 'SIGKILL'),
    stop: () => end(child, 'SIGTERM'),
  };
}

async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(timer);
}
