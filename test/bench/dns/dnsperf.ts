/** Load by dnsperf, which is neither ours nor a rival's. What it prints is parsed purely. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessGroup } from '../processes.ts';
import { pin, type Cpus } from './cpus.ts';
import type { Place } from './system.ts';

export const CLIENTS = 16;
export const OUTSTANDING = 200;
/** After it a query is lost; no answer here takes so long. */
const TIMEOUT_SECONDS = 1;
/** Beyond the run itself. */
const SPARE_MS = 20_000;
const SHOWN_CHARACTERS = 1_000;

export interface Run {
  readonly to: Place;
  /** A file of names and types. */
  readonly queries: string;
  readonly seconds: number;
  /** At most so many a second, each answer timed; absent: as many as it gets answers for. */
  readonly qps?: number;
}

export interface Answered {
  readonly completed: number;
  readonly lost: number;
  readonly perSecond: number;
  /** Answers by their code, `NOERROR`. */
  readonly rcodes: Readonly<Record<string, number>>;
  /** Of each answer; empty without a rate. */
  readonly latenciesMs: readonly number[];
}

export interface Dnsperf {
  /** `2.10.0` */
  readonly version: string;
  run(run: Run): Promise<Answered>;
}

export interface DnsperfOptions {
  readonly version: string;
  readonly processes: Pick<ProcessGroup, 'start'>;
  readonly folder: string;
  readonly cpus: Cpus;
}

export function makeDnsperf({ version, processes, folder, cpus }: DnsperfOptions): Dnsperf {
  let count = 0;
  return {
    version,
    async run(run) {
      // A file, not a pipe: whoever read it at this rate would take the core from dnsperf.
      const file = join(folder, `dnsperf-${++count}.txt`);
      const { command, args } = pin(cpus.load, 'dnsperf', toArguments(run));
      const started = processes.start({ name: 'dnsperf', command, args, output: { file } });
      const timer = setTimeout(() => started.child.kill('SIGKILL'), run.seconds * 1_000 + SPARE_MS);
      try {
        if (!started.hasEnded) await once(started.child, 'exit');
        const printed = await readFile(file, 'utf8');
        return parsePrinted(printed, started.logTail());
      } finally {
        clearTimeout(timer);
        await started.end();
        await rm(file, { force: true });
      }
    },
  };
}

function toArguments({ to, queries, seconds, qps }: Run): readonly string[] {
  return [
    ...['-s', to.host, '-p', String(to.port), '-d', queries, '-l', String(seconds)],
    ...['-c', String(CLIENTS), '-q', String(OUTSTANDING), '-t', String(TIMEOUT_SECONDS)],
    // -v prints the time of each answer: 2.10 has no histogram.
    ...(qps === undefined ? [] : ['-Q', String(qps), '-v']),
  ];
}

/** @throws {Error} with dnsperf's own words when it has no statistics, or nothing was answered. */
export function parsePrinted(printed: string, complaints = ''): Answered {
  const number = (label: string): number => Number(new RegExp(`^ *${label}: *([\\d.]+)`, 'm').exec(printed)?.[1]);
  const completed = number('Queries completed');
  const answered: Answered = {
    completed,
    lost: number('Queries lost'),
    perSecond: number('Queries per second'),
    rcodes: parseRcodes(/^ *Response codes: *(.+)$/m.exec(printed)?.[1] ?? ''),
    latenciesMs: parseLatencies(printed),
  };
  if (!(completed > 0) || !(answered.perSecond > 0) || !(answered.lost >= 0)) {
    throw new Error(`dnsperf: no answers:\n${printed.slice(-SHOWN_CHARACTERS)}${complaints.slice(-SHOWN_CHARACTERS)}`);
  }
  return answered;
}

/** `NOERROR 170 (85.00%), NXDOMAIN 30 (15.00%)` */
function parseRcodes(text: string): Readonly<Record<string, number>> {
  return Object.fromEntries([...text.matchAll(/(\w+) (\d+) \(/g)].map(([, code = '', count]) => [code, Number(count)]));
}

/** `> NOERROR svc-0.bench.svc.clusterset.local A 0.000990` for each; a lost one has no such line. */
function parseLatencies(printed: string): readonly number[] {
  return [...printed.matchAll(/^> \w+ \S+ \w+ (\d+\.\d+)$/gm)].map(([, seconds]) => Number(seconds) * 1_000);
}

/** `2.10.0`; undefined where it is not installed. */
export function findDnsperf(): string | undefined {
  const { status, stdout } = spawnSync('dnsperf', ['-h'], { encoding: 'utf8', timeout: 10_000 });
  return status === null ? undefined : (/^Version (\S+)/m.exec(stdout)?.[1] ?? 'of unknown version');
}
