/** `mcs-source`: what the importing peer asserts about its client, as base64url of JSON: an object of strings, or null. Pure. */
import { malformed } from './head.ts';
import { SOURCE_BYTES_MAX, SOURCE_KEYS_MAX, SOURCES_REMEMBERED_MAX } from './limits.ts';

/** Keys as policies select on them (`ATTRIBUTES`): names with prefixes, dots and slashes; never `__proto__`. */
const KEY = /^[A-Za-z0-9][A-Za-z0-9._/-]*$/;
/** Values may reach a log or a person: no control characters. */
const VALUE = /^\P{Cc}*$/u;
const BASE64URL = /^[A-Za-z0-9_-]+$/;

export type Source = Readonly<Record<string, string>> | null;

/** By what is said: a client has many connections. */
const encoded = new WeakMap<NonNullable<Source>, string>();
const ENCODED_NOTHING = Buffer.from('null').toString('base64url');

/**
 * @param source - not to be changed any more: its text is remembered.
 * @throws {AppError} `ERR_MALFORMED` for what {@link parseSource} would refuse.
 */
export function encodeSource(source: Source): string {
  if (source === null) return ENCODED_NOTHING;
  const known = encoded.get(source);
  if (known !== undefined) return known;
  const text = Buffer.from(JSON.stringify(source)).toString('base64url');
  readSource(text);
  encoded.set(source, text);
  return text;
}

/** Whether so much may be said of a client; whoever has more says nothing: attributes left out would count as absent. */
export function fitsSource(source: Readonly<Record<string, string>>): boolean {
  const bytes = Buffer.byteLength(JSON.stringify(source));
  return bytes <= SOURCE_BYTES_MAX && Object.keys(source).length <= SOURCE_KEYS_MAX;
}

/** What was parsed of late, by its text, the oldest first. */
const parsed = new Map<string, Source>();

/**
 * The same text gives the same object, as long as it is remembered: who has it in hand need not compare what it says.
 *
 * @throws {AppError} `ERR_MALFORMED`.
 */
export function parseSource(text: string): Source {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const source = readSource(text);
  parsed.set(text, source);
  const [oldest] = parsed.keys();
  if (parsed.size > SOURCES_REMEMBERED_MAX && oldest !== undefined) parsed.delete(oldest);
  return source;
}

function readSource(text: string): Source {
  const bytes = Buffer.from(text, 'base64url');
  // Node's decoder skips what it does not know and accepts stray last bits: one value, one spelling.
  if (!BASE64URL.test(text) || bytes.toString('base64url') !== text) throw malformed('mcs-source: not base64url');
  if (bytes.length > SOURCE_BYTES_MAX) throw malformed(`mcs-source: larger than ${SOURCE_BYTES_MAX} bytes`);
  const value = parseJson(bytes);
  if (value === null) return null;
  if (typeof value !== 'object' || Array.isArray(value)) throw malformed('mcs-source: neither an object nor null');
  const entries: [string, unknown][] = Object.entries(value);
  if (entries.length > SOURCE_KEYS_MAX) throw malformed(`mcs-source: more than ${SOURCE_KEYS_MAX} keys`);
  return Object.freeze(Object.fromEntries(entries.map(checkEntry)));
}

function checkEntry([key, value]: [string, unknown]): [string, string] {
  if (!KEY.test(key)) throw malformed('mcs-source: a key is not an attribute name');
  if (typeof value !== 'string' || !VALUE.test(value)) throw malformed('mcs-source: a value is not plain text');
  return [key, value];
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    // The parser's own message would quote the peer's bytes.
    throw malformed('mcs-source: not JSON in UTF-8');
  }
}
