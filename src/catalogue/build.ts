/** Everything that this peer offers, from the objects that say so: level-driven, the same output for the same objects. */
import { AppError } from '../api/errors.ts';
import type { IEndpointSlice } from '../api/generated/EndpointSlice.ts';
import type { IService } from '../api/generated/Service.ts';
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
  const judgeOne = makeJudge(input);
  const judged = input.serviceExports
    .filter((serviceExport) => !isWithdrawn(serviceExport, input.terminatingNamespaces))
    .map((serviceExport) => ({ ...keyOf(serviceExport), outcome: judgeOne(serviceExport) }))
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
    const slices = slicesByService.get(key) ?? [];
    const before = judgedBefore.get(serviceExport);
    if (before !== undefined && isOfThese(before, { service, slices, allowedNamespaces })) return before.outcome;
    const outcome = judge(serviceExport, { service, slices, allowed });
    judgedBefore.set(serviceExport, { service, slices, allowedNamespaces, outcome });
    return outcome;
  };
}

/** What an export was judged by, and how. */
interface Judged {
  readonly service: IService | undefined;
  readonly slices: readonly IEndpointSlice[];
  readonly allowedNamespaces: readonly string[];
  readonly outcome: Outcome;
}

/** Objects of a store never change in place: from the very same ones comes the same, and of a thousand exports few change at a time. */
const judgedBefore = new WeakMap<IServiceExport, Judged>();

function isOfThese(before: Judged, now: Omit<Judged, 'outcome'>): boolean {
  return (
    before.service === now.service &&
    before.allowedNamespaces === now.allowedNamespaces &&
    before.slices.length === now.slices.length &&
    before.slices.every((slice, index) => slice === now.slices[index])
  );
}

interface JudgeInput {
  readonly service: IService | undefined;
  readonly slices: readonly IEndpointSlice[];
  readonly allowed: ReadonlySet<string>;
}

function judge(serviceExport: IServiceExport, { service, slices, allowed }: JudgeInput): Outcome {
  const exportRefusal = findExportRefusal(serviceExport, allowed);
  if (exportRefusal !== undefined) return { refusal: exportRefusal };
  if (service === undefined) {
    const message = `There is no Service ${formatKey(keyOf(serviceExport))}.`;
    return { refusal: { reason: 'NoService', message } };
  }
  const serviceRefusal = findServiceRefusal(service);
  if (serviceRefusal !== undefined) return { refusal: serviceRefusal };
  try {
    const { ports, ...said } = endpointsOf(service, slices);
    return withinBounds(toEntry({ serviceExport, ports, record: toRecord({ serviceExport, service, ...said }) }));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { refusal: { reason: 'InvalidService', message: describe(error) } };
  }
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
