/** Every process of the benchmark. Each is ended by its id on every way out: closed, failed, interrupted, or killed. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startReaper } from '#test/support/api-server/reaper.ts';
import { waitFor } from '#test/support/wait.ts';
import { isListening } from './proc.ts';

/** From SIGTERM to SIGKILL: a gateway has nothing to finish here. */
const END_TIMEOUT_MS = 5_000;
const LISTEN_TIMEOUT_MS = 20_000;
const LOG_TAIL_CHARACTERS = 2_000;

export interface Started {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly hasEnded: boolean;
  /** The end of what it has written. */
  logTail(): string;
  /** Rejects with its log when it ends first. */
  whenListening(ports: readonly number[]): Promise<void>;
  end(): Promise<void>;
}

export interface StartOptions {
  /** Names its log. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** `pipe`: its output is for the caller; a file: it goes there; else to its log. */
  readonly output?: 'log' | 'pipe' | { readonly file: string };
  /** With a channel for messages (`process.send`). */
  readonly channel?: 'ipc';
}

export interface ProcessGroup {
  start(options: StartOptions): Started;
  /** Ends those that were started here. */
  end(): Promise<void>;
}

export interface Processes {
  start(options: StartOptions): Started;
  /** Some that end together. */
  group(): ProcessGroup;
  close(): Promise<void>;
}

/** @param folder - holds the logs, and goes with the processes. */
export function openProcesses(folder: string): Processes {
  const running = new Map<number, Started>();
  const list = join(folder, 'pids');
  const note = (): void => writeFileSync(list, [...running.keys(), ''].join('\n'));
  note();
  // The list holds who runs now: nobody is killed who has got the id of one that has ended.
  const reaper = startReaper('while read -r pid; do kill -9 "$pid" 2>/dev/null; done < "$1/pids"; rm -rf "$1"', [
    folder,
  ]);
  let count = 0;

  function start(options: StartOptions): Started {
    const started = startProcess(options, join(folder, `${options.name}-${++count}.log`));
    running.set(started.pid, started);
    note();
    started.child.once('exit', () => {
      running.delete(started.pid);
      note();
    });
    return started;
  }

  return {
    start,
    group() {
      const members: Started[] = [];
      return {
        start(options) {
          const started = start(options);
          members.push(started);
          return started;
        },
        end: () => endAll(members),
      };
    },
    async close() {
      await endAll([...running.values()]);
      await reaper.close();
    },
  };
}

/** Ends this process when it is interrupted; what it has started, the reaper ends then: it lives in a process group of its own. */
export function exitWhenInterrupted(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
}

async function endAll(processes: readonly Started[]): Promise<void> {
  await Promise.all(processes.map((started) => started.end()));
}

function startProcess({ name, command, args, env, output = 'log', channel }: StartOptions, log: string): Started {
  const file = openSync(log, 'a');
  const own = typeof output === 'string' ? file : openSync(output.file, 'w');
  const stdio: SpawnOptions['stdio'] = ['ignore', output === 'pipe' ? 'pipe' : own, file, ...[channel ?? []].flat()];
  const child = spawn(command, args, { stdio, env: { ...process.env, ...env } });
  for (const each of new Set([file, own])) closeSync(each);
  const { pid } = child;
  // Without an id it was never started; the event that says why comes later, and needs a listener.
  child.on('error', () => undefined);
  if (pid === undefined) throw new Error(`${command} cannot be started. Fix: install it, or give its path`);
  const exited = once(child, 'exit');
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const logTail = (): string => readFileSync(log, 'utf8').slice(-LOG_TAIL_CHARACTERS);
  return {
    pid,
    child,
    get hasEnded() {
      return hasEnded();
    },
    logTail,
    async whenListening(ports) {
      const what = `${name} listens at ${ports.join(', ')}`;
      const seen = await waitFor(
        what,
        () => (hasEnded() ? 'ended' : ports.every(isListening) && 'listening'),
        LISTEN_TIMEOUT_MS,
      );
      if (seen === 'ended') throw new Error(`${name} has ended:\n${logTail()}`);
    },
    async end() {
      if (hasEnded()) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}
