/**
 * A Corefile as far as `check dns` has to understand it: server blocks, plugins, their arguments and blocks. Tolerant of plugins that
 * it does not know, and of how lines are broken; what it cannot read it says, with the line. Pure, never throws.
 *
 * @see https://coredns.io/manual/toc/#configuration (the form), and that of the Caddyfile, version 1, which it is
 */
import { COREFILE_BYTES_MAX, COREFILE_DEPTH_MAX } from './limits.ts';

/** A plugin in a server block, or a property in the block of a plugin. */
export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  readonly block: readonly Directive[];
  readonly line: number;
}

export interface ServerBlock {
  /** As they stand there: `clusterset.local:53`, `dns://.`. */
  readonly keys: readonly string[];
  readonly directives: readonly Directive[];
  /** Of its first key. */
  readonly line: number;
}

export interface Corefile {
  readonly servers: readonly ServerBlock[];
  /** `(name) { ... }`, which `import name` puts in its place. */
  readonly snippets: ReadonlyMap<string, readonly Directive[]>;
  /** `import PATH` beside the server blocks. */
  readonly imports: readonly { readonly path: string; readonly line: number }[];
}

export interface Unreadable {
  /** What is wrong, with the line. */
  readonly problem: string;
}

interface Token {
  readonly text: string;
  readonly line: number;
  /** A brace in quotes is none. */
  readonly isQuoted: boolean;
}

class CorefileProblem extends Error {}

export function parseCorefile(text: string): Corefile | Unreadable {
  return attempt(text, parseFile);
}

/** What stands within a server block, as files for `import` inside one have it. */
export function parseDirectives(text: string): readonly Directive[] | Unreadable {
  return attempt(text, (tokens) => parseBlock(tokens, { depth: 0, closes: false }));
}

function attempt<T>(text: string, parse: (tokens: Tokens) => T): T | Unreadable {
  if (Buffer.byteLength(text) > COREFILE_BYTES_MAX) return { problem: `more than ${COREFILE_BYTES_MAX} bytes` };
  try {
    return parse(makeTokens(tokenize(text)));
  } catch (error) {
    if (error instanceof CorefileProblem) return { problem: error.message };
    throw error;
  }
}

/** Words between white space; `#` where a word would begin leaves the rest of the line out; `"..."` is one word. */
const WORD = /#[^\n]*|"((?:\\.|[^"\\])*)"|([^\s]+)|\n/gsu;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  for (const [whole, quoted, word] of text.matchAll(WORD)) {
    if (quoted !== undefined) tokens.push({ text: quoted.replaceAll('\\"', '"'), line, isQuoted: true });
    else if (word !== undefined) tokens.push({ text: word, line, isQuoted: false });
    for (const character of whole) if (character === '\n') line += 1;
  }
  return tokens;
}

interface Tokens {
  peek(): Token | undefined;
  next(): Token | undefined;
}

function makeTokens(all: readonly Token[]): Tokens {
  let at = 0;
  return { peek: () => all[at], next: () => all[at++] };
}

const isBrace = (token: Token | undefined, brace: '{' | '}'): boolean =>
  token !== undefined && !token.isQuoted && token.text === brace;

function parseFile(tokens: Tokens): Corefile {
  const servers: ServerBlock[] = [];
  const snippets = new Map<string, readonly Directive[]>();
  const imports: { path: string; line: number }[] = [];
  for (let first = tokens.peek(); first !== undefined; first = tokens.peek()) {
    const { text, line } = first;
    if (isBrace(first, '{') || isBrace(first, '}')) {
      throw new CorefileProblem(`line ${line}: "${text}" where the names of a server block were expected`);
    }
    if (text === 'import') {
      tokens.next();
      imports.push(...restOfLine(tokens, line).map((path) => ({ path, line })));
      continue;
    }
    const keys = parseKeys(tokens);
    const hasBraces = isBrace(tokens.peek(), '{');
    // Without braces the rest of the file is one block: the first one, or it would have been read as keys.
    if (!hasBraces && servers.length + snippets.size > 0) {
      throw new CorefileProblem(`line ${line}: "{" is missing after ${JSON.stringify(keys.join(' '))}`);
    }
    if (hasBraces) tokens.next();
    const directives = parseBlock(tokens, { depth: 1, closes: hasBraces, opened: line });
    const snippet = /^\((.+)\)$/.exec(keys.length === 1 ? (keys[0] ?? '') : '')?.[1];
    if (snippet === undefined) servers.push({ keys, directives, line });
    else snippets.set(snippet, directives);
  }
  return { servers, snippets, imports };
}

/** On one line; a comma at its end goes on with the next. */
function parseKeys(tokens: Tokens): string[] {
  const keys: string[] = [];
  let line = tokens.peek()?.line;
  for (let token = tokens.peek(); token !== undefined; token = tokens.peek()) {
    if (isBrace(token, '{') || isBrace(token, '}') || token.line !== line) break;
    tokens.next();
    keys.push(...token.text.split(',').filter(Boolean));
    if (token.text.endsWith(',')) line = tokens.peek()?.line;
  }
  return keys;
}

interface BlockPlace {
  readonly depth: number;
  /** Whether a `}` ends it, else the end of the text. */
  readonly closes: boolean;
  readonly opened?: number;
}

function parseBlock(tokens: Tokens, { depth, closes, opened = 1 }: BlockPlace): Directive[] {
  if (depth > COREFILE_DEPTH_MAX)
    throw new CorefileProblem(`line ${opened}: blocks within blocks, more than ${depth - 1}`);
  const directives: Directive[] = [];
  for (;;) {
    const token = tokens.next();
    if (token === undefined) {
      if (closes) throw new CorefileProblem(`line ${opened}: its block has no "}"`);
      return directives;
    }
    if (isBrace(token, '}')) {
      if (closes) return directives;
      throw new CorefileProblem(`line ${token.line}: "}" without "{"`);
    }
    if (isBrace(token, '{')) throw new CorefileProblem(`line ${token.line}: "{" without a name before it`);
    const args = restOfLine(tokens, token.line);
    let block: Directive[] = [];
    if (isBrace(tokens.peek(), '{')) {
      tokens.next();
      block = parseBlock(tokens, { depth: depth + 1, closes: true, opened: token.line });
    }
    directives.push({ name: token.text, args, block, line: token.line });
  }
}

/** Up to a brace. */
function restOfLine(tokens: Tokens, line: number): string[] {
  const words: string[] = [];
  for (let token = tokens.peek(); token?.line === line; token = tokens.peek()) {
    if (isBrace(token, '{') || isBrace(token, '}')) break;
    words.push(token.text);
    tokens.next();
  }
  return words;
}
