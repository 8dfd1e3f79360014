/**
 * HTTP/1.1 heads (RFC 9112), as strict as can be: what two parsers might read differently is refused.
 *
 * CRLF only, no folding, no duplicate fields, no space around names, visible ASCII, no body unless the parser is one for such.
 * Requests and responses share the grammar of fields; ClusterLink's `CONNECT` and `POST` come through here as well as ours. Pure.
 */
import { AppError } from '../../api/errors.ts';
import { HEAD_BYTES_MAX, HEAD_FIELDS_MAX } from './limits.ts';

/** Names in lower case, values without surrounding space. */
export type HeadFields = ReadonlyMap<string, string>;

export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly fields: HeadFields;
}

export interface ResponseHead {
  readonly status: number;
  /** The reason phrase, may be empty. */
  readonly reason: string;
  readonly fields: HeadFields;
}

export interface HeadParser<H> {
  /**
   * Takes the next bytes, cut anywhere.
   *
   * @returns the head, and the bytes of this chunk that follow it; undefined while it is not complete.
   * @throws {AppError} `ERR_MALFORMED`, as soon as a byte shows it. The parser is of no use after it threw or returned.
   */
  push(chunk: Buffer): { readonly head: H; readonly rest: Buffer } | undefined;
}

const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;
const LINE_END = '\r\n';
const END = `${LINE_END}${LINE_END}`;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TARGET = /^[\x21-\x7e]+$/;
const TEXT = /^[\t\x20-\x7e]*$/;
const REQUEST_LINE = /^([^ ]+) ([^ ]+) HTTP\/1\.1$/;
const STATUS_LINE = /^HTTP\/1\.1 ([1-5][0-9]{2}) (.*)$/;

/** What a peer sent is not what it should be. `what` carries nothing of it but checked names and numbers. */
export function malformed(what: string): AppError {
  return new AppError('ERR_MALFORMED', what, {
    fix: 'make sure that the other end is a gateway of a compatible version',
  });
}

/** At most 40 characters of a text that has been checked to be visible ASCII. */
function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}

export function makeRequestHeadParser(): HeadParser<RequestHead> {
  return makeHeadParser((lines) => withoutBody(parseRequestHead(lines)));
}

/** The same, but the head may announce a body: ClusterLink's `POST /authz` has one. What the fields say of it is not looked at. */
export function makeBodiedRequestHeadParser(): HeadParser<RequestHead> {
  return makeHeadParser(parseRequestHead);
}

export function makeResponseHeadParser(): HeadParser<ResponseHead> {
  return makeHeadParser((lines) => withoutBody(parseResponseHead(lines)));
}

/** The same, but the head may announce a body: ClusterLink's refusals have one. What the fields say of it is not looked at. */
export function makeBodiedResponseHeadParser(): HeadParser<ResponseHead> {
  return makeHeadParser(parseResponseHead);
}

function makeHeadParser<H>(parse: (lines: readonly string[]) => H): HeadParser<H> {
  const scan = makeHeadScanner();
  let text = '';
  return {
    push(chunk) {
      const end = scan(chunk);
      const part = chunk.subarray(0, end);
      if (text.length + part.length > HEAD_BYTES_MAX) throw malformed(`head: larger than ${HEAD_BYTES_MAX} bytes`);
      text += part.toString('latin1'); // One character a byte: the scanner lets nothing else but ASCII pass.
      if (end === undefined) return undefined;
      return { head: parse(text.slice(0, -END.length).split(LINE_END)), rest: chunk.subarray(end) };
    },
  };
}

/**
 * Looks at each byte once.
 *
 * @returns the offset behind the empty line that ends the head, or undefined while there is none.
 */
function makeHeadScanner(): (chunk: Buffer) => number | undefined {
  let lineBytes = 0;
  let afterCr = false;
  return (chunk) => {
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index] as number;
      if (afterCr !== (byte === LF)) throw malformed('head: CR and LF must come together');
      if (byte === LF) {
        afterCr = false;
        if (lineBytes === 0) return index + 1;
        lineBytes = 0;
      } else if (byte === CR) {
        afterCr = true;
      } else if (byte === TAB || (byte >= 0x20 && byte <= 0x7e)) {
        lineBytes += 1;
      } else {
        throw malformed(`head: byte 0x${byte.toString(16).padStart(2, '0')} is not allowed`);
      }
    }
    return undefined;
  };
}

function parseRequestHead([first = '', ...lines]: readonly string[]): RequestHead {
  const [, method = '', target = ''] = REQUEST_LINE.exec(first) ?? [];
  if (!TOKEN.test(method) || !TARGET.test(target)) throw malformed('head: not a request line of HTTP/1.1');
  return { method, target, fields: parseFields(lines) };
}

function parseResponseHead([first = '', ...lines]: readonly string[]): ResponseHead {
  const [, status, reason] = STATUS_LINE.exec(first) ?? [];
  if (status === undefined || reason === undefined) throw malformed('head: not a status line of HTTP/1.1');
  return { status: Number(status), reason, fields: parseFields(lines) };
}

function parseFields(lines: readonly string[]): HeadFields {
  if (lines.length > HEAD_FIELDS_MAX) throw malformed(`head: more than ${HEAD_FIELDS_MAX} fields`);
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    // Catches folding and a space before the colon, too: neither makes a token.
    if (!TOKEN.test(name)) throw malformed('head: a line is not a field (name, colon, value)');
    if (fields.has(name)) throw malformed(`head: field ${quote(name)} appears twice`);
    fields.set(name, line.slice(colon + 1).trim());
  }
  return fields;
}

function withoutBody<H extends { readonly fields: HeadFields }>(head: H): H {
  checkNoBody(head.fields);
  return head;
}

function checkNoBody(fields: HeadFields): void {
  if (fields.has('transfer-encoding'))
    throw malformed('head: a body is not allowed, but transfer-encoding announces one');
  if ((fields.get('content-length') ?? '0') !== '0') {
    throw malformed('head: a body is not allowed, but content-length announces one');
  }
}

/** @throws {AppError} `ERR_MALFORMED` for what the parser would not read back as it was given. */
export function encodeRequestHead({ method, target, fields }: RequestHead): Buffer {
  if (!TOKEN.test(method) || !TARGET.test(target)) throw malformed('head: method or target cannot be written');
  return encodeHead(`${method} ${target} HTTP/1.1`, fields);
}

/** @throws {AppError} `ERR_MALFORMED` for what the parser would not read back as it was given. */
export function encodeResponseHead({ status, reason, fields }: ResponseHead): Buffer {
  const line = `HTTP/1.1 ${status} ${reason}`;
  if (!STATUS_LINE.test(line) || !TEXT.test(reason)) throw malformed('head: status or reason cannot be written');
  return encodeHead(line, fields);
}

function encodeHead(firstLine: string, fields: HeadFields): Buffer {
  const written = new Map<string, string>();
  let text = firstLine;
  for (const [name, value] of fields) {
    if (!TOKEN.test(name)) throw malformed('head: a field name cannot be written');
    if (!TEXT.test(value) || value.trim() !== value) throw malformed(`head: value of ${quote(name)} cannot be written`);
    written.set(name.toLowerCase(), value);
    text += `${LINE_END}${name}: ${value}`;
  }
  if (written.size !== fields.size) throw malformed('head: a field appears twice');
  if (written.size > HEAD_FIELDS_MAX) throw malformed(`head: more than ${HEAD_FIELDS_MAX} fields`);
  checkNoBody(written);
  const bytes = Buffer.from(text + END, 'latin1');
  if (bytes.length > HEAD_BYTES_MAX) throw malformed(`head: larger than ${HEAD_BYTES_MAX} bytes`);
  return bytes;
}
