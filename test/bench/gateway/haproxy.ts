/** HAProxy as a pair: TCP mode, a TLS connection with both certificates for each tunnel, resumed where it can be. */
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '#test/support/standalone.ts';
import { EXPORTER, IMPORTER, SERVICES, type Candidate, type Places, type PairStage } from './system.ts';
import { placesAt, portsOf } from './places.ts';

const CONNECTIONS_MAX = 8_000;

const GLOBAL = `global
  nbthread 1
  maxconn ${CONNECTIONS_MAX}
  tune.bufsize 65536
  tune.ssl.cachesize 100000
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384
  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384
defaults
  mode tcp
  maxconn ${CONNECTIONS_MAX}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
`;

/** One for each major version: `haproxy` of the path, and those that were named. */
export function findHaproxies(paths: readonly string[]): readonly Candidate[] {
  const found = new Map(
    paths
      .map((path) => readVersion(path))
      .filter((version) => version !== undefined)
      .map((version) => [version.name, version] as const),
  );
  return (['haproxy2', 'haproxy3'] as const).map((name) => {
    const version = found.get(name);
    if (version !== undefined) return toSystem(version);
    return { name, absent: `no HAProxy ${name.slice(-1)} is installed: apt-get install haproxy, or --haproxy PATH` };
  });
}

interface Version {
  readonly name: 'haproxy2' | 'haproxy3';
  readonly path: string;
  readonly text: string;
}

function readVersion(path: string): Version | undefined {
  const { status, stdout } = spawnSync(path, ['-vv'], { encoding: 'utf8', timeout: 10_000 });
  if (status !== 0) return undefined;
  const version = parseHaproxyVersion(stdout);
  return version && { ...version, path };
}

/** Of what `haproxy -vv` prints; version 3.2 says `SSL library` where those before it say `OpenSSL`. */
export function parseHaproxyVersion(printed: string): Omit<Version, 'path'> | undefined {
  const [, version, major] = /^HA-?Proxy version ((\d)\S*)/m.exec(printed) ?? [];
  if (version === undefined || (major !== '2' && major !== '3')) return undefined;
  const tls =
    /^Running on (?:OpenSSL|SSL library) version : (.+)$/m.exec(printed)?.[1]?.trim() ?? 'unknown TLS library';
  return { name: `haproxy${major}`, text: `${version} on ${tls}` };
}

function toSystem({ name, path, text }: Version): Candidate {
  return {
    name,
    version: text,
    settings: [
      'mode tcp, 1 thread, tune.bufsize 65536, TLS 1.3 with TLS_AES_128_GCM_SHA256 first',
      'both certificates verified, by name at the importer; TLS sessions are reused; nothing is logged, no decision is made',
    ],
    async start(stage) {
      const folder = join(stage.folder, `${name}-${await freePort()}`);
      await mkdir(folder);
      const entries = await placesAt(freePort);
      const between = await placesAt(freePort);
      const importer = start('importer', toImporterConfig(stage, entries, between), entries);
      const exporter = start('exporter', toExporterConfig(stage, between), between);
      const both = await Promise.all([importer, exporter]);
      return {
        entries,
        pids: both.map(({ pid }) => pid),
      };

      async function start(part: string, config: string, places: Places) {
        const file = join(folder, `${part}.cfg`);
        await writeFile(file, config);
        const started = stage.processes.start({ name: `${name}-${part}`, command: path, args: ['-db', '-f', file] });
        await started.whenListening(portsOf(places));
        return started;
      }
    },
  };
}

function toImporterConfig({ credentials: { west } }: PairStage, entries: Places, between: Places): string {
  const tls = `ssl crt ${west.both} ca-file ${west.ca} verify required verifyhost ${EXPORTER} sni str(${EXPORTER})`;
  return `# ${IMPORTER}\n${GLOBAL}${SERVICES.map(
    (service) => `listen ${service}
  bind ${entries[service].host}:${entries[service].port}
  server ${EXPORTER} ${between[service].host}:${between[service].port} ${tls}
`,
  ).join('')}`;
}

function toExporterConfig({ credentials: { east }, services }: PairStage, between: Places): string {
  return `# ${EXPORTER}\n${GLOBAL}${SERVICES.map(
    (service) => `listen ${service}
  bind ${between[service].host}:${between[service].port} ssl crt ${east.both} ca-file ${east.ca} verify required
  server ${service} ${services[service].host}:${services[service].port}
`,
  ).join('')}`;
}
