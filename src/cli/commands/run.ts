/** `run`: one standalone peer as a process, from its start to its exit code. */
import { resolve } from 'node:path';
import { Option } from 'commander';
import { loadConfig } from '../../runtime/config.ts';
import { makeHealth } from '../../runtime/health.ts';
import { makeLifecycle } from '../../runtime/lifecycle.ts';
import { makeLogger } from '../../runtime/log.ts';
import { makeMetrics } from '../../runtime/metrics.ts';
import { SETTINGS } from '../../runtime/settings.ts';
import { stateOption, storeOption, type Register } from '../register.ts';
import { startPeer, type Peer } from '../run/peer.ts';
import { parseStore } from '../store-argument.ts';
import { version } from '../version.ts';

interface RunArguments extends Record<string, string | undefined> {
  readonly store: string;
  readonly state: string;
  readonly config?: string;
}

export function addRunCommand({ program, done }: Register): void {
  const command = program
    .command('run')
    .description('Run one peer: controller, gateway and DNS in one process, with a folder of manifests.')
    .addOption(storeOption())
    .addOption(stateOption())
    .addOption(new Option('--config <FILE>', 'configuration (YAML)').env('CLUSTERLINK_MCS_CONFIG'))
    .addHelpText(
      'after',
      `
Flags beat the environment, which beats the file. Example:
  npx clusterlink-mcs run --store dir:./manifests --state ./state --config peer.yaml`,
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
    const metrics = makeMetrics({ version, processMetrics: 'collected' });
    const manifests = resolve(parseStore(options.store));
    const lifecycle = makeLifecycle({ logger, drainMs: config.drainSeconds * 1000, onShutdown: () => health.drain() });
    let peer: Peer | undefined;
    lifecycle.add({
      name: 'peer',
      async start() {
        peer = await startPeer({ config, manifests, state, version, logger, health, metrics });
      },
      drain: (deadlineMs) => peer?.drain(deadlineMs),
      stop: () => peer?.close(),
    });
    await lifecycle.start();
    done(await lifecycle.ended());
  });

  /** By dotted key, only what was given. */
  function flagValues(given: Record<string, unknown>): Record<string, string | undefined> {
    const attribute = (flag: string): string =>
      flag.replace(/^--/, '').replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    return Object.fromEntries(SETTINGS.map(({ key, flag }) => [key, given[attribute(flag)] as string | undefined]));
  }
}
