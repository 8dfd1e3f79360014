/** Lays flags over environment over file, and remembers where each setting came from. Pure. */
import { LineCounter, parseDocument, isMap, isScalar, type Document } from 'yaml';
import { AppError } from '../api/errors.ts';
import { closestWord } from './did-you-mean.ts';
import { CONFIG_ALIASES_MAX } from './limits.ts';
import { COMMAND_VARIABLES, ENV_PREFIX, SERVICE_VARIABLE, SETTINGS, type Setting } from './settings.ts';

export type FlagValues = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface Sources {
  readonly file?: { readonly name: string; readonly text: string };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags?: FlagValues;
}

export interface GatheredSettings {
  readonly values: Tree;
  /** By dotted key: the variable or flag it came from. What is not here came from the file. */
  readonly origins: ReadonlyMap<string, string>;
  /** `peer.yaml:3:1` of a place in the file, or of the nearest thing around it; undefined without a file. */
  readonly position: (path: readonly string[]) => string | undefined;
}

export interface Tree {
  [key: string]: unknown;
}

/** @throws {AppError} `ERR_CONFIG` for a file that is no YAML mapping and for an unknown variable. */
export function gatherSettings({ file, env, flags = {} }: Sources): GatheredSettings {
  const parsed = file === undefined ? undefined : parseFile(file);
  const values = parsed?.values ?? {};
  const origins = new Map<string, string>();
  refuseUnknownVariables(env);
  for (const setting of SETTINGS) {
    const flag = flags[setting.key];
    const given = flag ?? env[setting.env];
    if (given === undefined) continue;
    origins.set(setting.key, flag === undefined ? setting.env : setting.flag);
    setAt(values, setting.key.split('.'), readText(given, setting.form));
  }
  return { values, origins, position: (path) => parsed?.position(path) };
}

/** A mistyped variable would otherwise be a setting that silently does not hold. */
function refuseUnknownVariables(env: Sources['env']): void {
  const known = [...SETTINGS.map((setting) => setting.env), ...COMMAND_VARIABLES];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.startsWith(ENV_PREFIX) || known.includes(name) || SERVICE_VARIABLE.test(name))
      continue;
    const guess = closestWord(
      name.slice(ENV_PREFIX.length),
      known.map((other) => other.slice(ENV_PREFIX.length)),
    );
    throw new AppError('ERR_CONFIG', `${name}: is not a variable of this program`, {
      fix: guess === undefined ? 'unset it' : `did you mean ${ENV_PREFIX}${guess}?`,
    });
  }
}

/** Text that does not fit its form stays text: the schema then says what was expected. */
function readText(given: string | readonly string[], form: Setting['form']): unknown {
  const items = (typeof given === 'string' ? given.split(',') : given)
    .map((item) => item.trim())
    .filter((item) => item !== '');
  const whole = typeof given === 'string' ? given : given.join(',');
  switch (form) {
    case 'text':
      return whole;
    case 'number':
      return /^\d{1,9}$/.test(whole) ? Number(whole) : whole;
    case 'list':
      return items;
    case 'map': {
      const pairs = items.map((item) => item.split('=', 2));
      return pairs.every(({ length }) => length === 2) ? Object.fromEntries(pairs as [string, string][]) : whole;
    }
  }
}

/** Leaves a file's value alone that is no mapping where one must be: the schema reports that. */
function setAt(tree: Tree, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  const inner = tree[key] ?? {};
  tree[key] = inner;
  if (isTree(inner)) setAt(inner, rest, value);
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseFile({ name, text }: { readonly name: string; readonly text: string }) {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new AppError('ERR_CONFIG', `${at(problem.pos[0])}: ${problem.message}`, {
      fix: 'write one YAML document',
      cause: problem,
    });
  }
  const values = toTree(document, name);
  return { values, position: (path: readonly string[]) => at(offsetOf(document, path)) };
}

function toTree(document: Document.Parsed, name: string): Tree {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: CONFIG_ALIASES_MAX });
  } catch (cause) {
    throw new AppError('ERR_CONFIG', `${name}: more than ${CONFIG_ALIASES_MAX} aliases`, {
      cause,
      fix: 'write the values out',
    });
  }
  const pruned = withoutNulls(value) ?? {};
  if (!isTree(pruned)) {
    throw new AppError('ERR_CONFIG', `${name}:1:1: is not a mapping of settings`, {
      fix: `begin it with "${SETTINGS[0]?.example}"`,
    });
  }
  return pruned;
}

/** `gateway:` with nothing after it, as when its members are commented out, is a setting that is not given. */
function withoutNulls(value: unknown): unknown {
  if (!isTree(value)) return value ?? undefined;
  const kept = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(kept.map(([key, member]) => [key, withoutNulls(member)]));
}

/** Where the key of the last member of the path stands that the file has. */
function offsetOf(document: Document.Parsed, path: readonly string[]): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const step of path) {
    if (!isMap(node)) break;
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
    if (pair === undefined) break;
    offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
    node = pair.value;
  }
  return offset;
}
