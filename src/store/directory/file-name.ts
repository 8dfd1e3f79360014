/** File names from object names: never longer than a file system takes, never two objects in one. */
import { createHash } from 'node:crypto';

/** A file name has at most 255 bytes; this leaves room for a digest and a suffix. */
const PLAIN_CHARS_MAX = 200;

/** Names that are too long are cut and told apart by a digest; '~' is in no Kubernetes name, so they meet no whole one. */
export function toFileName(name: string, suffix: string): string {
  if (name.length <= PLAIN_CHARS_MAX) return `${name}${suffix}`;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 32);
  return `${name.slice(0, PLAIN_CHARS_MAX)}~${digest}${suffix}`;
}
