/** How messages repeat text that somebody else wrote. */
import { QUOTED_CHARS_MAX } from './limits.ts';

/** Control and format characters, lone surrogates, line separators: what moves a cursor, turns text round or fakes a line. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** A value as a message may show it: at most QUOTED_CHARS_MAX printable characters; of a list or a map only that it is one. */
export function quote(value: unknown): string {
  if (typeof value === 'string') return `"${printable(value.replaceAll('"', "'"), QUOTED_CHARS_MAX - 2)}"`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  return scalarText(value);
}

/** Text on one line, escaped, and cut with '...' where it is longer than `charsMax`. */
export function printable(text: string, charsMax: number): string {
  let shown = '';
  // No more is looked at than can be shown: the text may be a megabyte.
  for (const char of text.slice(0, charsMax + 2)) {
    const next = UNSAFE.test(char) ? `\\u{${char.codePointAt(0)?.toString(16)}}` : char;
    if (shown.length + next.length > charsMax) return cut(shown, charsMax);
    shown += next;
  }
  return text.length > charsMax + 2 ? cut(shown, charsMax) : shown;
}

/** A value without marks, as one would write it down; only a text can be long, and it is cut as in {@link quote}. */
export function scalarText(value: unknown): string {
  if (typeof value === 'string') return printable(value, QUOTED_CHARS_MAX);
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return `${value}`;
  return value === null ? 'null' : 'absent';
}

/** `"a", "b" and 3 more`. */
export function quoteAll(values: readonly unknown[], listedMax: number): string {
  const listed = values.slice(0, listedMax).map(quote).join(', ');
  return values.length <= listedMax ? listed : `${listed} and ${values.length - listedMax} more`;
}

function cut(shown: string, charsMax: number): string {
  return `${shown.slice(0, charsMax - 3)}...`;
}
