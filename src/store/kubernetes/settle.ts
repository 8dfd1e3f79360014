/**
 * An object as it came over the wire -> as it is kept. JSON.parse makes a string of its own for every value: thousands of objects
 * that say the same namespace, labels, types and times would keep it thousands of times.
 */
import { SHARED_STRING_CHARS_MAX, SHARED_STRINGS_MAX } from './limits.ts';

const shared = new Map<string, string>();

/** Freezes it and everything below it; short strings that were met before become those of before. It must be the caller's own. */
export function settle<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  const members = value as Record<string, unknown>;
  for (const [key, member] of Object.entries(members)) {
    if (typeof member === 'string') members[key] = share(member);
    else settle(member);
  }
  return Object.freeze(value);
}

/** Names and uids are met once, and fill it: it begins anew then, and what is met often is there again at once. */
function share(text: string): string {
  if (text.length > SHARED_STRING_CHARS_MAX) return text;
  const known = shared.get(text);
  if (known !== undefined) return known;
  if (shared.size >= SHARED_STRINGS_MAX) shared.clear();
  shared.set(text, text);
  return text;
}
