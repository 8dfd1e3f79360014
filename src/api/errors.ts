/** The one error type that leaves a component, and the codes it may carry (docs/ERRORS.md explains each). */

export const ERROR_CODES = [
  'ERR_ADMIN_UNREACHABLE',
  'ERR_ALREADY_EXISTS',
  'ERR_BOUND_EXCEEDED',
  'ERR_CERTIFICATE',
  'ERR_CONFIG',
  'ERR_CONFLICT',
  'ERR_FORBIDDEN',
  'ERR_INTERNAL',
  'ERR_INVALID_OBJECT',
  'ERR_KEY_PERMISSIONS',
  'ERR_LISTEN',
  'ERR_MALFORMED',
  'ERR_NOT_FOUND',
  'ERR_STATE_IO',
  'ERR_STATE_LOCKED',
  'ERR_STATE_SCHEMA',
  'ERR_STORE_CLOSED',
  'ERR_STORE_UNAVAILABLE',
  'ERR_STREAM_RESET',
  'ERR_TIMEOUT',
  'ERR_USAGE',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

export interface AppErrorOptions extends ErrorOptions {
  /** True when the same call may succeed later although no object has changed. Default false. */
  retryable?: boolean;
  /** What the reader should do; printed after "Fix:". */
  fix?: string;
  /** Safe to log: names, addresses and counts; never tokens, keys or payload. */
  details?: Readonly<Record<string, string | number>>;
}

/** Callers switch on `code`, never on `message`. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly fix: string | undefined;
  readonly details: Readonly<Record<string, string | number>>;

  /** @param message - `object: what is wrong`, without the code and without the remedy. */
  constructor(code: ErrorCode, message: string, { cause, retryable = false, fix, details = {} }: AppErrorOptions = {}) {
    super(message, { cause });
    this.code = code;
    this.retryable = retryable;
    this.fix = fix;
    this.details = details;
  }
}

/** `CODE object: what is wrong. Fix: what to do.`: how every error is shown to a person. */
export function formatError(error: unknown): string {
  if (!(error instanceof AppError)) return error instanceof Error ? error.message : String(error);
  const message = error.message.endsWith('.') ? error.message : `${error.message}.`;
  return `${error.code} ${message}${error.fix === undefined ? '' : ` Fix: ${error.fix}`}`;
}
