/** Writes one manifest for the user: what the commands `export`, `import` and `allow` do, and nothing else ever does. */
import { join } from 'node:path';
import { stringify } from 'yaml';
import { AppError } from '../../api/errors.ts';
import { describeObject, keyOf, type KubeObject } from '../../api/object.ts';
import { formatPath } from '../../api/validation/finding.ts';
import { checkKey } from '../checks.ts';
import { toJson, toJsonMap } from '../json.ts';
import { MANIFEST_NAMES_MAX, NAMED_PROBLEMS_MAX } from '../limits.ts';
import { mainConfiguration } from '../stored-object.ts';
import { createFile, replaceFile } from './atomic-file.ts';
import { idOf, toFileContent, toUnreadContent, type FileContent } from './declarations.ts';
import { toFileName } from './file-name.ts';
import { lookAtFolder, readManifest } from './folder.ts';
import { describeIoError, errorCode } from './io-error.ts';
import { readObject } from './manifest-object.ts';
import { parseManifestFile } from './manifest.ts';

/** Readable like what an editor writes: the gateway may run under another account than the user. */
const MANIFEST_MODE = 0o644;

export interface WriteManifestOptions {
  readonly manifests: string;
  readonly object: KubeObject;
  /** Replace the object where a file declares it and nothing else; default false. */
  readonly force?: boolean;
}

/**
 * Writes `<kind>-<namespace>-<name>.yaml` into the folder, whole or not at all, and gives its path.
 *
 * @throws {AppError} `ERR_ALREADY_EXISTS` when some file declares the object; `ERR_INVALID_OBJECT`; `ERR_CONFIG` when the
 *   folder cannot be written.
 */
export async function writeManifest({ manifests, object, force = false }: WriteManifestOptions): Promise<string> {
  const manifest = checkManifest(object);
  const text = renderManifest(manifest.object);
  try {
    const contents = await readAll(manifests);
    const present = contents.find((content) => isDeclaredIn(content, manifest.id));
    if (present === undefined) return await createNew(manifests, { stem: stemOf(manifest), text });
    if (!force || present.objects.length > 1 || !present.isComplete || present.rejectedIds.size > 0) {
      throw alreadyDeclared(present, manifest.id);
    }
    const path = join(manifests, present.path);
    await replaceFile(path, text, MANIFEST_MODE);
    return path;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('ERR_CONFIG', `manifests folder ${manifests}: ${describeIoError(error)}`, {
      cause: error,
      fix: 'Create the folder, or let this account write to it.',
    });
  }
}

/** YAML as a person would write it: what the object says, without status and without what a store adds. */
export function renderManifest(object: KubeObject): string {
  const { metadata, ...body } = mainConfiguration(object);
  const { name, namespace } = object.metadata ?? {};
  const identity = { name, ...(namespace === undefined ? {} : { namespace }) };
  return stringify(
    { apiVersion: object.apiVersion, kind: object.kind, metadata: { ...identity, ...toJsonMap(metadata) }, ...body },
    { lineWidth: 0 },
  );
}

interface Manifest {
  readonly id: string;
  /** With its namespace filled in, as reading it back would give it. */
  readonly object: KubeObject;
}

/** What a file is asked, an object is asked before it becomes one; also an invalid policy, which a store would take. */
function checkManifest(object: KubeObject): Manifest {
  const { taken, findings } = readObject(toJson(object), []);
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (taken !== undefined && errors.length === 0) {
    const key = keyOf(taken.object);
    checkKey(taken.kind, key);
    return { id: idOf({ kind: taken.kind, key }), object: taken.object };
  }
  const shown = errors.length > 0 ? errors : findings;
  const named = shown.slice(0, NAMED_PROBLEMS_MAX).map(({ path, message }) => `${formatPath(path)}: ${message}`);
  throw new AppError('ERR_INVALID_OBJECT', `${describeObject(object)}: ${named.join('; ')}`, {
    fix: shown[0]?.fix ?? 'Correct the object.',
  });
}

function stemOf({ object }: Manifest): string {
  const { namespace, name } = keyOf(object);
  return [object.kind, namespace, name]
    .filter((part) => part !== '')
    .join('-')
    .toLowerCase();
}

/** @throws what the system says when the folder cannot be read: then nobody knows what is declared. */
async function readAll(manifests: string): Promise<FileContent[]> {
  const { files, unknown } = await lookAtFolder(manifests);
  const [blind] = unknown;
  if (blind !== undefined) throw new Error(blind.path === '' ? blind.reason : `${blind.path}: ${blind.reason}`);
  return Promise.all(
    files.map(async (look) => {
      const { path } = look;
      const read = look.unreadable === undefined ? await readManifest(manifests, look) : look;
      // What cannot be read declares nothing that could be named here; the running store will tell of a duplicate.
      if (!('text' in read)) return toUnreadContent(path);
      return toFileContent(path, parseManifestFile({ path, text: read.text }));
    }),
  );
}

/** A refused document of the object counts: corrected, it would be a second one. */
function isDeclaredIn({ objects, rejectedIds }: FileContent, id: string): boolean {
  return rejectedIds.has(id) || objects.some((object) => idOf(object) === id);
}

/** Two objects may want one name (`a-b`/`c` and `a`/`b-c`): then the second gets a number. */
async function createNew(
  manifests: string,
  { stem, text }: { readonly stem: string; readonly text: string },
): Promise<string> {
  for (let number = 1; number <= MANIFEST_NAMES_MAX; number += 1) {
    const path = join(manifests, toFileName(stem, number === 1 ? '.yaml' : `-${number}.yaml`));
    try {
      await createFile(path, text, MANIFEST_MODE);
      return path;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
  throw new AppError('ERR_BOUND_EXCEEDED', `${stem}.yaml: this name and ${MANIFEST_NAMES_MAX - 1} like it are taken`, {
    fix: 'Give the files in the manifests folder other names.',
  });
}

function alreadyDeclared({ path, objects, problems }: FileContent, id: string): AppError {
  const line =
    objects.find((object) => idOf(object) === id)?.line ?? problems.find(({ object }) => object === id)?.line ?? 1;
  return new AppError('ERR_ALREADY_EXISTS', `${id}: declared in ${path}:${line}`, {
    fix: `Edit it in ${path}, or delete it there first.`,
  });
}
