/**
 * Where test API servers come from: a folder that is given, else what was built here before, else a container, else a build.
 * The build (5 minutes on 2 cores, 3.5 GB of Go caches) happens once a machine; `test/clusters/mkbin` makes it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Binaries {
  readonly kind: 'binaries';
  readonly etcd: string;
  readonly kubeApiserver: string;
}

export interface Container {
  readonly kind: 'container';
  readonly image: string;
}

export type Source = Binaries | Container;

const MKBIN = fileURLToPath(new URL('../../clusters/mkbin', import.meta.url));
/** K3S_IMAGE names another. */
const K3S_IMAGE = 'rancher/k3s:v1.37.0-k3s1';

let found: Promise<Source> | undefined;

/** The same answer for the whole process. @throws {Error} that says what is missing and how to get it. */
export function findSource(): Promise<Source> {
  return (found ??= search());
}

async function search(): Promise<Source> {
  const { KUBEBUILDER_ASSETS: assets = '', K3S_IMAGE: image = K3S_IMAGE } = process.env;
  if (assets !== '') return toBinaries(assets, 'KUBEBUILDER_ASSETS');
  const cache = join(cacheFolder(), 'bin');
  if (spawnSync(MKBIN, ['check', 'control-plane']).status === 0) return toBinaries(cache, 'the cache');
  if (await hasContainerRuntime()) return { kind: 'container', image };
  if (spawnSync('go', ['version']).status !== 0) {
    throw new Error(
      'etcd and kube-apiserver for the tests: none here. Fix: install Go 1.26 or newer (https://go.dev/dl; they are built once, ' +
        `in about 5 minutes, into ${cache}), or start a Docker daemon (K3s), or give a folder that has both as KUBEBUILDER_ASSETS`,
    );
  }
  await build();
  return toBinaries(cache, 'the cache');
}

/** Where the test clusters' programs live; `test/clusters/` reads the same variables. */
export function cacheFolder(): string {
  const { K8S_HOME: home = '', XDG_CACHE_HOME: cache = '' } = process.env;
  if (home !== '') return home;
  return join(cache === '' ? join(homedir(), '.cache') : cache, 'k8s-test-clusters');
}

function toBinaries(folder: string, from: string): Binaries {
  const binaries: Binaries = {
    kind: 'binaries',
    etcd: join(folder, 'etcd'),
    kubeApiserver: join(folder, 'kube-apiserver'),
  };
  for (const path of [binaries.etcd, binaries.kubeApiserver]) {
    try {
      accessSync(path, constants.X_OK);
    } catch (cause) {
      throw new Error(`${path} (folder from ${from}) is no program. Fix: give a folder that has it`, { cause });
    }
  }
  return binaries;
}

async function hasContainerRuntime(): Promise<boolean> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
}

/** Its progress goes to standard error: minutes of silence look like a hang. */
async function build(): Promise<void> {
  process.stderr.write('building etcd and kube-apiserver for the tests, once: about 5 minutes\n');
  const child = spawn(MKBIN, ['control-plane'], { stdio: ['ignore', 2, 2] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${MKBIN} control-plane ended with ${code}; its output is above`);
}
