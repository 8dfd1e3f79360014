/** The lines of an exchange stream (shapes §2): what an importer says, and what an exporter says. */
import * as v from 'valibot';
import { AppError } from '../api/errors.ts';
import { isLabel } from '../api/names.ts';
import type { ExportRecord } from '../api/record.ts';
import { CRL_BYTES_MAX, CRLS_MAX } from '../fabric/limits.ts';
import { hashOf } from './digest.ts';
import { FEATURES_MAX, REPORT_ENTRIES_MAX } from './limits.ts';
import { parseRecord } from './record.ts';

export interface ConflictReport {
  readonly namespace: string;
  readonly name: string;
  readonly reasons: string[];
  readonly loses: boolean;
}
export interface ImportReport {
  readonly namespace: string;
  readonly name: string;
}

/** What an importer understands beyond the first version of the exchange: an unknown `op` would end its stream. */
export const EXCHANGE_FEATURES = ['revocations'] as const;

export type ImporterMessage =
  /** `features`: absent from a peer of the first version; words that this version does not know are no error. */
  | { readonly op: 'watch'; readonly have: string | null; readonly features?: readonly string[] }
  | { readonly op: 'report'; readonly conflicts: readonly ConflictReport[]; readonly imports: readonly ImportReport[] };

export type ExporterMessage =
  | { readonly op: 'unchanged' }
  /** `hash` is never on the wire: whoever hears a record hashes it as it was said. */
  | { readonly op: 'record'; readonly record: ExportRecord; readonly hash?: string }
  | { readonly op: 'withdrawn'; readonly namespace: string; readonly name: string }
  | { readonly op: 'synced'; readonly digest: string; readonly epoch: string }
  | { readonly op: 'digest'; readonly digest: string }
  /** Revocation lists, all that are in force there. Carried as they were said: whoever reads them verifies their signatures. */
  | { readonly op: 'revocations'; readonly lists: readonly string[] };

const label = v.pipe(v.string(), v.check(isLabel));
const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const epoch = v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{1,64}$/));
const reason = v.pipe(v.string(), v.regex(/^[A-Za-z]{1,64}$/));

const feature = v.pipe(v.string(), v.regex(/^[a-z-]{1,32}$/));
// PEM or base64: no control character but the ends of lines.
const revocationList = v.pipe(v.string(), v.maxLength(CRL_BYTES_MAX), v.regex(/^[\n\r\x20-\x7e]+$/));

const importerMessage = v.variant('op', [
  v.object({
    op: v.literal('watch'),
    have: v.nullable(digest),
    features: v.exactOptional(v.pipe(v.array(feature), v.maxLength(FEATURES_MAX))),
  }),
  v.object({
    op: v.literal('report'),
    conflicts: v.pipe(
      v.array(
        v.object({
          namespace: label,
          name: label,
          reasons: v.pipe(v.array(reason), v.maxLength(16)),
          loses: v.boolean(),
        }),
      ),
      v.maxLength(REPORT_ENTRIES_MAX),
    ),
    imports: v.pipe(v.array(v.object({ namespace: label, name: label })), v.maxLength(REPORT_ENTRIES_MAX)),
  }),
]);

const exporterMessage = v.variant('op', [
  v.object({ op: v.literal('unchanged') }),
  v.object({ op: v.literal('record'), record: v.unknown() }),
  v.object({ op: v.literal('withdrawn'), namespace: label, name: label }),
  v.object({ op: v.literal('synced'), digest, epoch }),
  v.object({ op: v.literal('digest'), digest }),
  v.object({ op: v.literal('revocations'), lists: v.pipe(v.array(revocationList), v.maxLength(CRLS_MAX)) }),
]);

/** @throws {AppError} `ERR_MALFORMED`; an unknown `op` too: features are agreed in the hello, never guessed. */
export function parseImporterMessage(line: unknown): ImporterMessage {
  const result = v.safeParse(importerMessage, line);
  if (!result.success) throw malformed('importer');
  return result.output;
}

/** @throws {AppError} `ERR_MALFORMED`, also for a record that breaks its schema. */
export function parseExporterMessage(line: unknown): ExporterMessage {
  const result = v.safeParse(exporterMessage, line);
  if (!result.success) throw malformed('exporter');
  const message = result.output;
  if (message.op !== 'record') return message;
  return { op: 'record', record: parseRecord(message.record), hash: hashOf(message.record) };
}

function malformed(side: string): AppError {
  return new AppError('ERR_MALFORMED', `exchange: a line of the ${side} is not a message of this protocol`);
}
