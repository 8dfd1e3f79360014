/**
 * `npm run bench -- gateway`: our data plane beside others', pairs of gateways on loopback in shuffled, interleaved rounds.
 * docs/PERFORMANCE.md says what is measured and how to read it.
 */
import { readFile } from 'node:fs/promises';
import { version } from '#src/cli/version.ts';
import { describeMachine } from '../machine.ts';
import { findClusterlinks } from './clusterlink.ts';
import { makeClusterlinks } from './clusterlink-pair.ts';
import { findEnvoys } from './envoy.ts';
import { findHaproxies } from './haproxy.ts';
import type { Family, RivalName } from './keys.ts';
import { MEASURES, type Bench } from './measures.ts';
import { parseOptions, type GatewayBenchOptions } from './options.ts';
import { makeOurs } from './ours.ts';
import { makePairs } from './pairs.ts';
import { pipe } from './pipe.ts';
import { formatRounds, formatTable, toResult } from './report.ts';
import { runRound, type Round } from './rounds.ts';
import { openStage } from './stage.ts';
import { isPresent, type Candidate, type System } from './system.ts';

type Tell = (text: string) => void;

/** @throws {AppError} `ERR_USAGE` */
export async function main(args: readonly string[]): Promise<number> {
  return runBench(parseOptions(args, process.env));
}

async function runBench(options: GatewayBenchOptions): Promise<number> {
  const tell: Tell = (text) => console.error(text);
  const say: Tell = options.json ? tell : (text) => console.log(text);
  await using undo = new AsyncDisposableStack();
  const { stage, load, program, iperf3 } = undo.use(await openStage(tell));
  const ours = await makeOurs({ program, version, workers: options.workers });
  const candidates = options.against.flatMap((family) => findRivals(family, options));
  const rivals = candidates.filter(isPresent);
  const systems: readonly System[] = [ours, ...rivals];
  for (const system of systems) undo.defer(async () => await system.close?.());
  const { seconds, pacedSeconds, idleTunnels, warmUpTurns } = options;
  const bench: Bench = { stage, load, seconds, pacedSeconds, idleTunnels, warmUpTurns };
  describeAll(ours, candidates, say);

  const measures = MEASURES.filter(({ keys }) => keys.some((key) => options.only.includes(key)));
  const pairs = makePairs(bench, measures);
  undo.defer(() => pairs.end());
  const rounds: Round[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    rounds.push(await runRound({ round, bench, pairs, systems, measures, random: Math.random, tell }));
  }

  const names = rivals.map(({ name }) => name).filter((name): name is RivalName => name !== 'ours');
  say(`\nMedians of ${options.rounds} rounds [least-greatest] xOURS/THEIRS; CPU of both gateways; GB is 10^9 bytes\n`);
  say(formatTable({ rivals: names, rounds }));
  say(`\n${formatRounds(rounds)}`);
  const failures = rounds.flatMap(({ round, failures: failed }) => failed.map((failure) => ({ round, ...failure })));
  for (const { round, system, measure, message } of failures) {
    say(`round ${round}: not measured: ${system}, ${measure}: ${message}`);
  }
  const versions = {
    ...(await machineVersions(iperf3)),
    ...Object.fromEntries(systems.map((each) => [each.name, each.version])),
  };
  console.log(JSON.stringify(toResult({ rivals: names, rounds, versions })));
  return failures.some(({ system }) => system === 'ours') ? 1 : 0;
}

function findRivals(family: Family, options: GatewayBenchOptions): readonly Candidate[] {
  switch (family) {
    case 'haproxy':
      return findHaproxies(options.haproxies);
    case 'envoy':
      return findEnvoys(options.envoy);
    case 'clusterlink':
      return findClusterlinks({ folder: options.clusterlink, envoy: options.envoy, harness: makeClusterlinks });
    case 'pipe':
      return [pipe];
  }
}

/** Who is compared, and how each is set: for people to judge. */
function describeAll(ours: System, candidates: readonly Candidate[], say: Tell): void {
  for (const candidate of [ours, ...candidates]) {
    if (!isPresent(candidate)) {
      say(`${candidate.name}: not compared: ${candidate.absent}`);
      continue;
    }
    say(`${candidate.name}: ${candidate.version}`);
    for (const setting of candidate.settings) say(`  ${setting}`);
  }
}

async function machineVersions(iperf3: string): Promise<Readonly<Record<string, string>>> {
  const congestion = await readFile('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').catch(() => 'unknown');
  return {
    ...describeMachine(),
    openssl: process.versions.openssl,
    iperf3,
    congestion: congestion.trim(),
  };
}
