/** One peer of the demo: the product itself, as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { callAdmin } from '../../runtime/admin.ts';
import type { PeerLayout } from './layout.ts';
import { until } from './until.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));
/** Compiling takes a second of CPU for each peer, and machines that are busy with other things have little. */
const START_TIMEOUT_MS = 60_000;
/** Of the last line of a log, which is shown when a peer does not start. */
const LINE_CHARS_MAX = 2_000;

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
  let lastLine = '';
  child.stderr.on('data', (chunk: Buffer) => {
    lastLine = chunk.toString().trimEnd().split('\n').at(-1)?.slice(0, LINE_CHARS_MAX) ?? '';
  });
  // `close`: once all that it has said was read.
  let hasEnded = false;
  child.once('close', () => (hasEnded = true));
  const admin = join(layout.state, 'admin.sock');
  const ask = async <T>(route: string, body?: unknown): Promise<T> => {
    const [method = 'GET', path = '/'] = route.split(' ');
    return (await callAdmin({ path: admin, method, route: path, body, timeoutMs: 20_000 })) as T;
  };
  try {
    const outcome = await until(`peer ${layout.name} is ready`, START_TIMEOUT_MS, async () => {
      if (hasEnded) return 'ended';
      const { missing } = await ask<{ missing: string[] }>('GET /ready');
      return missing.length === 0 ? 'ready' : undefined;
    });
    // Its log goes with the demo's folder: what it ended with has to be said now.
    if (outcome === 'ended') throw new Error(`peer ${layout.name} ended with code ${child.exitCode}: ${lastLine}`);
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
