/** Keys and values of labels, and keys of annotations, as Kubernetes bounds them. */
import { isSubdomain } from '../names.ts';
import type { Finding } from './finding.ts';
import { isMap, type JsonObject } from './json.ts';
import { ANNOTATIONS_BYTES_MAX, LABEL_CHARS_MAX, SUBDOMAIN_CHARS_MAX } from './limits.ts';
import { quote } from './quote.ts';

type Sentence = Omit<Finding, 'path'>;

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const NAME_RULE = `at most ${LABEL_CHARS_MAX} letters, digits, "-", "_" and ".", with a letter or digit at both ends`;

/** `name` or `prefix/name`. */
export function keyProblem(key: string): Sentence | undefined {
  const parts = key.split('/');
  const [name = '', prefix] = parts.reverse();
  if (parts.length > 2) {
    const message = `key ${quote(key)} has ${parts.length - 1} slashes, at most one is legal`;
    return { message, fix: 'Write the key as name or prefix/name.' };
  }
  if (!NAME.test(name)) return { message: `key ${quote(key)} is not legal`, fix: `After the slash: ${NAME_RULE}.` };
  if (prefix === undefined || isSubdomain(prefix)) return undefined;
  const rule = `a lower-case DNS name of at most ${SUBDOMAIN_CHARS_MAX} characters`;
  return { message: `key ${quote(key)} has a prefix that is not legal`, fix: `Before the slash: ${rule}.` };
}

/** Values that are no text are the schema's. */
export function valueProblem(value: unknown): Sentence | undefined {
  if (typeof value !== 'string' || value === '' || NAME.test(value)) return undefined;
  return { message: `value ${quote(value)} is not legal for a label`, fix: `Use ${NAME_RULE}; or nothing.` };
}

/** Of a map of labels, or of a selector that is one. */
export function labelProblems(labels: unknown): Finding[] {
  return Object.entries(mapOf(labels)).flatMap(([key, value]) => {
    const problem = keyProblem(key) ?? valueProblem(value);
    return problem === undefined ? [] : [{ path: [key], ...problem }];
  });
}

/** Keys as of labels, but the prefix may have upper case; values may be any text, all together within a bound. */
export function annotationProblems(annotations: unknown): Finding[] {
  const entries = Object.entries(mapOf(annotations));
  // A value that is no text is the schema's to refuse; it may be an object that cannot even be made one.
  const bytes = entries
    .flat()
    .reduce<number>((sum, part) => sum + (typeof part === 'string' ? Buffer.byteLength(part) : 0), 0);
  const findings: Finding[] = entries.flatMap(([key]) => {
    const slash = key.indexOf('/');
    const problem = keyProblem(slash === -1 ? key : key.slice(0, slash).toLowerCase() + key.slice(slash));
    return problem === undefined ? [] : [{ path: [key], ...problem }];
  });
  if (bytes <= ANNOTATIONS_BYTES_MAX) return findings;
  const message = `keys and values have ${bytes} bytes together, at most ${ANNOTATIONS_BYTES_MAX} are legal`;
  return [...findings, { path: [], message, fix: 'Keep large texts elsewhere.' }];
}

function mapOf(value: unknown): JsonObject {
  return isMap(value) ? value : {};
}
