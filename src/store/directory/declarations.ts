/**
 * From files to declared objects: pure.
 *
 * What a file is good for is decided file by file, so that a bad one never takes good objects away: an object that a file
 * declared before stays as it was while that file cannot be read, while its document in it is refused, or while a
 * document in it is too broken to say whose it is.
 */
import type { KindName } from '../../api/kinds.ts';
import { formatKey, keyOf, type ObjectKey } from '../../api/object.ts';
import { toJsonMap } from '../json.ts';
import type { Declaration } from '../stored-object.ts';
import type { ManifestFile, ManifestObject, Problem } from './manifest-types.ts';

/** One object as the user declares it. */
export interface DeclaredObject extends Declaration {
  readonly kind: KindName;
  readonly key: ObjectKey;
}

/** What is known about one file after a look. */
export interface FileContent {
  readonly path: string;
  readonly objects: readonly DeclaredObject[];
  readonly problems: readonly Problem[];
  /** {@link idOf} of objects whose document in it is refused. */
  readonly rejectedIds: ReadonlySet<string>;
  /** False when the file, or a document in it, could not be read: then it says nothing about what it does not declare. */
  readonly isComplete: boolean;
}

export interface Declarations {
  /** By {@link idOf}. */
  readonly declared: ReadonlyMap<string, DeclaredObject>;
  readonly problems: readonly Problem[];
}

export function idOf({ kind, key }: { readonly kind: KindName; readonly key: ObjectKey }): string {
  return `${kind} ${formatKey(key)}`;
}

export function toFileContent(path: string, { objects, problems, rejected, complete }: ManifestFile): FileContent {
  const rejectedIds = new Set(rejected.map(idOf));
  return { path, objects: objects.map(toDeclared), problems, rejectedIds, isComplete: complete };
}

/** A file of which nothing is known. */
export function toUnreadContent(path: string, problems: readonly Problem[] = []): FileContent {
  return { path, objects: [], problems, rejectedIds: new Set(), isComplete: false };
}

/**
 * @param contents - in the order of their paths: of two files that declare one object, the first wins.
 * @param present - what is declared so far, by the file that it came from.
 */
export function collectDeclarations(
  contents: readonly FileContent[],
  present: ReadonlyMap<string, readonly DeclaredObject[]>,
): Declarations {
  const declared = new Map<string, DeclaredObject>();
  const problems: Problem[] = [];
  for (const content of contents) {
    problems.push(...content.problems);
    for (const object of [...content.objects, ...keptObjects(content, present.get(content.path) ?? [])]) {
      const id = idOf(object);
      const first = declared.get(id);
      if (first === undefined) declared.set(id, object);
      else problems.push(duplicateProblem(id, first, object));
    }
  }
  return { declared, problems };
}

function keptObjects(
  { objects, rejectedIds, isComplete }: FileContent,
  present: readonly DeclaredObject[],
): readonly DeclaredObject[] {
  const ownIds = new Set(objects.map(idOf));
  return present.filter((object) => !ownIds.has(idOf(object)) && (!isComplete || rejectedIds.has(idOf(object))));
}

function toDeclared({ kind, object, file, line }: ManifestObject): DeclaredObject {
  return { kind, key: keyOf(object), document: toJsonMap(object), file, line };
}

function duplicateProblem(id: string, first: DeclaredObject, second: DeclaredObject): Problem {
  return {
    file: second.file,
    line: second.line,
    column: 1,
    object: id,
    message: `${id} is declared twice: ${first.file}:${first.line} counts, ${second.file}:${second.line} does not`,
    fix: 'Delete one of the two documents.',
    severity: 'error',
  };
}
