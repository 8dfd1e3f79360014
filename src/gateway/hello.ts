/** The control stream's lines (shapes §3): who speaks, why a stream was cut, and that a session is about to go. Pure. */
import * as v from 'valibot';
import { AppError } from '../api/errors.ts';
import { isLabel } from '../api/names.ts';
import { WIRE_REASONS, type WireReason } from '../api/reasons.ts';
import { DRAIN_DEADLINE_MAX_MS } from './limits.ts';

/**
 * Its gateway takes bytes of a client behind the CONNECT, and gives none to an endpoint before it answers 200; it hears `withdraw`,
 * and says `unserved`.
 */
export const EARLY_FEATURE = 'early';
/** In the hello of a gateway that may be one of several behind its address. */
export const REPLICAS_FEATURE = 'replicas';
/** Beside that: the others are workers of one process, and their instances are its own name, a dot and a number. */
export const WORKERS_FEATURE = 'workers';

export interface Hello {
  /** Must equal the name in the certificate. */
  readonly peer: string;
  /** The uid of the installation, kept in its state. */
  readonly epoch: string;
  /** Random, of this process. */
  readonly instance: string;
  readonly version: string;
  readonly features: readonly string[];
  /** How many streams the other side may open in this session. */
  readonly streams: number;
  /** Bytes that may be sent to it on a new stream, if both say such a number; absent: WINDOW_BYTES, as with a gateway that knows no other. */
  readonly window?: number | undefined;
}

export type ControlLine =
  | { readonly hello: Hello }
  | {
      readonly closed: {
        readonly stream: number;
        readonly reason: WireReason;
        /** No endpoint has had a byte of it, nor will. */
        readonly unserved?: true | undefined;
      };
    }
  /** Of a stream of the one who says it: to be refused, unless it was answered already. */
  | { readonly withdraw: { readonly stream: number } }
  | { readonly drain: { readonly deadlineMs: number } };

const token = v.pipe(v.string(), v.regex(/^[A-Za-z0-9.+-]{1,64}$/));

const hello = v.object({
  peer: v.pipe(v.string(), v.check(isLabel)),
  epoch: token,
  instance: token,
  version: token,
  features: v.pipe(v.array(token), v.maxLength(64)),
  streams: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000)),
  window: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(0xffffffff))),
});
const stream = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(0xffffffff));
const closed = v.object({ stream, reason: v.picklist(WIRE_REASONS), unserved: v.optional(v.literal(true)) });
const withdraw = v.object({ stream });
const drain = v.object({
  deadlineMs: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(DRAIN_DEADLINE_MAX_MS)),
});
const controlLine = v.union([v.object({ hello }), v.object({ closed }), v.object({ withdraw }), v.object({ drain })]);
const KEYS = ['hello', 'closed', 'withdraw', 'drain'];

/**
 * Unknown lines are `undefined`, to be skipped: a newer peer may say more. A known line that breaks its schema is an error.
 *
 * @throws {AppError} `ERR_MALFORMED`
 */
export function parseControlLine(line: unknown): ControlLine | undefined {
  const isKnown = typeof line === 'object' && line !== null && KEYS.some((key) => Object.hasOwn(line, key));
  if (!isKnown) {
    if (typeof line === 'object' && line !== null) return undefined;
    throw new AppError('ERR_MALFORMED', 'control stream: a line is not an object');
  }
  const result = v.safeParse(controlLine, line);
  if (!result.success) throw new AppError('ERR_MALFORMED', 'control stream: a line breaks its schema');
  return result.output;
}
