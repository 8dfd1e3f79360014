/**
 * The answer of an HTTP proxy to CONNECT (RFC 9110 §9.3.6). Fields may repeat and a refusal has a body, unlike in heads of
 * peers; neither is of any use here: what counts is the status, and where the head ends. Pure.
 */
import { AppError } from '../api/errors.ts';
import { PROXY_HEAD_BYTES_MAX } from './limits.ts';
import type { HeadParser } from './wire/head.ts';

export interface ProxyAnswer {
  /** 200 to 599. */
  readonly status: number;
}

const END = Buffer.from('\r\n\r\n');
const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** Obsolete folding is refused with the rest: two programs might read it differently (RFC 9112 §5.2). */
const FIELD_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/;

/** Interim answers (1xx) are skipped; together with the final one they have {@link PROXY_HEAD_BYTES_MAX}. */
export function makeProxyAnswerParser(): HeadParser<ProxyAnswer> {
  let pending: Buffer = Buffer.alloc(0);
  let skippedBytes = 0;
  return {
    push(chunk) {
      pending = Buffer.concat([pending, chunk]);
      for (let end = pending.indexOf(END); end !== -1; end = pending.indexOf(END)) {
        const headBytes = end + END.length;
        if (skippedBytes + headBytes > PROXY_HEAD_BYTES_MAX) throw tooLong();
        const status = parseStatus(pending.toString('latin1', 0, end));
        pending = pending.subarray(headBytes);
        if (status >= 200) return { head: { status }, rest: pending };
        skippedBytes += headBytes;
      }
      if (skippedBytes + pending.length > PROXY_HEAD_BYTES_MAX) throw tooLong();
      // Who speaks another protocol shows it in the first bytes and then waits: it is not waited for in turn.
      if (!'HTTP/1.'.startsWith(pending.toString('latin1', 0, 7))) throw notHttp();
      return undefined;
    },
  };
}

function parseStatus(head: string): number {
  const [first = '', ...fields] = head.split('\r\n');
  const [, status] = STATUS_LINE.exec(first) ?? [];
  if (status === undefined) throw notHttp();
  if (!fields.every((line) => FIELD_LINE.test(line))) throw malformed('answered with a head that cannot be read');
  return Number(status);
}

function notHttp(): AppError {
  return malformed('does not answer like an HTTP proxy');
}

function tooLong(): AppError {
  return malformed(`answered with a head of more than ${PROXY_HEAD_BYTES_MAX} bytes`);
}

/** Nothing of what the proxy sent is in it: it ends in logs and conditions. */
function malformed(what: string): AppError {
  return new AppError('ERR_MALFORMED', what, { fix: 'make sure that proxy names an HTTP proxy' });
}
