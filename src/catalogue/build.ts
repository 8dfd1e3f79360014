/** Everything that this peer offers, from the objects that say so: level-driven, the same output for the same objects. */
import { AppError } from '../api/errors.ts';
import type { IServiceExport } from '../api/generated/ServiceExport.ts';
import { compareText, formatKey, keyOf } from '../api/object.ts';
import { parseExportTo } from './annotations.ts';
import { findExportRefusal, findServiceRefusal, type Refusal } from './checks.ts';
import { endpointsOf, SERVICE_NAME_LABEL } from './endpoints.ts';
import { EXPORT_RECORD_BYTES_MAX } from './limits.ts';
import { toRecord } from './record.ts';
import type { Catalogue, CatalogueEntry, CatalogueInput } from './types.ts';

type Outcome = { readonly entry: CatalogueEntry } | { readonly refusal: Refusal };

/**
 * Never throws: an export that cannot be offered gets a verdict, and the others are offered. Without ready endpoints an
 * export is valid all the same (EXP-18). Exports that are being deleted, or whose namespace is, count as withdrawn (EXP-21).
 */
export function buildCatalogue(input: CatalogueInput): Catalogue {
  const judge = makeJudge(input);
  const judged = input.serviceExports
    .filter((serviceExport) => !isWithdrawn(serviceExport, input.terminatingNamespaces))
    .map((serviceExport) => ({ ...keyOf(serviceExport), outcome: judge(serviceExport) }))
    .sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name));
  return {
    entries: judged.flatMap(({ outcome }) => ('entry' in outcome ? [outcome.entry] : [])),
    verdicts: judged.map(({ namespace, name, outcome }) => ({
      namespace,
      name,
      ...('entry' in outcome
        ? { valid: true, reason: 'Valid' as const, message: '' }
        : { valid: false, ...outcome.refusal }),
    })),
  };
}

function isWithdrawn({ metadata }: IServiceExport, terminating: ReadonlySet<string> | undefined): boolean {
  return metadata?.deletionTimestamp !== undefined || terminating?.has(metadata?.namespace ?? '') === true;
}

function makeJudge({ services, endpointSlices, allowedNamespaces }: CatalogueInput) {
  const serviceByKey = new Map(services.map((service) => [formatKey(keyOf(service)), service]));
  const slicesByService = Map.groupBy(endpointSlices, ({ metadata }) =>
    formatKey({ namespace: metadata?.namespace ?? '', name: metadata?.labels?.[SERVICE_NAME_LABEL] ?? '' }),
  );
  const allowed = new Set(allowedNamespaces);

  return (serviceExport: IServiceExport): Outcome => {
    const key = formatKey(keyOf(serviceExport));
    const service = serviceByKey.get(key);
    const exportRefusal = findExportRefusal(serviceExport, allowed);
    if (exportRefusal !== undefined) return { refusal: exportRefusal };
    if (service === undefined) return { refusal: { reason: 'NoService', message: `There is no Service ${key}.` } };
    const serviceRefusal = findServiceRefusal(service);
    if (serviceRefusal !== undefined) return { refusal: serviceRefusal };
    try {
      const { ports, ...said } = endpointsOf(service, slicesByService.get(key) ?? []);
      return withinBounds(toEntry({ serviceExport, ports, record: toRecord({ serviceExport, service, ...said }) }));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { refusal: { reason: 'InvalidService', message: describe(error) } };
    }
  };
}

interface EntryInput extends Pick<CatalogueEntry, 'record' | 'ports'> {
  readonly serviceExport: IServiceExport;
}

function toEntry({ serviceExport: { metadata }, record, ports }: EntryInput): CatalogueEntry {
  const { namespace, name, uid } = record;
  const exportTo = parseExportTo(metadata);
  const labels = { ...metadata?.labels };
  return { namespace, name, uid, record, ports, labels, ...(exportTo === undefined ? {} : { exportTo }) };
}

function withinBounds(entry: CatalogueEntry): Outcome {
  if (Buffer.byteLength(JSON.stringify(entry.record)) <= EXPORT_RECORD_BYTES_MAX) return { entry };
  const message = `What it says to other peers is longer than ${EXPORT_RECORD_BYTES_MAX} bytes; export fewer or shorter annotations.`;
  return { refusal: { reason: 'InvalidExport', message } };
}

function describe({ message, fix }: AppError): string {
  return fix === undefined ? message : `${message}. Fix: ${fix}`;
}
