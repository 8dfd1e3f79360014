/** What comes out of a manifest file. */
import type { KindName } from '../../api/kinds.ts';
import type { KubeObject, ObjectKey } from '../../api/object.ts';

export interface Problem {
  /** As it was given to the reader. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** `Kind namespace/name`; absent when it is not sure which object the problem is about. */
  readonly object?: string;
  /** `spec.ports[0].port`. */
  readonly field?: string;
  /** What is wrong, without a final stop. */
  readonly message: string;
  /** What to do: a sentence. */
  readonly fix: string;
  readonly severity: 'error' | 'warning';
}

/** An object as the user declares it: stored version, namespace filled in, without status and without what a server sets. */
export interface ManifestObject {
  readonly object: KubeObject;
  readonly kind: KindName;
  readonly file: string;
  readonly line: number;
}

export interface ManifestFile {
  /** Those that a store takes; some may have problems all the same (invalid policies are in force, see their status). */
  readonly objects: readonly ManifestObject[];
  /** In the order of the file. */
  readonly problems: readonly Problem[];
  /** Documents that are refused, and whose object is known: its last good form stays. */
  readonly rejected: readonly { readonly kind: KindName; readonly key: ObjectKey }[];
  /**
   * False when some document cannot be read, or does not say of which object it is: then the file says nothing about what it
   * does not declare, and what it declared before stays. Each such document has an error without `object`.
   */
  readonly complete: boolean;
}
