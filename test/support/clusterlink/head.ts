/** Heads of HTTP/1.1 as bytes: cut, read and written by hand, since spelling and record boundaries are the subject. */

export interface Head {
  /** The first line, without its CRLF. */
  readonly line: string;
  /** Names in lower case; of two fields with one name, the first. */
  readonly fields: ReadonlyMap<string, string>;
  /** As they came, up to and with the blank line. */
  readonly raw: Buffer;
}

export const EMPTY = Buffer.alloc(0);
const BLANK_LINE = '\r\n\r\n';

/** Where a head ends in these bytes (after its blank line), or -1. */
export function endOfHead(bytes: Buffer): number {
  const at = bytes.indexOf(BLANK_LINE);
  return at < 0 ? -1 : at + BLANK_LINE.length;
}

/** @returns undefined when a line is no field. */
export function parseHead(raw: Buffer): Head | undefined {
  const [line = '', ...lines] = raw.toString('latin1').slice(0, -BLANK_LINE.length).split('\r\n');
  const fields = new Map<string, string>();
  for (const text of lines) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(text);
    if (match === null) return undefined;
    const name = (match[1] ?? '').toLowerCase();
    if (!fields.has(name)) fields.set(name, match[2] ?? '');
  }
  return { line, fields, raw };
}

export interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly minor: 0 | 1;
}

export function parseRequestLine(line: string): RequestLine | undefined {
  const match = /^([A-Z]+) (\S+) HTTP\/1\.([01])$/.exec(line);
  if (match === null) return undefined;
  return { method: match[1] ?? '', target: match[2] ?? '', minor: match[3] === '0' ? 0 : 1 };
}

/** The code of a status line of either version, whatever its text is (§3.6, 1 and 8). */
export function parseStatusLine(line: string): number | undefined {
  const match = /^HTTP\/1\.[01] ([1-9]\d\d)(?: .*)?$/.exec(line);
  return match === null ? undefined : Number(match[1]);
}

/** Content-Length as a number; undefined when there is none, NaN when it is none that can be read. */
export function bodyLength({ fields }: Head): number | undefined {
  const text = fields.get('content-length');
  if (text === undefined) return undefined;
  return /^\d{1,9}$/.test(text) ? Number(text) : NaN;
}

export function writeHead(line: string, fields: readonly (readonly [name: string, value: string])[]): string {
  return [line, ...fields.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
}
