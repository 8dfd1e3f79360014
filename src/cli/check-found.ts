/** Objects of manifests as `check` looks at them, and what it says of one. Pure. */
import type { KindMap, KindName } from '../api/kinds.ts';
import { describeObject } from '../api/object.ts';
import type { ManifestObject, Problem } from '../store/directory/manifest.ts';

/** An object of a known kind, and where it stands. */
export interface Found<K extends KindName> {
  readonly object: KindMap[K];
  readonly at: ManifestObject;
}

export function ofKind<K extends KindName>(objects: readonly ManifestObject[], kind: K): Found<K>[] {
  // The schema of the kind has passed it.
  return objects.filter((at) => at.kind === kind).map((at) => ({ object: at.object as KindMap[K], at }));
}

export function warningAt(
  { object, file, line }: ManifestObject,
  words: Pick<Problem, 'field' | 'message' | 'fix'>,
): Problem {
  return { file, line, column: 1, object: describeObject(object), ...words, severity: 'warning' };
}
