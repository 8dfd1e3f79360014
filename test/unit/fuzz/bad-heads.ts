/** Bad heads that follow a good first line: one corpus for requests and responses, ours and ClusterLink's. */
import { HEAD_BYTES_MAX, HEAD_FIELDS_MAX } from '#src/gateway/wire/limits.ts';

export const FIRST_LINES = {
  'our CONNECT': 'CONNECT east:443 HTTP/1.1\r\n',
  'our GET': 'GET /exchange HTTP/1.1\r\n',
  "ClusterLink's POST": 'POST /authz HTTP/1.1\r\n',
  'an answer': 'HTTP/1.1 200 OK\r\n',
  'an answer without a phrase': 'HTTP/1.1 403 \r\n',
} as const;

export interface BadHead {
  readonly name: string;
  /** What comes after the first line, with the empty line where there is one. */
  readonly text: string;
}

const many = (count: number): string => Array.from({ length: count }, (_, index) => `f${index}: x\r\n`).join('');

export const BAD_HEADS: readonly BadHead[] = [
  { name: 'LF alone at the end of a line', text: 'a: b\nc: d\r\n\r\n' },
  { name: 'LF alone as the empty line', text: 'a: b\r\n\n' },
  { name: 'CR alone', text: 'a: b\rc: d\r\n\r\n' },
  { name: 'CR before CRLF', text: 'a: b\r\r\n\r\n' },
  { name: 'CR before something else', text: 'a: b\r c\r\n\r\n' },
  { name: 'NUL in a value', text: 'a: b\0\r\n\r\n' },
  { name: 'NUL in a name', text: 'a\0: b\r\n\r\n' },
  { name: 'vertical tab', text: 'a:\x0bb\r\n\r\n' },
  { name: 'form feed', text: 'a: \x0c\r\n\r\n' },
  { name: 'escape', text: 'a: \x1b[2J\r\n\r\n' },
  { name: 'delete', text: 'a: \x7f\r\n\r\n' },
  { name: 'NEL, a line end in Latin-1', text: 'a: b\x85c: d\r\n\r\n' },
  { name: 'no-break space before the colon', text: 'a\xa0: b\r\n\r\n' },
  { name: 'UTF-8', text: 'a: \xc3\xa9\r\n\r\n' },
  { name: 'folding by a space', text: 'a: b\r\n c\r\n\r\n' },
  { name: 'folding by a tab', text: 'a: b\r\n\tc\r\n\r\n' },
  { name: 'folding in the first field', text: ' a: b\r\n\r\n' },
  { name: 'space before the colon', text: 'a : b\r\n\r\n' },
  { name: 'tab before the colon', text: 'a\t: b\r\n\r\n' },
  { name: 'no colon', text: 'abc\r\n\r\n' },
  { name: 'no name', text: ': b\r\n\r\n' },
  { name: 'a name in quotes', text: '"a": b\r\n\r\n' },
  { name: 'a name with a slash', text: 'a/b: c\r\n\r\n' },
  { name: 'a name with a comma', text: 'a,b: c\r\n\r\n' },
  { name: 'a name with brackets', text: 'a[]: c\r\n\r\n' },
  { name: 'a second first line', text: 'GET / HTTP/1.1\r\n\r\n' },
  { name: 'a field twice', text: 'host: a\r\nhost: a\r\n\r\n' },
  { name: 'a field twice, in other letters', text: 'Host: a\r\nhOsT: b\r\n\r\n' },
  { name: 'a body by length', text: 'content-length: 5\r\n\r\n' },
  { name: 'a length with a sign', text: 'content-length: +0\r\n\r\n' },
  { name: 'a length below zero', text: 'content-length: -1\r\n\r\n' },
  { name: 'a length in another base', text: 'content-length: 0x0\r\n\r\n' },
  { name: 'a length as a list', text: 'content-length: 0, 0\r\n\r\n' },
  { name: 'an empty length', text: 'content-length:\r\n\r\n' },
  { name: 'two lengths', text: 'content-length: 0\r\nContent-Length: 0\r\n\r\n' },
  { name: 'chunks', text: 'transfer-encoding: chunked\r\n\r\n' },
  { name: 'chunks under another spelling', text: 'Transfer-Encoding: xchunked\r\n\r\n' },
  { name: 'chunks and a length', text: 'content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n' },
  { name: 'an empty transfer-encoding', text: 'transfer-encoding:\r\n\r\n' },
  { name: 'one field too many', text: `${many(HEAD_FIELDS_MAX + 1)}\r\n` },
  { name: 'one value too long', text: `a: ${'x'.repeat(HEAD_BYTES_MAX)}\r\n\r\n` },
  { name: 'no end', text: 'x'.repeat(HEAD_BYTES_MAX) },
];
