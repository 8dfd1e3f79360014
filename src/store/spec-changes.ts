/** Changes of what an object asks for, without those of what is said about it: status writes come in crowds. */
import type { KindName } from '../api/kinds.ts';
import { formatKey, type ObjectKey } from '../api/object.ts';
import type { ObjectCache } from './cache.ts';

/** Calls back with keys whose object came, went, or has another uid or generation; the result stops it. */
export function onSpecChange<K extends KindName>(
  cache: Pick<ObjectCache<K>, 'get' | 'list' | 'onChange'>,
  listener: (key: ObjectKey) => void,
): () => void {
  const known = new Map<string, string>();
  const versionOf = (key: ObjectKey): string | undefined => {
    const metadata = cache.get(key)?.metadata;
    return metadata === undefined ? undefined : `${metadata.uid ?? ''} ${metadata.generation ?? ''}`;
  };
  for (const { metadata } of cache.list()) {
    const key = { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' };
    known.set(formatKey(key), versionOf(key) ?? '');
  }
  return cache.onChange((key) => {
    const text = formatKey(key);
    const version = versionOf(key);
    if (known.get(text) === version) return;
    if (version === undefined) known.delete(text);
    else known.set(text, version);
    listener(key);
  });
}
