/** What one rule finds wrong. */
import { printable } from './quote.ts';

export interface Finding {
  /** From the object down to the field; of a list the index. A missing field is named although it is not there. */
  readonly path: readonly string[];
  /** What is wrong, without a final stop: `must be a number between 1 and 65535, is 70000`. */
  readonly message: string;
  /** What to do: a sentence. */
  readonly fix: string;
}

/** Characters of one key in a field path: the longest legal key of a label is 317. */
const KEY_CHARS_MAX = 320;

/** `spec.ports[0].port`, `metadata.annotations["example.net/key"]`; the empty path is the empty string. */
export function formatPath(path: readonly string[]): string {
  return path
    .map((part, index) => {
      if (/^\d{1,9}$/.test(part)) return `[${part}]`;
      if (/^[A-Za-z_][\w-]{0,62}$/.test(part)) return index === 0 ? part : `.${part}`;
      return `["${printable(part.replaceAll('"', "'"), KEY_CHARS_MAX)}"]`;
    })
    .join('');
}

/** The same findings, seen from further up. */
export function below(path: readonly string[], findings: readonly Finding[]): Finding[] {
  return findings.map((finding) => ({ ...finding, path: [...path, ...finding.path] }));
}

/** The first finding of each field: what follows says the same in other words. */
export function firstOfEachPath<T extends Pick<Finding, 'path'>>(findings: readonly T[]): T[] {
  const byPath = new Map<string, T>();
  for (const finding of findings) {
    const id = JSON.stringify(finding.path);
    if (!byPath.has(id)) byPath.set(id, finding);
  }
  return [...byPath.values()];
}
