/** ClusterLink's own data planes as rivals: which of them a folder of its programs gives. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { readEnvoyVersion } from './envoy.ts';
import type { Candidate, System } from './system.ts';

export type ClusterlinkName = 'clusterlink-go' | 'clusterlink-envoy';

/** Where its programs are, and what they say of themselves. */
export interface ClusterlinkPrograms {
  /** Folder of cl-controlplane, cl-go-dataplane and cl-dataplane. */
  readonly folder: string;
  /** The program that cl-dataplane starts. */
  readonly envoy: string;
  readonly versions: Readonly<Record<ClusterlinkName, string>>;
}

/** What makes rivals of programs: `clusterlink-pair.ts`, which needs root and an API server. */
export type ClusterlinkHarness = (
  programs: ClusterlinkPrograms,
  names: readonly ClusterlinkName[],
) => readonly System[];

export interface ClusterlinkOptions {
  readonly folder: string | undefined;
  readonly envoy: string;
  readonly harness: ClusterlinkHarness;
}

const DATA_PLANES: Readonly<Record<ClusterlinkName, string>> = {
  'clusterlink-go': 'cl-go-dataplane',
  'clusterlink-envoy': 'cl-dataplane',
};
const NAMES = Object.keys(DATA_PLANES) as readonly ClusterlinkName[];

/** Both, each as a rival or with the reason why it is not compared. */
export function findClusterlinks({ folder, envoy, harness }: ClusterlinkOptions): readonly Candidate[] {
  if (folder === undefined) return absent(NAMES, 'its programs are not given: --clusterlink DIR');
  const programs = resolve(folder);
  const control = readProgram(programs, 'cl-controlplane');
  if (control === undefined) return absent(NAMES, `there is no cl-controlplane in ${folder}`);
  const envoyPath = locate(envoy);
  const envoyVersion = readEnvoyVersion(envoyPath);
  const missing: Candidate[] = [];
  const versions = new Map<ClusterlinkName, string>();
  for (const name of NAMES) {
    const version = readProgram(programs, DATA_PLANES[name]);
    if (version === undefined) {
      missing.push(...absent([name], `there is no ${DATA_PLANES[name]} in ${folder}`));
    } else if (name === 'clusterlink-envoy' && envoyVersion === undefined) {
      missing.push(...absent([name], `no Envoy at ${envoy}: --envoy PATH`));
    } else {
      versions.set(name, name === 'clusterlink-go' ? version : `${version} with Envoy ${envoyVersion}`);
    }
  }
  const found = {
    folder: programs,
    envoy: envoyPath,
    versions: Object.fromEntries(versions) as ClusterlinkPrograms['versions'],
  };
  return [...(versions.size === 0 ? [] : harness(found, [...versions.keys()])), ...missing];
}

/** Of what a program prints for `--version`: `cl-go-dataplane version v0.4.1`. Undefined when it is not there, or does not say. */
function readProgram(folder: string, name: string): string | undefined {
  const path = join(folder, name);
  if (!existsSync(path)) return undefined;
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? parseClusterlinkVersion(stdout) : undefined;
}

export function parseClusterlinkVersion(printed: string): string | undefined {
  return /^cl-[a-z-]+ version (\S+)/m.exec(printed)?.[1];
}

/** A name without a slash as a shell finds it: whoever starts it there has another PATH. */
function locate(program: string): string {
  if (program.includes('/')) return resolve(program);
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path)) ?? program;
}

function absent(names: readonly ClusterlinkName[], why: string): readonly Candidate[] {
  return names.map((name) => ({ name, absent: why }));
}
