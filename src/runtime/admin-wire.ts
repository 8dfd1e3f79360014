/** What goes over the admin socket: JSON bodies with a bound, and errors as `{code, message, fix, retryable}`. */
import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { AppError, ERROR_CODES, type ErrorCode } from '../api/errors.ts';

const STATUS_BY_CODE: Partial<Record<ErrorCode, number>> = {
  ERR_NOT_FOUND: 404,
  ERR_CONFLICT: 409,
  ERR_BOUND_EXCEEDED: 503,
  ERR_TIMEOUT: 504,
};

const wireError = v.object({
  error: v.object({
    code: v.picklist(ERROR_CODES),
    message: v.string(),
    fix: v.optional(v.string()),
    retryable: v.optional(v.boolean(), false),
  }),
});

/** An error that is no `AppError` is a defect: its text stays in the log. */
export function toWireError(error: unknown): { status: number; body: v.InferInput<typeof wireError> } {
  if (!(error instanceof AppError)) {
    const message = 'admin socket: the process failed to answer';
    return { status: 500, body: { error: { code: 'ERR_INTERNAL', message, fix: "see the process's log" } } };
  }
  const { code, message, fix, retryable } = error;
  const body = { error: { code, message, retryable, ...(fix === undefined ? {} : { fix }) } };
  return { status: STATUS_BY_CODE[code] ?? 400, body };
}

/** The error that the other side threw, or `ERR_MALFORMED` when it speaks otherwise. */
export function fromWireError(body: unknown, status: number): AppError {
  const parsed = v.safeParse(wireError, body);
  if (!parsed.success) return new AppError('ERR_MALFORMED', `admin socket: status ${status} without an error in it`);
  const { code, message, fix, retryable } = parsed.output.error;
  return new AppError(code, message, { retryable, ...(fix === undefined ? {} : { fix }) });
}

/**
 * The whole body as JSON; undefined when there is none.
 *
 * @throws {AppError} `ERR_BOUND_EXCEEDED` beyond `bytesMax`; `ERR_MALFORMED` for what is no JSON or ends early.
 */
export async function readJson(
  message: IncomingMessage,
  { bytesMax, signal }: { readonly bytesMax: number; readonly signal: AbortSignal },
): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // The message outlives the loop: an answer still has to go out over its socket.
    for await (const chunk of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      bytes += chunk.length;
      if (bytes > bytesMax)
        throw new AppError('ERR_BOUND_EXCEEDED', `admin socket: a body of more than ${bytesMax} bytes`);
      chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString('utf8');
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('ERR_MALFORMED', 'admin socket: the body is not JSON', { cause });
  }
}
