/**
 * Logs: JSON lines on stderr, since stdout belongs to results (`-o json`, `status`, the demo's last line).
 *
 * Messages are constant text; what varies goes into fields, which JSON escapes, so nothing of a peer forges a line.
 */
import { pino, type DestinationStream, type Level, type Logger as PinoLogger } from 'pino';
import { LOG_BUFFER_BYTES_MAX } from './limits.ts';

export type Logger = PinoLogger;

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly Level[];
export type LogLevel = (typeof LOG_LEVELS)[number];

const STDERR = 2;
/** Fields that carry secrets, at the top and one level below. `key` is not among them: it names objects (see below). */
const SECRET_FIELDS = ['token', 'authorization', 'keyPem', 'caKeyPem', 'privateKey', 'password'];
const HEADERS = ['authorization', 'proxy-authorization', 'cookie'];
const REDACTED_PATHS = [
  ...SECRET_FIELDS,
  ...SECRET_FIELDS.map((field) => `*.${field}`),
  ...HEADERS.flatMap((name) => [`headers["${name}"]`, `*.headers["${name}"]`]),
];
const REDACTED = '[redacted]';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Fields of every line, for example the peer's name. */
  readonly bindings?: Readonly<Record<string, string>>;
  /** Where lines go; tests set it. Default: stderr, written without waiting, bounded. */
  readonly destination?: DestinationStream;
}

export function makeLogger({ level, bindings = {}, destination = stderr() }: LoggerOptions): Logger {
  const options = {
    level,
    base: bindings,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED_PATHS, censor: REDACTED },
    // A work queue's key is worth its line; a private key under the same name is not.
    serializers: { key: redactPrivateKey },
  };
  return pino(options, destination);
}

/** For tests, and for parts that run without a log. */
export function makeSilentLogger(): Logger {
  return pino({ level: 'silent' });
}

/** Lines that nobody reads are dropped at the bound; what is buffered at exit is still written (pino's exit hook). */
function stderr(): DestinationStream {
  return pino.destination({ dest: STDERR, sync: false, maxLength: LOG_BUFFER_BYTES_MAX });
}

function redactPrivateKey(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('PRIVATE KEY') ? REDACTED : value;
  const isPlain = value === null || typeof value === 'number' || typeof value === 'boolean';
  return isPlain ? value : REDACTED;
}
