/** The body of a request in ClusterLink's form: by its length, or in chunks as Go and Envoy send it on. Pure. */
import { AppError } from '../../api/errors.ts';
import { malformed, type HeadFields, type HeadParser } from '../wire/head.ts';
import { REQUEST_BODY_BYTES_MAX } from './limits.ts';

/** How the end of a body is found; `none`: it has none, or an empty one. */
export type BodyFraming =
  { readonly kind: 'none' } | { readonly kind: 'length'; readonly bytes: number } | { readonly kind: 'chunked' };

const LENGTH = /^(?:0|[1-9][0-9]{0,9})$/;
/** No extensions: nobody needs them, and parsers differ about them. */
const CHUNK_SIZE = /^[0-9A-Fa-f]{1,8}$/;
const CHUNK_LINE_BYTES_MAX = 8;
const CR = 0x0d;
const LF = 0x0a;

/**
 * @throws {AppError} `ERR_MALFORMED` where two parsers might find different ends (RFC 9112 §6.3), `ERR_BOUND_EXCEEDED` for a body
 *   that is announced longer than {@link REQUEST_BODY_BYTES_MAX}.
 */
export function framingOf(fields: HeadFields): BodyFraming {
  const length = fields.get('content-length');
  const encoding = fields.get('transfer-encoding');
  if (encoding !== undefined) {
    if (length !== undefined) throw malformed('body: both content-length and transfer-encoding');
    if (encoding.toLowerCase() !== 'chunked') throw malformed('body: a transfer-encoding other than chunked');
    return { kind: 'chunked' };
  }
  if (length === undefined || length === '0') return { kind: 'none' };
  if (!LENGTH.test(length)) throw malformed('body: content-length is not a number');
  const bytes = Number(length);
  if (bytes > REQUEST_BODY_BYTES_MAX) throw tooLarge();
  return { kind: 'length', bytes };
}

/** For a framing that is not `none`. Takes bytes as parsers of heads do, so that a stream is read for both in one way. */
export function makeBodyParser(framing: Exclude<BodyFraming, { kind: 'none' }>): HeadParser<Buffer> {
  return framing.kind === 'length' ? makeLengthParser(framing.bytes) : makeChunkedParser();
}

function makeLengthParser(bytes: number): HeadParser<Buffer> {
  const pieces: Buffer[] = [];
  let missing = bytes;
  return {
    push(chunk) {
      const piece = chunk.subarray(0, missing);
      pieces.push(piece);
      missing -= piece.length;
      return missing > 0 ? undefined : { head: Buffer.concat(pieces), rest: chunk.subarray(piece.length) };
    },
  };
}

function makeChunkedParser(): HeadParser<Buffer> {
  const pieces: Buffer[] = [];
  let totalBytes = 0;
  /** Of the chunk that is being read. */
  let missing = 0;
  let line = '';
  let afterCr = false;
  let state: 'size' | 'data' | 'data-end' | 'end' = 'size';

  /** A line without its end, or undefined while it is not complete. */
  function takeLineByte(byte: number): string | undefined {
    if (afterCr !== (byte === LF)) throw malformed('body: CR and LF must come together');
    afterCr = byte === CR;
    if (afterCr) return undefined;
    if (byte !== LF) {
      line += String.fromCharCode(byte);
      if (line.length > CHUNK_LINE_BYTES_MAX) throw malformed('body: not the size of a chunk');
      return undefined;
    }
    const complete = line;
    line = '';
    return complete;
  }

  function onLine(text: string): void {
    if (state === 'size') {
      if (!CHUNK_SIZE.test(text)) throw malformed('body: not the size of a chunk');
      missing = Number.parseInt(text, 16);
      totalBytes += missing;
      if (totalBytes > REQUEST_BODY_BYTES_MAX) throw tooLarge();
      state = missing === 0 ? 'end' : 'data';
      return;
    }
    if (text !== '') throw malformed(state === 'end' ? 'body: a field behind it' : 'body: longer than its chunk says');
    if (state === 'data-end') state = 'size';
  }

  return {
    push(chunk) {
      let at = 0;
      while (at < chunk.length) {
        if (state === 'data') {
          const piece = chunk.subarray(at, at + missing);
          pieces.push(piece);
          at += piece.length;
          missing -= piece.length;
          if (missing === 0) state = 'data-end';
          continue;
        }
        const text = takeLineByte(chunk[at++] ?? 0);
        if (text === undefined) continue;
        const isLast = state === 'end';
        onLine(text);
        if (isLast) return { head: Buffer.concat(pieces), rest: chunk.subarray(at) };
      }
      return undefined;
    },
  };
}

function tooLarge(): AppError {
  return new AppError('ERR_BOUND_EXCEEDED', `body: larger than ${REQUEST_BODY_BYTES_MAX} bytes`, {
    fix: 'send fewer attributes of the client',
  });
}
