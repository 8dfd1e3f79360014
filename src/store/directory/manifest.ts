/**
 * A manifest file → the objects that it declares, and everything that is wrong with it, by line and column.
 *
 * A document that is wrong never hides the others. What cannot be attributed to an object makes the file incomplete.
 */
import type { KindName } from '../../api/kinds.ts';
import type { ObjectKey } from '../../api/object.ts';
import { formatPath, type Finding } from '../../api/validation/finding.ts';
import { isMap } from '../../api/validation/json.ts';
import { quote } from '../../api/validation/quote.ts';
import { LIST_ITEMS_MAX } from './limits.ts';
import { readObject } from './manifest-object.ts';
import { readManifestText, type ManifestDocument, type TextProblem } from './manifest-text.ts';
import type { ManifestFile, ManifestObject, Problem } from './manifest-types.ts';

export type { ManifestFile, ManifestObject, Problem } from './manifest-types.ts';

/** Some document of a file, or some item of a `List` in it. */
interface Part {
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * Never throws, whatever the text is. YAML 1.2 (core schema) with any number of documents, or JSON.
 *
 * @param path - names the file in what is returned; it is not opened.
 */
export function parseManifestFile({
  path: file,
  text,
}: {
  readonly path: string;
  readonly text: string;
}): ManifestFile {
  const objects: ManifestObject[] = [];
  const problems: Problem[] = [];
  const rejected: { kind: KindName; key: ObjectKey }[] = [];
  let complete = true;
  for (const document of readManifestText(text)) {
    if (document.value === undefined) {
      complete = false;
      problems.push(...document.problems.map((problem) => ({ file, ...toProblem(problem, problem.place) })));
      continue;
    }
    if (document.value === null) continue;
    const { parts, findings } = toParts(document);
    if (findings.length > 0) complete = false;
    problems.push(...findings.map((finding) => ({ file, ...toProblem(finding, document.placeOf(finding.path)) })));
    for (const part of parts) {
      const read = readObject(part.value, duplicatesIn(document, part));
      const line = document.placeOf(part.path).line;
      if (read.taken !== undefined) objects.push({ ...read.taken, file, line });
      if (read.rejected !== undefined) rejected.push(read.rejected);
      if (read.name === undefined && !read.isIgnored) complete = false;
      for (const finding of read.findings) {
        const object = read.name === undefined ? {} : { object: read.name };
        const place = finding.place ?? document.placeOf([...part.path, ...finding.path]);
        const problem = toProblem(finding, place);
        problems.push({ file, ...problem, ...object, severity: finding.severity });
      }
    }
  }
  return { objects, problems, rejected, complete };
}

/** The document itself, or the items of a list (`kubectl get -o yaml` prints such). */
function toParts({ value, problems }: ManifestDocument): { parts: readonly Part[]; findings: readonly Finding[] } {
  const whole = { parts: [{ path: [], value }], findings: [] };
  if (!isMap(value) || typeof value['kind'] !== 'string' || !/List$/.test(value['kind'])) return whole;
  const { items, kind } = value;
  if (kind !== 'List' && !Array.isArray(items)) return whole;
  const tell = (message: string, fix: string): { parts: readonly Part[]; findings: readonly Finding[] } => ({
    parts: [],
    findings: [{ path: ['items'], message, fix }],
  });
  if (!Array.isArray(items))
    return tell(`must be a list, is ${quote(items)}`, 'Put the objects of the List into items.');
  if (items.length > LIST_ITEMS_MAX) {
    return tell(`must have at most ${LIST_ITEMS_MAX} items, has ${items.length}`, 'Split the List.');
  }
  const ofList = problems.filter(({ path }) => path[0] !== 'items' || path.length < 3);
  if (ofList.length > 0) return { parts: [], findings: ofList };
  const parts = items.map((item: unknown, index) => ({ path: ['items', String(index)], value: item }));
  const isNested = ({ value: item }: Part): boolean => isMap(item) && item['kind'] === 'List';
  const message = 'a List inside a List is not read';
  const fix = 'Put its items into the outer List.';
  return {
    parts: parts.filter((part) => !isNested(part)),
    findings: parts.filter(isNested).map(({ path }) => ({ path, message, fix })),
  };
}

function duplicatesIn({ problems }: ManifestDocument, part: Part): TextProblem[] {
  return problems
    .filter(({ path }) => part.path.every((name, index) => path[index] === name))
    .map((problem) => ({ ...problem, path: problem.path.slice(part.path.length) }));
}

function toProblem(
  { path, message, fix }: Finding,
  { line, column }: { readonly line: number; readonly column: number },
): Omit<Problem, 'file'> {
  const field = path.length === 0 ? {} : { field: formatPath(path) };
  return { line, column, ...field, message, fix, severity: 'error' };
}
