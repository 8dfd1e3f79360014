/** The measures: what is asked of one responder, and which keys come of it. */
import { cpuSecondsOf, residentKibOf } from '../proc.ts';
import { quantile } from '../statistics.ts';
import type { Answered, Dnsperf } from './dnsperf.ts';
import type { Key, Sample } from './keys.ts';
import { MIX } from './queries.ts';
import type { Responder, System } from './system.ts';

export const PACED_QPS = 20_000;
/** Before each sample, so that it finds caches and buffers as they are under load. */
const LEAD_SECONDS = 0.5;
/** dnsperf ends somewhere in its file, so that the last pass is not whole: a share of many answers, and chance among few. */
const SHARE_OFF_MAX = 0.01;
const CHANCE = 1.5;
const MISSING_SHARE = MIX.missing / (MIX.a + MIX.srv + MIX.missing);

export interface Bench {
  readonly dnsperf: Dnsperf;
  /** A file of names and types. */
  readonly queries: string;
  /** The length of one run. */
  readonly seconds: number;
}

export interface Running {
  readonly system: System;
  readonly responder: Responder;
}

export interface Measure {
  readonly title: string;
  readonly keys: readonly Key[];
  /** @throws {Error} when what was answered is not what was to be. */
  take(bench: Bench, running: Running): Promise<Sample>;
}

export const MEASURES: readonly Measure[] = [
  {
    title: 'as many as it answers',
    keys: ['qps', 'cpu', 'lost', 'rss_mib'],
    async take(bench, running) {
      const { pids } = running.responder;
      await run(bench, running, { seconds: LEAD_SECONDS });
      const before = cpuSecondsOf(pids);
      const { perSecond, completed, lost } = await run(bench, running, { seconds: bench.seconds });
      const cpu = ((cpuSecondsOf(pids) - before) / completed) * 1e6;
      return { qps: perSecond, cpu, lost, rss_mib: residentKibOf(pids) / 1024 };
    },
  },
  {
    title: `${PACED_QPS} a second`,
    keys: ['p50_20k', 'p99_20k', 'lost_20k'],
    async take(bench, running) {
      await run(bench, running, { seconds: LEAD_SECONDS, qps: PACED_QPS });
      const { latenciesMs, lost } = await run(bench, running, { seconds: bench.seconds, qps: PACED_QPS });
      const at = (share: number): number => quantile(latenciesMs, share) ?? NaN;
      return { p50_20k: at(0.5), p99_20k: at(0.99), lost_20k: lost };
    },
  },
];

/** It compiles, and fills what it keeps. */
export async function warmUp(bench: Bench, running: Running, seconds: number): Promise<void> {
  if (seconds > 0) await run(bench, running, { seconds });
}

/** Queries a second of whoever is asked at each such place: whether the machine was the same. */
export async function takeYardstick(bench: Bench, echo: Running): Promise<number> {
  return (await run(bench, echo, { seconds: 2 * LEAD_SECONDS })).perSecond;
}

async function run(
  { dnsperf, queries }: Bench,
  { system, responder }: Running,
  shape: { readonly seconds: number; readonly qps?: number },
): Promise<Answered> {
  const answered = await dnsperf.run({ to: responder.place, queries, ...shape });
  const fault = findFault(system.answers, answered) ?? (await responder.fault?.());
  if (fault !== undefined) throw new Error(fault);
  return answered;
}

/** Codes that are not those of the names that were asked for. Pure. */
export function findFault(answers: System['answers'], { rcodes, completed }: Answered): string | undefined {
  const wanted = answers === 'names' ? MISSING_SHARE : 0;
  const { NOERROR: good = 0, NXDOMAIN: missing = 0 } = rcodes;
  const offMax = wanted === 0 ? 0 : SHARE_OFF_MAX + CHANCE / Math.sqrt(completed);
  const isRight = good + missing === completed && Math.abs(missing / completed - wanted) <= offMax;
  return isRight ? undefined : `wrong answers: ${JSON.stringify(rcodes)}`;
}
