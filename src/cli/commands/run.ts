/** `run`: one peer, or one part of it, as a process, from its start to its exit code. */
import { resolve } from 'node:path';
import { Option } from 'commander';
import { AppError, formatError } from '../../api/errors.ts';
import { loadConfig } from '../../runtime/config.ts';
import { makeHealth } from '../../runtime/health.ts';
import { makeLifecycle } from '../../runtime/lifecycle.ts';
import { makeLogger, type Logger } from '../../runtime/log.ts';
import { makeMetrics } from '../../runtime/metrics.ts';
import { SETTINGS } from '../../runtime/settings.ts';
import { stateOption, type Register } from '../register.ts';
import type { Part, PartName, PartOptions } from '../run/cluster/part.ts';
import { startPeer } from '../run/peer.ts';
import { parseStore } from '../store-argument.ts';
import { version } from '../version.ts';

const PARTS: readonly PartName[] = ['gateway', 'controller', 'dns'];
type StartPart = (options: PartOptions) => Promise<Part>;
/** Loaded when they are wanted: the client of the API server takes half a second and 80 MB. */
const LOAD: Readonly<Record<PartName, () => Promise<StartPart>>> = {
  gateway: async () => (await import('../run/cluster/gateway.ts')).startGatewayPart,
  controller: async () => (await import('../run/cluster/controller.ts')).startControllerPart,
  dns: async () => (await import('../run/cluster/dns.ts')).startDnsPart,
};

interface RunArguments extends Record<string, string | undefined> {
  readonly store: string;
  readonly part?: PartName;
  readonly state: string;
  readonly config?: string;
}

export function addRunCommand({ program, done }: Register): void {
  const command = program
    .command('run')
    .description('Run one peer: all of it with a folder of manifests, or one part of it in a Kubernetes cluster.')
    .addOption(
      new Option('--store <STORE>', 'dir:PATH, a folder of manifests; or kubernetes[:KUBECONFIG], an API server')
        .env('CLUSTERLINK_MCS_STORE')
        .makeOptionMandatory(),
    )
    .addOption(new Option('--part <PART>', 'which part to run, with --store kubernetes').choices(PARTS))
    .addOption(stateOption())
    .addOption(new Option('--config <FILE>', 'configuration (YAML)').env('CLUSTERLINK_MCS_CONFIG'))
    .addHelpText(
      'after',
      `
Flags beat the environment, which beats the file. Examples:
  npx clusterlink-mcs run --store dir:./manifests --state ./state --config peer.yaml
  clusterlink-mcs run --store kubernetes --part controller --config peer.yaml     (in a pod; see "deploy peer")`,
    );
  for (const { flag, help, env } of SETTINGS) command.addOption(new Option(`${flag} <VALUE>`, `${help} (${env})`));

  command.action(async (options: RunArguments) => {
    const state = resolve(options.state);
    const config = await loadConfig({
      file: options.config,
      env: process.env,
      flags: flagValues(command.opts()),
      cwd: process.cwd(),
      state,
    });
    const logger = makeLogger({ level: config.log.level, bindings: { self: config.peer } });
    const health = makeHealth();
    const metrics = makeMetrics({ version, self: config.peer, processMetrics: 'collected' });
    const start = chooseStart(options);
    const drainMs = config.drainSeconds * 1000;
    const lifecycle = makeLifecycle({ logger, drainMs, onShutdown: () => health.drain() });
    let peer: Part | undefined;
    lifecycle.add({
      name: 'peer',
      async start() {
        peer = await start({ config, state, version, env: process.env, logger, health, metrics });
      },
      drain: (deadlineMs) => peer?.drain(deadlineMs),
      stop: () => peer?.close(),
    });
    const onHangUp = (): void => void restart(peer, logger);
    process.on('SIGHUP', onHangUp);
    await lifecycle.start();
    const exitCode = await lifecycle.ended();
    process.off('SIGHUP', onHangUp);
    done(exitCode);
  });

  /** By dotted key, only what was given. */
  function flagValues(given: Record<string, unknown>): Record<string, string | undefined> {
    const attribute = (flag: string): string =>
      flag.replace(/^--/, '').replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    return Object.fromEntries(SETTINGS.map(({ key, flag }) => [key, given[attribute(flag)] as string | undefined]));
  }
}

/** SIGHUP: what carries connections is replaced, and none is cut. */
async function restart(part: Part | undefined, logger: Logger): Promise<void> {
  try {
    await part?.restart?.();
  } catch (error) {
    logger.warn({ error: formatError(error) }, 'Workers were not replaced');
  }
}

/** @throws {AppError} `ERR_USAGE` for a part without a cluster, and for a cluster without a part. */
function chooseStart({ store: text, part }: RunArguments): (options: Omit<PartOptions, 'kubeconfig'>) => Promise<Part> {
  const store = parseStore(text);
  if (store.home === 'directory') {
    if (part !== undefined) {
      throw new AppError('ERR_USAGE', `--part ${part}: with dir:PATH one process is the whole peer`, {
        fix: 'leave --part out, or give --store kubernetes',
      });
    }
    return (options) => startPeer({ ...options, manifests: resolve(store.path) });
  }
  if (part === undefined) {
    throw new AppError('ERR_USAGE', '--part: is missing; with --store kubernetes a process is one part of the peer', {
      fix: `give one of ${PARTS.join(', ')}`,
    });
  }
  return async (options) => (await LOAD[part]())({ ...options, kubeconfig: store.kubeconfig });
}
