/**
 * `npm run bench -- dns`: our DNS responder beside others, one core each, asked by dnsperf in shuffled, interleaved rounds; then what a
 * change of one import among many costs. docs/PERFORMANCE.md says what is measured and how to read it.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#src/api/errors.ts';
import { describeMachine } from '../machine.ts';
import { within } from '../within.ts';
import { takeChange } from './change.ts';
import { createServiceImports } from './cluster.ts';
import { findCoredns } from './coredns.ts';
import { dns2 } from './dns2.ts';
import { CLIENTS, findDnsperf, makeDnsperf, OUTSTANDING } from './dnsperf.ts';
import { echo } from './echo.ts';
import type { ChangeSample, Family, RivalName } from './keys.ts';
import { warmUp, type Bench } from './measures.ts';
import { findNsd } from './nsd.ts';
import { parseOptions, type DnsBenchOptions } from './options.ts';
import { makeOurs } from './ours.ts';
import { toQueries } from './queries.ts';
import { formatChange, formatRounds, formatTable, formatTargets, toResult, type ReportInput } from './report.ts';
import { runRound, type Failure, type Round } from './rounds.ts';
import { OBJECTS_TIMEOUT_MS, openStage } from './stage.ts';
import { startAll, type StartedAll } from './start.ts';
import { isPresent, type Candidate, type Stage, type System } from './system.ts';

type Tell = (text: string) => void;

/** For each responder, beyond what is asked of it by the clock: later than that somebody hangs. */
const SPARE_MS = 120_000;

/** @throws {AppError} `ERR_USAGE` */
export async function main(args: readonly string[]): Promise<number> {
  return runBench(parseOptions(args));
}

async function runBench(options: DnsBenchOptions): Promise<number> {
  const tell: Tell = (text) => console.error(text);
  const say: Tell = options.json ? tell : (text) => console.log(text);
  const version = findDnsperf();
  if (version === undefined) {
    throw new AppError('ERR_USAGE', 'bench dns: dnsperf is not installed', { fix: 'apt-get install dnsperf' });
  }
  await using opened = await openStage({ imports: options.imports, tell });
  const { stage, program } = opened;
  const candidates = [await makeOurs(program), ...options.against.flatMap((family) => findRivals(family, options))];
  const systems = candidates.filter(isPresent);
  describeAll(candidates, { stage, version }, say);
  await createForRivals(stage, systems);

  tell('starting responders');
  const rivals = stage.processes.group();
  const started = await startAll({ stage, systems, rivals });
  const rounds = await runRounds({ stage, started, options, version, tell });
  await rivals.end();
  const { change, failures } = await tryChange({ stage, started, options, tell });

  const names = systems.map(({ name }) => name).filter((name): name is RivalName => name !== 'ours');
  tellResult({ rivals: names, rounds, change }, say);
  const failed = [...started.failures, ...rounds.flatMap((round) => round.failures), ...failures];
  for (const { system, measure, message } of failed) say(`not measured: ${system}, ${measure}: ${message}`);
  const versions = {
    ...{ ...describeMachine(), dnsperf: version },
    ...Object.fromEntries(systems.map((each) => [each.name, each.version])),
  };
  console.log(JSON.stringify(toResult({ rivals: names, rounds, change, versions })));
  return failed.some(({ system }) => system === 'ours') ? 1 : 0;
}

function findRivals(family: Family, { coredns }: DnsBenchOptions): readonly Candidate[] {
  switch (family) {
    case 'dns2':
      return [dns2];
    case 'echo':
      return [echo];
    case 'nsd':
      return [findNsd()];
    case 'coredns':
      return findCoredns(coredns);
  }
}

/** Who is compared, and how each is set: for people to judge. */
function describeAll(
  candidates: readonly Candidate[],
  { stage: { imports, cpus }, version }: { readonly stage: Stage; readonly version: string },
  say: Tell,
): void {
  say(
    `dnsperf ${version}: ${CLIENTS} clients, ${OUTSTANDING} outstanding, ${imports.length} imports; cores ${cpus.load}`,
  );
  say(`responders: core ${cpus.responder}, one of them asked at a time`);
  for (const candidate of candidates) {
    if (!isPresent(candidate)) {
      say(`${candidate.name}: not compared: ${candidate.absent}`);
      continue;
    }
    say(`${candidate.name}: ${candidate.version}`);
    for (const setting of candidate.settings) say(`  ${setting}`);
  }
}

async function createForRivals({ server, imports }: Stage, systems: readonly System[]): Promise<void> {
  if (!systems.some(({ name }) => name === 'coredns')) return;
  await within('to create ServiceImports', OBJECTS_TIMEOUT_MS, createServiceImports(server, imports));
}

interface RunOptions {
  readonly stage: Stage;
  readonly started: StartedAll;
  readonly options: DnsBenchOptions;
  readonly tell: Tell;
}

async function runRounds(run: RunOptions & { readonly version: string }): Promise<readonly Round[]> {
  const { stage, started, options, tell, version } = run;
  const { running, echo: yardstick } = started;
  if (options.rounds === 0) return [];
  const queries = join(stage.folder, 'queries.txt');
  await writeFile(queries, toQueries(stage.imports, Math.random));
  const bench: Bench = { dnsperf: makeDnsperf({ version, ...stage }), queries, seconds: options.seconds };
  const patienceMs = (seconds: number): number => (running.length + 1) * (seconds * 1_000 + SPARE_MS);
  tell('warming up');
  for (const one of new Set([yardstick, ...running])) {
    await within('a warm-up', patienceMs(options.warmUpSeconds), warmUp(bench, one, options.warmUpSeconds));
  }
  const rounds: Round[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const one = runRound({ round, bench, running, echo: yardstick, random: Math.random, tell });
    rounds.push(await within(`round ${round}`, patienceMs(2 * bench.seconds), one));
  }
  return rounds;
}

interface Tried {
  readonly change: ChangeSample | undefined;
  readonly failures: readonly Failure[];
}

/** What the rounds have shown is not lost when this fails. */
async function tryChange({ stage, started, options, tell }: RunOptions): Promise<Tried> {
  const ours = started.running.find(({ system }) => system.name === 'ours');
  if (ours === undefined || options.changes === 0) return { change: undefined, failures: [] };
  try {
    return { change: await takeChange({ stage, ours, options, tell }), failures: [] };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { change: undefined, failures: [{ system: 'ours', measure: 'changes', message }] };
  }
}

function tellResult(result: Omit<ReportInput, 'versions'>, say: Tell): void {
  const { rounds, change } = result;
  if (rounds.length > 0) {
    say(`\nMedians of ${rounds.length} rounds [least-greatest] xOURS/THEIRS; CPU of all processes of a responder\n`);
    say(formatTable(result));
    say(`\n${formatRounds(rounds)}`);
  }
  if (change !== undefined) say(`\n${formatChange(change)}`);
  say(`\n${formatTargets(result)}`);
}
