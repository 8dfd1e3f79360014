/** What becomes of one export object: an entry of the catalogue, or a refusal. */
import { AppError } from '../api/errors.ts';
import type { IExport } from '../api/generated/Export.ts';
import type { IServiceExport } from '../api/generated/ServiceExport.ts';
import type { ExportRecord } from '../api/record.ts';
import { parseExportTo } from './annotations.ts';
import type { Refusal } from './checks.ts';
import { EXPORT_RECORD_BYTES_MAX } from './limits.ts';
import { toProxiedPorts } from './proxied-ports.ts';
import type { CatalogueEntry } from './types.ts';

export type Outcome =
  /** `note`: what is not as it was asked for, although the export is valid. */
  { readonly entry: CatalogueEntry; readonly note?: string } | { readonly refusal: Refusal };

export interface EntryInput extends Pick<CatalogueEntry, 'record' | 'ports'> {
  readonly object: IServiceExport | IExport;
  readonly defaultPort?: number | undefined;
  readonly note?: string | undefined;
}

/** Importers refuse longer records, so that one is not offered. */
export function toOutcome({ object: { metadata }, ports, defaultPort, note, ...input }: EntryInput): Outcome {
  const record = withDefaultPort(input.record, defaultPort);
  if (Buffer.byteLength(JSON.stringify(record)) > EXPORT_RECORD_BYTES_MAX) {
    const message = `What it says to other peers is longer than ${EXPORT_RECORD_BYTES_MAX} bytes; export fewer or shorter annotations.`;
    return { refusal: { reason: 'InvalidExport', message } };
  }
  const proxied = toProxiedPorts(metadata, ports);
  if (!proxied.ok) return { refusal: { reason: 'InvalidExport', message: proxied.message } };
  const { namespace, name, uid } = record;
  const exportTo = parseExportTo(metadata);
  const entry: CatalogueEntry = {
    ...{ namespace, name, uid, record, ports: proxied.ports },
    ...(defaultPort === undefined ? {} : { defaultPort }),
    labels: { ...metadata?.labels },
    ...(exportTo === undefined ? {} : { exportTo }),
  };
  return { entry, ...(note === undefined ? {} : { note }) };
}

/** Said only where it is not the first TCP port, which importers take where nothing is said. */
function withDefaultPort(record: ExportRecord, defaultPort: number | undefined): ExportRecord {
  const first = record.ports.find(({ protocol }) => protocol === 'TCP')?.port;
  return defaultPort === undefined || defaultPort === first ? record : { ...record, defaultPort };
}

/** What cannot be read of the Service's endpoints makes the export invalid; anything else is a bug. */
export function refuseUnreadable(error: unknown): Outcome {
  if (!(error instanceof AppError)) throw error;
  const { message, fix } = error;
  return {
    refusal: { reason: 'InvalidService', message: fix === undefined ? message : `${message}. Fix: ${fix}` },
  };
}
