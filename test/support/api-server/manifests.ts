/** Manifests on a test API server: read from files, applied, and CRDs waited for until they serve. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { waitFor } from '../wait.ts';
import type { Manifest, Rest } from './rest.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const ESTABLISHED_TIMEOUT_MS = 30_000;

interface CustomResourceDefinition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly plural: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
  };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Every object in files and folders (not deeper), in the order given, then of names. Relative paths start at the project's root. */
export async function readManifests(paths: readonly string[]): Promise<readonly Manifest[]> {
  const files = (
    await Promise.all(paths.map((path) => listFiles(join(path.startsWith('/') ? '' : ROOT, path))))
  ).flat();
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return texts
    .flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest | null))
    .filter((object) => object !== null);
}

async function listFiles(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => /\.(ya?ml|json)$/.test(name));
  return names.sort().map((name) => join(path, name));
}

/** @throws {Error} for the first object that is refused, with the server's words. */
export async function applyManifests(rest: Rest, manifests: readonly Manifest[]): Promise<void> {
  for (const manifest of manifests) {
    const { status, body } = await rest.apply<{ message?: string }>(manifest);
    if (status > 299) {
      throw new Error(
        `${manifest.kind} ${manifest.metadata.name} refused (${status}): ${body.message ?? JSON.stringify(body)}`,
      );
    }
  }
}

/** Applies CRDs and waits until all their served versions answer. */
export async function installCrds(rest: Rest, paths: readonly string[]): Promise<void> {
  const crds = (await readManifests(paths)).filter(({ kind }) => kind === 'CustomResourceDefinition');
  await applyManifests(rest, crds);
  await Promise.all(crds.map((crd) => waitForCrd(rest, crd.metadata.name)));
}

async function waitForCrd(rest: Rest, name: string): Promise<void> {
  await waitFor(
    `CRD ${name} is served`,
    async () => {
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
      const { body } = await rest.request<CustomResourceDefinition>('GET', path);
      const { spec, status } = body;
      const isEstablished = status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True');
      if (isEstablished !== true) return false;
      // The handlers of the resource follow the condition, not the other way round.
      const lists = spec.versions
        .filter(({ served }) => served)
        .map((version) => `/apis/${spec.group}/${version.name}/${spec.names.plural}?limit=1`);
      const replies = await Promise.all(lists.map((list) => rest.request('GET', list)));
      return replies.every((reply) => reply.status === 200);
    },
    ESTABLISHED_TIMEOUT_MS,
  );
}

export async function createNamespace(rest: Rest, name: string): Promise<void> {
  const { status, body } = await rest.request('POST', '/api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
  });
  if (status !== 201) throw new Error(`namespace ${name}: ${status} ${JSON.stringify(body)}`);
}
