/** The command line of the gateway benchmark. Pure. */
import { parseArgs } from 'node:util';
import { makeFlags } from '../flags.ts';
import { ALL_FAMILIES, ALL_KEYS, isFamily, isKey, type Family, type Key } from './keys.ts';

export interface GatewayBenchOptions {
  readonly against: readonly Family[];
  readonly rounds: number;
  /** Absent: all. */
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

const flags = makeFlags('gateway');
/** Our own caps lie above it, and so do those that rivals are given. */
const IDLE_TUNNELS_MAX = 7_000;
const ROUNDS_MAX = 100;
const WORKERS_MAX = 64;
const SECONDS_MAX = 60;
const TURNS_MAX = 60;

/** @throws {AppError} `ERR_USAGE`. */
export function parseOptions(args: readonly string[], env: NodeJS.ProcessEnv): GatewayBenchOptions {
  const values = readFlags(args);
  const { against = ALL_FAMILIES.join(','), only = ALL_KEYS.join(',') } = values;
  return {
    against:
      against === 'none' ? [] : flags.list({ flag: '--against', text: against, isOne: isFamily, all: ALL_FAMILIES }),
    only: flags.list({ flag: '--only', text: only, isOne: isKey, all: ALL_KEYS }),
    json: values.json ?? false,
    rounds: flags.count({ flag: '--rounds', text: values.rounds ?? '5', max: ROUNDS_MAX }),
    seconds: flags.count({ flag: '--seconds', text: values.seconds ?? '1', max: SECONDS_MAX }),
    pacedSeconds: flags.count({ flag: '--paced-seconds', text: values['paced-seconds'] ?? '3', max: SECONDS_MAX }),
    idleTunnels: flags.count({ flag: '--idle', text: values.idle ?? '3000', max: IDLE_TUNNELS_MAX }),
    warmUpTurns: flags.count({ flag: '--warm-up', text: values['warm-up'] ?? '6', min: 0, max: TURNS_MAX }),
    workers: flags.count({ flag: '--workers', text: values.workers ?? '0', min: 0, max: WORKERS_MAX }),
    haproxies: ['haproxy', ...(values.haproxy ?? [])],
    envoy: values.envoy ?? env['ENVOY'] ?? 'envoy',
    clusterlink: values.clusterlink,
  };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        against: { type: 'string' },
        only: { type: 'string' },
        json: { type: 'boolean' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        'paced-seconds': { type: 'string' },
        idle: { type: 'string' },
        'warm-up': { type: 'string' },
        workers: { type: 'string' },
        haproxy: { type: 'string', multiple: true },
        envoy: { type: 'string' },
        clusterlink: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw flags.usage((error as Error).message, 'see docs/PERFORMANCE.md for the flags');
  }
}
