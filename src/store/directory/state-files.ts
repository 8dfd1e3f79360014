/** One JSON file for each object, below `objects/` of the state folder. */
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { AppError } from '../../api/errors.ts';
import { KIND_NAMES, KINDS, type KindName } from '../../api/kinds.ts';
import { isLabel, isSubdomain } from '../../api/names.ts';
import { formatKey, type ObjectKey } from '../../api/object.ts';
import type { ValidateObject } from '../checks.ts';
import type { Persistence } from '../engine.ts';
import type { JsonMap } from '../json.ts';
import { PARALLEL_FILES_MAX, STATE_FILE_BYTES_MAX } from '../limits.ts';
import { toVisible, type StoredObject } from '../stored-object.ts';
import { ensureFolder, removeFile, replaceFile, TEMPORARY_PREFIX } from './atomic-file.ts';
import { toFileName } from './file-name.ts';
import { makeGate, mapGated } from './gate.ts';
import { describeIoError, errorCode, stateIoError } from './io-error.ts';
import type { StoreLogger } from './logger.ts';
import { STATE_FILE_MODE, STATE_FOLDER_MODE } from './state-folder.ts';

/** In place of a namespace for cluster-scoped kinds; no namespace can be called so. */
const NO_NAMESPACE = '_';
const jsonMap = v.custom<JsonMap>((value) => typeof value === 'object' && value !== null && !Array.isArray(value));
const configurations = v.record(v.string(), jsonMap);
const wholeNumber = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const STATE_FILE = v.object({
  kind: v.picklist(KIND_NAMES),
  key: v.object({ namespace: v.string(), name: v.string() }),
  uid: v.pipe(v.string(), v.nonEmpty()),
  creationTimestamp: v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)),
  generation: wholeNumber,
  resourceVersion: wholeNumber,
  main: configurations,
  status: configurations,
  declaration: v.optional(v.object({ document: jsonMap, file: v.string(), line: wholeNumber })),
});

export function makeStateFiles(state: string): Persistence {
  const gate = makeGate(PARALLEL_FILES_MAX);
  return {
    save: (object) =>
      gate.run(async () => {
        const { folder, path } = stateFileOf(state, object.kind, object.key);
        const text = `${JSON.stringify(object)}\n`;
        // What could not be loaded again is not written.
        if (Buffer.byteLength(text) > STATE_FILE_BYTES_MAX) throw tooLarge(object);
        try {
          await ensureFolder(folder, STATE_FOLDER_MODE);
          await replaceFile(path, text, STATE_FILE_MODE);
        } catch (error) {
          throw stateIoError(`${object.kind} ${formatKey(object.key)}: not saved`, error);
        }
      }),
    remove: (object) =>
      gate.run(async () => {
        const { path } = stateFileOf(state, object.kind, object.key);
        try {
          await removeFile(path);
        } catch (error) {
          throw stateIoError(`${object.kind} ${formatKey(object.key)}: not removed`, error);
        }
      }),
  };
}

export interface LoadOptions {
  readonly state: string;
  readonly validate: ValidateObject;
  readonly logger: StoreLogger;
}

/**
 * Reads what was saved. A file that cannot be understood is set aside (`.corrupt`) and reported, not deleted: the
 * others are worth more than a start that fails. What a crash left half-written is removed.
 *
 * @throws {AppError} `ERR_STATE_IO` when the folder cannot be read.
 */
export async function loadStateFiles(options: LoadOptions): Promise<StoredObject[]> {
  const gate = makeGate(PARALLEL_FILES_MAX);
  const loaded: StoredObject[] = [];
  for (const kind of KIND_NAMES) {
    const kindFolder = join(options.state, 'objects', folderOf(kind));
    for (const namespace of await namesIn(kindFolder)) {
      const folder = join(kindFolder, namespace);
      const names = await namesIn(folder);
      await mapGated(
        gate,
        names.filter((name) => name.startsWith(TEMPORARY_PREFIX)),
        (name) => rm(join(folder, name)),
      );
      const files = names.filter((name) => name.endsWith('.json'));
      const objects = await mapGated(gate, files, (name) => loadFile(join(folder, name), options));
      loaded.push(...objects.filter((object) => object !== undefined));
    }
  }
  return loaded;
}

async function loadFile(path: string, { state, validate, logger }: LoadOptions): Promise<StoredObject | undefined> {
  try {
    const { size } = await stat(path);
    if (size > STATE_FILE_BYTES_MAX) throw new Error(`${size} bytes`);
    const object = parseStateFile(await readFile(path, 'utf8'));
    if (stateFileOf(state, object.kind, object.key).path !== path) throw new Error('it names another object');
    const [problem] = validate(object.kind, toVisible(object));
    if (problem !== undefined) throw new Error(`${problem.field ?? 'object'}: ${problem.message}`);
    return object;
  } catch (error) {
    if (errorCode(error) !== undefined) throw stateIoError(path, error);
    await rename(path, `${path}.corrupt`);
    logger.warn({ path, problem: describeIoError(error) }, 'State file was set aside');
    return undefined;
  }
}

/** @throws when the text is not what {@link makeStateFiles} writes. */
function parseStateFile(text: string): StoredObject {
  const { declaration, ...parsed } = v.parse(STATE_FILE, JSON.parse(text));
  const { namespace, name } = parsed.key;
  const isNamespaceGood = KINDS[parsed.kind].namespaced ? isLabel(namespace) : namespace === '';
  if (!isSubdomain(name) || !isNamespaceGood) throw new Error('its name is not a name');
  return { ...parsed, declaration };
}

/** The caller has checked the names: nothing but letters, digits, '-' and '.' between letters or digits. */
function stateFileOf(state: string, kind: KindName, { namespace, name }: ObjectKey): { folder: string; path: string } {
  const folder = join(state, 'objects', folderOf(kind), namespace === '' ? NO_NAMESPACE : namespace);
  return { folder, path: join(folder, toFileName(name, '.json')) };
}

function folderOf(kind: KindName): string {
  const { plural, group } = KINDS[kind];
  return group === '' ? plural : `${plural}.${group}`;
}

function tooLarge({ kind, key }: StoredObject): AppError {
  const message = `${kind} ${formatKey(key)}: more than ${STATE_FILE_BYTES_MAX} bytes with all its managers`;
  return new AppError('ERR_BOUND_EXCEEDED', message, { fix: 'Split it.' });
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return [];
    throw stateIoError(folder, error);
  }
}
