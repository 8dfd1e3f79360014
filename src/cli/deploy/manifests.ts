/** The manifests that the program brings: the same files that `kubectl apply -k` uses, so that both ways give the same objects. */
import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import { AppError } from '../../api/errors.ts';
import type { KubeObject } from '../../api/object.ts';

/** An object as a manifest has it. */
export type Manifest = KubeObject & { readonly [member: string]: unknown };

const MANIFESTS = new URL('../../../manifests/', import.meta.url);
const CRDS = new URL('../../../crds/', import.meta.url);

/** Everything of one peer but its Secret, in the order in which it has to be applied. */
export function readBase(): Promise<Manifest[]> {
  return readResources(new URL('base/kustomization.yaml', MANIFESTS));
}

/** Classic MCS: the rule and the policy that `--profile clusterset` adds. */
export function readClustersetProfile(): Promise<Manifest[]> {
  return readResources(new URL('clusterset-profile/Kustomization', MANIFESTS));
}

export function readCrds(): Promise<Manifest[]> {
  return readResources(new URL('Kustomization', CRDS));
}

/** Reads `resources` of a kustomization and nothing else of it: these have nothing else. */
async function readResources(kustomization: URL): Promise<Manifest[]> {
  const [list] = await readDocuments(kustomization);
  const { resources } = list as unknown as { readonly resources: readonly string[] };
  const files = await Promise.all(resources.map((file) => readDocuments(new URL(file, kustomization))));
  return files.flat();
}

async function readDocuments(file: URL): Promise<Manifest[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new AppError('ERR_NOT_FOUND', `${file.pathname}: this file of the program is not there`, {
      cause,
      fix: 'install the program again',
    });
  }
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}
