/**
 * YAML or JSON text → documents as plain values whose places in the text are known.
 *
 * The steps of the `yaml` package are taken one by one, since its own way through them has no bounds: it compares every key of
 * a map with every other (60,000 keys take a minute), and descends without end. All that is done here is linear.
 */
import { Composer, isAlias, isCollection, isMap, isScalar, isSeq, LineCounter, Parser } from 'yaml';
import type { CST, Document, Node, ParsedNode } from 'yaml';
import { printable, quote } from '../../api/validation/quote.ts';
import { MANIFEST_DEPTH_MAX, MANIFEST_DOCUMENTS_MAX } from '../limits.ts';
import { DUPLICATE_KEYS_MAX, MANIFEST_VALUES_MAX, SYNTAX_PROBLEMS_MAX } from './limits.ts';

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Something that makes a document unreadable, or ambiguous. */
export interface TextProblem {
  readonly path: readonly string[];
  readonly place: Place;
  readonly message: string;
  readonly fix: string;
}

export interface ManifestDocument {
  readonly place: Place;
  /** JSON; undefined when the document cannot be read (then `problems` says why), null when it is empty. */
  readonly value: unknown;
  /** With a value: keys that stand twice, at their second place; the first one's value counts. */
  readonly problems: readonly TextProblem[];
  /** Of the field, or of the nearest one above it that is there. */
  placeOf(path: readonly string[]): Place;
}

/** Characters of the parser's own words. */
const SYNTAX_MESSAGE_CHARS_MAX = 160;
const TOO_DEEP = `is nested more than ${MANIFEST_DEPTH_MAX} levels deep`;
const TOO_DEEP_FIX = 'No kind needs a tenth of that: correct the document.';
const SYNTAX_FIX = 'Correct the YAML there: indentation, quotes and brackets are the usual causes.';

export function readManifestText(text: string): ManifestDocument[] {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(Math.min(Math.max(offset, 0), text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const documents: ManifestDocument[] = [];
  const composer = new Composer({
    // Duplicates are found below, in linear time. One schema, whatever a %YAML directive says: no dates, no binary.
    uniqueKeys: false,
    schema: 'core',
    resolveKnownTags: false,
    merge: false,
    stringKeys: true,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const take = (composed: Iterable<Document.Parsed>): void => {
    for (const document of composed) documents.push(toDocument(document, placeAt));
  };
  let seen = 0;
  for (const token of new Parser(lines.addNewLine).parse(text)) {
    if (token.type === 'document') seen += 1;
    if (seen > MANIFEST_DOCUMENTS_MAX) {
      const message = `the file has more than ${MANIFEST_DOCUMENTS_MAX} documents; from here on it is not read`;
      documents.push(unreadable(placeAt(offsetOf(token)), message, 'Split the file.'));
      break;
    }
    if (isTooDeep(token)) documents.push(unreadable(placeAt(offsetOf(token)), TOO_DEEP, TOO_DEEP_FIX));
    else take(composer.next(token));
  }
  take(composer.end(false, text.length));
  // The composer hands a document out when the next one begins.
  return documents.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}

function unreadable(place: Place, message: string, fix: string): ManifestDocument {
  return { place, value: undefined, problems: [{ path: [], place, message, fix }], placeOf: () => place };
}

function offsetOf(token: CST.Token): number {
  return 'offset' in token ? token.offset : 0;
}

/** Without recursion: the parser itself has none, the composer has. */
function isTooDeep(root: CST.Token): boolean {
  const open: [token: CST.Token, depth: number][] = [[root, 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [token, depth] = next;
    if (depth > MANIFEST_DEPTH_MAX) return true;
    if (token.type === 'document' && token.value !== undefined) open.push([token.value, depth]);
    if (!('items' in token)) continue;
    for (const { key, value } of token.items) {
      if (key) open.push([key, depth + 1]);
      if (value !== undefined) open.push([value, depth + 1]);
    }
  }
  return false;
}

function toDocument(document: Document.Parsed, placeAt: (offset: number) => Place): ManifestDocument {
  const { contents } = document;
  const place = placeAt(contents?.range[0] ?? document.range[0]);
  const placeOf = (path: readonly string[]): Place => placeAt(findOffset(contents, path) ?? 0);
  const syntax = [...document.errors, ...document.warnings].slice(0, SYNTAX_PROBLEMS_MAX).map(({ message, pos }) => ({
    path: [],
    place: placeAt(pos[0]),
    message: `is not YAML that can be read: ${printable(message, SYNTAX_MESSAGE_CHARS_MAX)}`,
    fix: SYNTAX_FIX,
  }));
  if (syntax.length > 0) return { place, value: undefined, problems: syntax, placeOf };
  const { value, problems } = toPlain(contents, placeAt);
  return { place, value, problems, placeOf };
}

/** The place of a member is that of its key, which is where an editor's cursor should be. */
function findOffset(root: ParsedNode | null, path: readonly string[]): number | undefined {
  let offset = root?.range[0];
  let node: Node | null | undefined = root;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === part);
      if (pair === undefined) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = /^\d{1,9}$/.test(part) ? (node.items[Number(part)] as Node | undefined) : undefined;
      if (node === undefined) return offset;
      offset = node?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}

/** Thrown to the top of one conversion. */
class Unreadable extends Error {
  readonly problem: TextProblem;

  constructor(problem: TextProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** Nodes as JSON. Aliases are copies, counted like the rest, so that a few that name each other cannot fill the memory. */
function toPlain(
  contents: ParsedNode | null,
  placeAt: (offset: number) => Place,
): { readonly value: unknown; readonly problems: readonly TextProblem[] } {
  const problems: TextProblem[] = [];
  const nodeByAnchor = new Map<string, Node>();
  let valuesLeft = MANIFEST_VALUES_MAX;

  const problemAt = (node: Node, path: readonly string[], [message, fix]: readonly [string, string]): TextProblem => ({
    path,
    place: placeAt(node.range?.[0] ?? 0),
    message,
    fix,
  });

  function convert(node: unknown, path: readonly string[]): unknown {
    if (node === null || node === undefined) return null;
    const known = node as Node;
    valuesLeft -= 1;
    if (valuesLeft < 0) {
      const message = `has more than ${MANIFEST_VALUES_MAX} values, those of aliases counted each time`;
      throw new Unreadable(problemAt(known, path, [message, 'Split the document, or write it without aliases.']));
    }
    if (isAlias(known)) return convertAlias(known, path);
    const value = isCollection(known) ? convertCollection(known, path) : convertScalar(known, path);
    // Only now: an alias inside its own anchor has nothing to stand for.
    if ((isScalar(known) || isCollection(known)) && known.anchor) nodeByAnchor.set(known.anchor, known);
    return value;
  }

  function convertAlias(node: Node & { source: string }, path: readonly string[]): unknown {
    const target = nodeByAnchor.get(node.source);
    if (path.length > MANIFEST_DEPTH_MAX) throw new Unreadable(problemAt(node, path, [TOO_DEEP, TOO_DEEP_FIX]));
    if (target !== undefined) return convert(target, path);
    const message = `alias ${quote(`*${node.source}`)} stands for nothing that is written before it`;
    throw new Unreadable(problemAt(node, path, [message, 'Write the value itself here.']));
  }

  function convertScalar(node: Node, path: readonly string[]): unknown {
    const value = isScalar(node) ? node.value : null;
    if (typeof value !== 'number' || Number.isFinite(value)) return value;
    throw new Unreadable(problemAt(node, path, ['is a number that JSON does not have', 'Write a finite number.']));
  }

  function convertCollection(node: Node, path: readonly string[]): unknown {
    if (isSeq(node)) return node.items.map((item, index) => convert(item, [...path, String(index)]));
    if (!isMap(node)) return null;
    const members = new Map<string, unknown>();
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : '';
      const memberPath = [...path, name];
      const converted = convert(value, memberPath);
      if (!members.has(name)) members.set(name, converted);
      else {
        const words = [`${quote(name)} stands here a second time`, 'Keep one of the two.'] as const;
        const problem = problemAt(isScalar(key) ? key : node, memberPath, words);
        if (problems.length >= DUPLICATE_KEYS_MAX) throw new Unreadable(problem);
        problems.push(problem);
      }
    }
    return Object.fromEntries(members);
  }

  try {
    return { value: convert(contents, []), problems };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { value: undefined, problems: [...problems, error.problem] };
  }
}
