/** Which cores responders have, and which those who ask them: nobody's load is in the way of what it measures. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { AppError } from '#src/api/errors.ts';

export interface Cpus {
  /** One core, as taskset writes it: `0`. */
  readonly responder: string;
  /** The others, `1-3`: dnsperf, API server, this process. */
  readonly load: string;
  /** All of them, `0-3`. */
  readonly all: string;
}

/** Of the cores that this process may use. @throws {AppError} `ERR_USAGE` when there is but one. */
export function findCpus(): Cpus {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const [responder, ...load] = parseCpuList(list);
  if (responder === undefined || load.length === 0) {
    throw new AppError('ERR_USAGE', `bench dns: this process may use the cores ${list}`, {
      fix: 'give it two or more',
    });
  }
  return { responder: String(responder), load: load.join(','), all: list };
}

/** `0-2,5` → 0, 1, 2, 5. */
export function parseCpuList(text: string): readonly number[] {
  return text.split(',').flatMap((range) => {
    const [first = NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** A command that runs on these cores alone, and so do its children; taskset becomes the program, with the same id. */
export function pin(cpus: string, command: string, args: readonly string[]) {
  return { command: 'taskset', args: ['-c', cpus, command, ...args] };
}

/** Processes that run already, with all their threads. What has ended meanwhile is none of our business. */
export function move(pids: Iterable<number>, cpus: string): void {
  for (const pid of pids) spawnSync('taskset', ['-a', '-c', '-p', cpus, String(pid)], { timeout: 10_000 });
}
