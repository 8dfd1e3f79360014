/** CoreDNS with its own multicluster zone, which reads ServiceImports from the same API server; with and without its cache. */
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '#test/support/api-server/source.ts';
import { freePort } from '#test/support/standalone.ts';
import { pin } from './cpus.ts';
import { NAMESPACE, ZONE } from './names.ts';
import { LOOPBACK, type Candidate } from './system.ts';

const CACHE_SECONDS = 30;
/** It has one core: threads beyond that would only take turns. */
const PROCESSORS = 1;

type CorednsName = 'coredns' | 'coredns-cache';

/** @param path - absent: the program of the test clusters. */
export function findCoredns(path = join(cacheFolder(), 'bin', 'coredns')): readonly Candidate[] {
  const version = readVersion(path);
  return (['coredns', 'coredns-cache'] as const).map((name) =>
    version === undefined
      ? { name, absent: `${path} is no CoreDNS: \`test/clusters/mkbin coredns\` builds it, or --coredns PATH` }
      : toSystem(name, { path, version }),
  );
}

function readVersion(path: string): string | undefined {
  const { status, stdout } = spawnSync(path, ['-version'], { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? parseCorednsVersion(stdout) : undefined;
}

/** Of what `coredns -version` prints: its own, and that of Go. */
export function parseCorednsVersion(printed: string): string | undefined {
  const version = /^CoreDNS-(\S+)/m.exec(printed)?.[1];
  const go = /\bgo\d[\w.]*/.exec(printed)?.[0];
  return version === undefined ? undefined : [version, ...(go === undefined ? [] : [go])].join(', ');
}

interface Program {
  readonly path: string;
  readonly version: string;
}

function toSystem(name: CorednsName, { path, version }: Program): Candidate {
  const plugins = name === 'coredns' ? 'no cache' : `cache ${CACHE_SECONDS}`;
  return {
    name,
    version,
    settings: [
      `kubernetes ${ZONE} { multicluster ${ZONE} } on the ServiceImports of the same API server, ${plugins}; no log, no metrics`,
      `GOMAXPROCS=${PROCESSORS}`,
    ],
    answers: 'names',
    async start({ processes, cpus, folder, server }) {
      const home = join(folder, name);
      await mkdir(home);
      const [file, port] = [join(home, 'Corefile'), await freePort()];
      await writeFile(file, toCorefile({ port, kubeconfig: server.kubeconfig, isCached: name === 'coredns-cache' }));
      const started = processes.start({
        name,
        ...pin(cpus.responder, path, ['-conf', file]),
        env: { GOMAXPROCS: String(PROCESSORS) },
      });
      await started.whenListening([port]);
      return { place: { host: LOOPBACK, port }, pids: [started.pid] };
    },
  };
}

export interface CorefileOptions {
  readonly port: number;
  readonly kubeconfig: string;
  readonly isCached: boolean;
}

/** Pure. */
export function toCorefile({ port, kubeconfig, isCached }: CorefileOptions): string {
  return `${ZONE}:${port} {
    bind ${LOOPBACK}
    errors${isCached ? `\n    cache ${CACHE_SECONDS}` : ''}
    kubernetes ${ZONE} {
        kubeconfig ${kubeconfig}
        namespaces ${NAMESPACE}
        multicluster ${ZONE}
    }
}
`;
}
