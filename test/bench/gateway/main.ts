/**
 * `npm run bench -- gateway [--against haproxy,envoy,pipe,clusterlink] [--rounds 5] [--only KEY,...] [--json]`: our data plane beside
 * others', pairs of gateways on loopback in shuffled, interleaved rounds. docs/PERFORMANCE.md says what is measured and how to read it.
 */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError, formatError } from '#src/api/errors.ts';
import { version } from '#src/cli/version.ts';
import { createFabricFiles, createPeerCertFiles } from '#src/fabric/files.ts';
import { freePort } from '#test/support/standalone.ts';
import { assembleRootfs, PROGRAM } from '../../../scripts/image/rootfs.ts';
import { findClusterlinks } from './clusterlink.ts';
import { findEnvoys } from './envoy.ts';
import { findHaproxies } from './haproxy.ts';
import { findIperf3 } from './iperf3.ts';
import type { Family, RivalName } from './keys.ts';
import { startLoad } from './load.ts';
import { MEASURES, type Bench } from './measures.ts';
import { parseOptions, type GatewayBenchOptions } from './options.ts';
import { makeOurs } from './ours.ts';
import { pipe } from './pipe.ts';
import { openProcesses, type Processes } from './processes.ts';
import { formatRounds, formatTable, toResult } from './report.ts';
import { runRound, type Round } from './rounds.ts';
import { EXPORTER, IMPORTER, isPresent, type Candidate, type Credentials, type Stage, type System } from './system.ts';

type Tell = (text: string) => void;

export async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args, process.env);
    const iperf3 = findIperf3();
    if (iperf3 === undefined) {
      throw new AppError('ERR_USAGE', 'bench gateway: iperf3 is not installed', { fix: 'apt-get install iperf3' });
    }
    return await runBench(options, iperf3);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'ERR_USAGE') throw error;
    console.error(formatError(error));
    return 2;
  }
}

async function runBench(options: GatewayBenchOptions, iperf3: string): Promise<number> {
  const tell: Tell = (text) => console.error(text);
  const say: Tell = options.json ? tell : (text) => console.log(text);
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-bench-'));
  const processes = openProcesses(folder);
  undo.defer(() => processes.close());
  // What is left then, the reaper ends: it lives in a process group of its own.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

  tell('bundling our program');
  const rootfs = join(folder, 'rootfs');
  await assembleRootfs(rootfs);
  const ours = await makeOurs(join(rootfs, PROGRAM), version);
  const candidates = options.against.flatMap((family) => findRivals(family, options));
  const rivals = candidates.filter(isPresent);
  const systems: readonly System[] = [ours, ...rivals];
  const bench = await prepare(folder, processes, options);
  describeAll(ours, candidates, say);

  const measures = MEASURES.filter(({ keys }) => keys.some((key) => options.only.includes(key)));
  const rounds: Round[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    rounds.push(await runRound({ round, bench, systems, measures, random: Math.random, tell }));
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
      return findClusterlinks(options.clusterlink);
    case 'pipe':
      return [pipe];
  }
}

async function prepare(folder: string, processes: Processes, options: GatewayBenchOptions): Promise<Bench> {
  const fabric = await createFabricFiles({ path: folder, fabric: 'bench' });
  const issue = async (peer: string): Promise<Credentials> => {
    const { cert, key } = await createPeerCertFiles({ path: folder, fabric: 'bench', peer });
    const both = join(folder, `${peer}.pem`);
    await writeFile(both, (await readFile(cert, 'utf8')) + (await readFile(key, 'utf8')), { mode: 0o600 });
    return { ca: fabric.cert, cert, key, both };
  };
  const credentials = { east: await issue(EXPORTER), west: await issue(IMPORTER) };
  const echo = await startLoad(processes, 'echo').order({ kind: 'echo' });
  if (echo.kind !== 'serving') throw new Error(`the echo process answered ${echo.kind}`);
  const services: Stage['services'] = {
    iperf3: { host: '127.0.0.1', port: await freePort() },
    echo: { host: '127.0.0.1', port: echo.port },
  };
  const { seconds, pacedSeconds, idleTunnels } = options;
  const stage = { folder, processes, credentials, services };
  return { stage, load: startLoad(processes, 'load'), seconds, pacedSeconds, idleTunnels };
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
  const [first] = cpus();
  const congestion = await readFile('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').catch(() => 'unknown');
  return {
    node: process.versions.node,
    openssl: process.versions.openssl,
    iperf3,
    kernel: release(),
    cpu: `${cpus().length} x ${first?.model.trim() ?? 'unknown'}`,
    congestion: congestion.trim(),
  };
}
