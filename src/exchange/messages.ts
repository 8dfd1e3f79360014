/** The lines of an exchange stream (shapes §2): what an importer says, and what an exporter says. */
import * as v from 'valibot';
import { AppError } from '../api/errors.ts';
import { isLabel } from '../api/names.ts';
import type { ExportRecord } from '../api/record.ts';
import { hashOf } from './digest.ts';
import { REPORT_ENTRIES_MAX } from './limits.ts';
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

export type ImporterMessage =
  | { readonly op: 'watch'; readonly have: string | null }
  | { readonly op: 'report'; readonly conflicts: readonly ConflictReport[]; readonly imports: readonly ImportReport[] };

export type ExporterMessage =
  | { readonly op: 'unchanged' }
  /** `hash` is never on the wire: whoever hears a record hashes it as it was said. */
  | { readonly op: 'record'; readonly record: ExportRecord; readonly hash?: string }
  | { readonly op: 'withdrawn'; readonly namespace: string; readonly name: string }
  | { readonly op: 'synced'; readonly digest: string; readonly epoch: string }
  | { readonly op: 'digest'; readonly digest: string };

const label = v.pipe(v.string(), v.check(isLabel));
const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const epoch = v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{1,64}$/));
const reason = v.pipe(v.string(), v.regex(/^[A-Za-z]{1,64}$/));

const importerMessage = v.variant('op', [
  v.object({ op: v.literal('watch'), have: v.nullable(digest) }),
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
