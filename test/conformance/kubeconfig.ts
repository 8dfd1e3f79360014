/** Kubeconfig files as kubectl reads them. client-node would throw at a missing file or a name that two files have. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { KubeConfig, type Cluster, type Context, type User } from '@kubernetes/client-node';
import { toMessage } from './outcome.ts';

export interface KubeConfigParts {
  readonly clusters: readonly Cluster[];
  readonly users: readonly User[];
  readonly contexts: readonly Context[];
  readonly currentContext: string | undefined;
}

/** What is wrong with what the user gave: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The first file that has a name defines it; the first current-context that is set holds. */
export function mergeKubeConfigs(files: readonly KubeConfigParts[]): KubeConfigParts {
  const firstByName = <T extends { readonly name: string }>(lists: readonly (readonly T[])[]): T[] => {
    const byName = new Map<string, T>();
    for (const item of lists.flat()) if (!byName.has(item.name)) byName.set(item.name, item);
    return [...byName.values()];
  };
  return {
    clusters: firstByName(files.map((file) => file.clusters)),
    users: firstByName(files.map((file) => file.users)),
    contexts: firstByName(files.map((file) => file.contexts)),
    currentContext: files.map((file) => file.currentContext).find((name) => name !== undefined && name !== ''),
  };
}

/** The files to read: those named by the user, else of KUBECONFIG, else the one in the home folder. */
export function kubeConfigFiles(given: string | undefined, environment = process.env): string[] {
  const list = given ?? environment['KUBECONFIG'];
  if (list === undefined || list === '') return [join(homedir(), '.kube', 'config')];
  return list.split(delimiter).filter((file) => file !== '');
}

/**
 * @param files - those that do not exist or are empty are passed over, as kubectl does.
 * @throws UsageError if none is left, or one cannot be read.
 */
export function loadKubeConfigs(files: readonly string[]): KubeConfigParts {
  const parts = files.filter((file) => existsSync(file) && readFileSync(file, 'utf8').trim() !== '').map(loadFile);
  if (parts.length === 0) throw new UsageError(`no kubeconfig: ${files.join(', ')} missing or empty`);
  return mergeKubeConfigs(parts);
}

function loadFile(file: string): KubeConfigParts {
  const config = new KubeConfig();
  try {
    // Paths of certificates inside are relative to the file; this makes them absolute.
    config.loadFromFile(file);
  } catch (error) {
    throw new UsageError(`${file} is not a kubeconfig: ${toMessage(error)}`, { cause: error });
  }
  const { clusters, users, contexts, currentContext } = config;
  return { clusters, users, contexts, currentContext };
}
