/** Which EndpointSlices this product made for which import, kept current: a cluster has far too many to search. */
import type { IEndpointSlice } from '../../api/generated/EndpointSlice.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { formatKey, keyOf, type ObjectKey } from '../../api/object.ts';
import type { CachesOf } from '../../store/caches.ts';
import { importKeyOf } from '../derived-service/desired.ts';
import { derivedServiceName } from '../derived-service/name.ts';

export interface OwnedSlices {
  /** Keys of the slices of an import (`namespace/name`). */
  of(owner: string): readonly ObjectKey[];
  /** All imports that have slices. */
  owners(): Iterable<string>;
  /** Calls back with the import whose slices changed; the result stops the following. */
  follow(onChange: (owner: string) => void): () => void;
}

export function makeOwnedSlices({ EndpointSlice }: CachesOf<'EndpointSlice'>): OwnedSlices {
  /** Text of a slice's key → its import. */
  const ownerBySlice = new Map<string, string>();
  const slicesByOwner = new Map<string, Map<string, ObjectKey>>();

  /** Returns whom the change concerns: also the import that had the slice before somebody took its labels. */
  function note(key: ObjectKey): readonly string[] {
    const text = formatKey(key);
    const slice = EndpointSlice.get(key);
    const owner = slice === undefined ? undefined : ownerOf(slice);
    const before = ownerBySlice.get(text);
    // Whoever edits labels by hand takes no slice away from its import, which puts them back.
    const after = owner === undefined ? (slice === undefined ? undefined : before) : formatKey(owner);
    if (before !== undefined && before !== after) {
      const rest = slicesByOwner.get(before);
      rest?.delete(text);
      if (rest?.size === 0) slicesByOwner.delete(before);
      ownerBySlice.delete(text);
    }
    if (after !== undefined) {
      ownerBySlice.set(text, after);
      const own = slicesByOwner.get(after) ?? new Map<string, ObjectKey>();
      slicesByOwner.set(after, own.set(text, key));
    }
    return [...new Set([before, after].filter((name) => name !== undefined))];
  }

  const noteAll = (): void => EndpointSlice.list().forEach((slice) => note(keyOf(slice)));
  noteAll();
  return {
    of: (owner) => [...(slicesByOwner.get(owner)?.values() ?? [])],
    owners: () => [...slicesByOwner.keys()],
    follow(onChange) {
      noteAll();
      return EndpointSlice.onChange((key) => note(key).forEach(onChange));
    },
  };
}

/** What its labels say, if its name, which nobody can edit, agrees. */
function ownerOf(slice: IEndpointSlice): ObjectKey | undefined {
  const owner = importKeyOf(slice);
  if (owner === undefined) return undefined;
  const { namespace, name } = keyOf(slice);
  const isDerived = namespace === SYSTEM_NAMESPACE && name.startsWith(`${derivedServiceName(owner)}-`);
  return isDerived || (namespace === owner.namespace && name.startsWith(`${owner.name}-`)) ? owner : undefined;
}
