/** The real CoreDNS, as a process of this machine: the program that the test clusters run (test/clusters/mkbin). */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context } from 'mocha';
import { findFreePort } from './api-server/processes.ts';
import { startReaper } from './api-server/reaper.ts';
import { cacheFolder } from './api-server/source.ts';
import { missTool } from './tools.ts';
import { waitFor } from './wait.ts';

const MKBIN = fileURLToPath(new URL('../clusters/mkbin', import.meta.url));
const READY_TIMEOUT_MS = 30_000;
/** A port that was free may be taken before CoreDNS has it. */
const START_TRIES = 3;
const PORT_TAKEN = /address already in use/;
/** What a hook that calls {@link requireCoreDns} has to allow: on a machine without Go's caches the build takes minutes, once. */
export const CORE_DNS_BUILD_TIMEOUT_MS = 600_000;

/**
 * The path of the program; built first where it is not there, or older than its sources. Where that is not possible, as
 * `requireTool`: in CI a failure, elsewhere a named skip.
 */
export function requireCoreDns(context: Context): string {
  if (spawnSync(MKBIN, ['check', 'coredns']).status !== 0) {
    if (spawnSync('go', ['version']).status !== 0) return missTool(context, 'CoreDNS (Go, which builds it)');
    process.stderr.write('building CoreDNS for the tests, once\n');
    const { status } = spawnSync(MKBIN, ['coredns'], { stdio: ['ignore', 2, 2], timeout: CORE_DNS_BUILD_TIMEOUT_MS });
    if (status !== 0) throw new Error(`${MKBIN} coredns ended with ${status}; its output is above`);
  }
  return join(cacheFolder(), 'bin', 'coredns');
}

export interface CoreDns extends AsyncDisposable {
  /** For UDP and TCP, at 127.0.0.1. */
  readonly port: number;
}

/** What stands for addresses that are known only when it starts. */
export interface CorefilePorts {
  /** Of DNS: one for all server blocks. */
  readonly dns: number;
  /** A free one at each call: for `ready`, `health`, `prometheus`. */
  free(): Promise<number>;
}

/**
 * Starts it with the Corefile that `toCorefile` makes, and returns when all its plugins are ready.
 *
 * @throws {Error} with what CoreDNS said, when it refuses the Corefile or does not become ready.
 */
export async function startCoreDns(
  program: string,
  toCorefile: (ports: CorefilePorts) => string | Promise<string>,
  timeoutMs = READY_TIMEOUT_MS,
): Promise<CoreDns> {
  for (let tries = 1; ; tries++) {
    const port = await findFreePort();
    const ready = await findFreePort();
    const corefile = withReadiness(await toCorefile({ dns: port, free: findFreePort }), ready);
    try {
      return await startOnce(program, { corefile, port, ready, timeoutMs });
    } catch (error) {
      if (tries >= START_TRIES || !(error instanceof Error && PORT_TAKEN.test(error.message))) throw error;
    }
  }
}

interface StartOptions {
  readonly corefile: string;
  readonly port: number;
  /** The port of the plugin `ready`. */
  readonly ready: number;
  readonly timeoutMs: number;
}

async function startOnce(program: string, { corefile, port, ready, timeoutMs }: StartOptions): Promise<CoreDns> {
  const folder = await mkdtemp(join(tmpdir(), 'coredns-'));
  const file = join(folder, 'Corefile');
  await writeFile(file, corefile);
  const child = spawn(program, ['-conf', file], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  // It would outlive a test process that is killed.
  const reaper = startReaper('[ "$word" = done ] || kill -9 "$1"; rm -rf "$2"', [String(child.pid), folder]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => (output += part));
  }
  const close = async (): Promise<void> => {
    await end(child);
    await reaper.close();
  };
  try {
    // It says its version when every server listens; its plugins may be ready before that, or after.
    await waitFor(
      'CoreDNS has started, or has ended',
      async () => child.exitCode !== null || (/^CoreDNS-/m.test(output) && (await isReady(ready))),
      timeoutMs,
    );
    if (child.exitCode !== null) throw new Error('it has ended');
  } catch (cause) {
    await close();
    throw new Error(`CoreDNS is not ready:\n${output}\nwith\n${corefile}`, { cause });
  }
  return { port, [Symbol.asyncDispose]: close };
}

/** At a port of ours: the usual one may be that of somebody else on this machine. */
function withReadiness(corefile: string, port: number): string {
  const line = `ready 127.0.0.1:${port}`;
  const plain = /^(\s+)ready$/gm;
  return plain.test(corefile) ? corefile.replace(plain, `$1${line}`) : corefile.replace('{\n', `{\n    ${line}\n`);
}

async function isReady(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(1_000) });
  await response.body?.cancel();
  return response.status === 200;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
