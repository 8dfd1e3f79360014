/** The server blocks that CoreDNS runs: a Corefile with what it imports in its place. Pure, never throws. */
import { parseCorefile, parseDirectives, type Corefile, type Directive, type ServerBlock } from './corefile.ts';
import { COREFILE_IMPORTS_MAX } from './limits.ts';

/** A server block, and where it was read. */
export interface Server extends ServerBlock {
  /** `ConfigMap kube-system/coredns`. */
  readonly origin: string;
}

export interface Servers {
  readonly servers: readonly Server[];
  /** What could not be read, each with where: nothing is guessed from the rest of it. */
  readonly problems: readonly { readonly origin: string; readonly problem: string }[];
  /** Paths of imports that stand between and within server blocks. */
  readonly imports: readonly string[];
}

export interface CorefileSource {
  /** `ConfigMap kube-system/coredns`. */
  readonly origin: string;
  readonly text: string;
  /** Files that `import DIRECTORY/PATTERN` finds, with the last name of their folder; `custom` of a ConfigMap `coredns-custom`. */
  readonly folders?: readonly ImportedFolder[];
}

export interface ImportedFolder {
  readonly name: string;
  readonly origin: string;
  readonly files: Readonly<Record<string, string>>;
}

interface Reading {
  readonly servers: Server[];
  readonly problems: { origin: string; problem: string }[];
  readonly imports: string[];
  readonly folders: readonly ImportedFolder[];
  readonly snippets: Map<string, readonly Directive[]>;
  importsLeft: number;
}

export function readServers({ origin, text, folders = [] }: CorefileSource): Servers {
  const reading: Reading = {
    servers: [],
    problems: [],
    imports: [],
    folders,
    snippets: new Map(),
    importsLeft: COREFILE_IMPORTS_MAX,
  };
  readFile(reading, origin, text);
  return { servers: reading.servers, problems: reading.problems, imports: [...new Set(reading.imports)] };
}

function readFile(reading: Reading, origin: string, text: string): void {
  const parsed = parseCorefile(text);
  if ('problem' in parsed) return void reading.problems.push({ origin, problem: parsed.problem });
  for (const [name, directives] of parsed.snippets) reading.snippets.set(name, directives);
  addServers(reading, origin, parsed);
  for (const { path } of parsed.imports) {
    reading.imports.push(path);
    if (takeImport(reading, origin)) {
      for (const file of filesOf(reading, path)) readFile(reading, file.origin, file.text);
    }
  }
}

function addServers(reading: Reading, origin: string, { servers }: Corefile): void {
  for (const server of servers) {
    reading.servers.push({ ...server, origin, directives: expand(reading, origin, server.directives) });
  }
}

/** Directives with what `import` brings in place of it. */
function expand(reading: Reading, origin: string, directives: readonly Directive[]): Directive[] {
  return directives.flatMap((directive) => {
    const [path] = directive.args;
    if (directive.name !== 'import' || path === undefined) return [directive];
    if (!takeImport(reading, origin)) return [];
    const snippet = reading.snippets.get(path);
    if (snippet !== undefined) return expand(reading, origin, snippet);
    reading.imports.push(path);
    return filesOf(reading, path).flatMap((file) => {
      const parsed = parseDirectives(file.text);
      if ('problem' in parsed) {
        reading.problems.push({ origin: file.origin, problem: parsed.problem });
        return [];
      }
      return expand(reading, file.origin, parsed);
    });
  });
}

/** False, and told once, when there have been too many: they name each other. */
function takeImport(reading: Reading, origin: string): boolean {
  if (reading.importsLeft === 0)
    reading.problems.push({ origin, problem: `more than ${COREFILE_IMPORTS_MAX} imports` });
  reading.importsLeft -= 1;
  return reading.importsLeft >= 0;
}

/** Of `/etc/coredns/custom/*.server`, or `custom/*.server`: the files of the folder `custom` that the pattern matches. */
function filesOf({ folders }: Reading, path: string): { origin: string; text: string }[] {
  const [pattern = '', folder = ''] = path.split('/').reverse();
  return folders
    .filter(({ name }) => name === folder)
    .flatMap(({ origin, files }) =>
      Object.keys(files)
        .sort()
        .filter((name) => matchesPattern(name, pattern))
        .map((name) => ({ origin: `${origin} ${name}`, text: files[name] ?? '' })),
    );
}

/** `*` is any text: of Go's patterns no other is seen in Corefiles. Without backtracking over several of them. */
function matchesPattern(name: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return name.length - at >= last.length && name.endsWith(last);
}
