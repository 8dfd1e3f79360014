/** Everything that this peer offers, from the objects that say so: level-driven, the same output for the same objects. */
import type { IEndpointSlice } from '../api/generated/EndpointSlice.ts';
import type { IExport } from '../api/generated/Export.ts';
import type { IService } from '../api/generated/Service.ts';
import type { IServiceExport } from '../api/generated/ServiceExport.ts';
import { compareText, formatKey, keyOf, type ObjectKey } from '../api/object.ts';
import { backingOf } from './backing.ts';
import { findExportRefusal, findServiceRefusal } from './checks.ts';
import { findDefaultPort } from './default-port.ts';
import { endpointsOf, SERVICE_NAME_LABEL } from './endpoints.ts';
import { refuseUnreadable, toOutcome, type Outcome } from './entry.ts';
import { judgeExport } from './export.ts';
import { toRecord } from './record.ts';
import type { Catalogue, CatalogueInput, ExportVerdict } from './types.ts';

/**
 * Never throws: an export that cannot be offered gets a verdict, and the others are offered. Without ready endpoints an
 * export is valid all the same (EXP-18). Exports that are being deleted, or whose namespace is, count as withdrawn (EXP-21).
 */
export function buildCatalogue(input: CatalogueInput): Catalogue {
  const { serviceExports, exports = [], terminatingNamespaces: terminating } = input;
  const present = serviceExports.filter((object) => !isWithdrawn(object, terminating));
  const judgeOne = makeJudge(input, new Set(present.map((object) => formatKey(keyOf(object)))));
  const judged = [...present, ...exports.filter((object) => !isWithdrawn(object, terminating))]
    .map((object) => ({ kind: object.kind, ...keyOf(object), outcome: judgeOne(object) }))
    // Stable: the two kinds of one name stay in this order.
    .sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name));
  return {
    entries: judged.flatMap(({ outcome }) => ('entry' in outcome ? [outcome.entry] : [])),
    verdicts: judged.map(({ kind, namespace, name, outcome }): ExportVerdict => ({
      kind,
      namespace,
      name,
      ...('entry' in outcome
        ? { valid: true, reason: 'Valid', message: outcome.note ?? '' }
        : { valid: false, ...outcome.refusal }),
    })),
  };
}

function isWithdrawn({ metadata }: IServiceExport | IExport, terminating: ReadonlySet<string> | undefined): boolean {
  return metadata?.deletionTimestamp !== undefined || terminating?.has(metadata?.namespace ?? '') === true;
}

/** @param taken - `namespace/name` of the ServiceExports that are not withdrawn. */
function makeJudge(input: CatalogueInput, taken: ReadonlySet<string>) {
  const { services, endpointSlices, allowedNamespaces, forbiddenHosts } = input;
  const serviceByKey = new Map(services.map((service) => [formatKey(keyOf(service)), service]));
  const slicesByService = Map.groupBy(endpointSlices, ({ metadata }) =>
    formatKey({ namespace: metadata?.namespace ?? '', name: metadata?.labels?.[SERVICE_NAME_LABEL] ?? '' }),
  );
  const allowed = new Set(allowedNamespaces);
  const findService = (key: ObjectKey | undefined): Pick<JudgeInput, 'service' | 'slices'> =>
    key === undefined
      ? { service: undefined, slices: [] }
      : { service: serviceByKey.get(formatKey(key)), slices: slicesByService.get(formatKey(key)) ?? [] };
  return (object: IServiceExport | IExport): Outcome => {
    if (object.kind === 'ServiceExport') {
      const found = findService(keyOf(object));
      const by = [allowedNamespaces, found.service, ...found.slices];
      return judgeOnce(object, by, () => judge(object, { ...found, allowed }));
    }
    const backing = backingOf(object);
    const found = findService(backing.kind === 'service' ? backing.service : undefined);
    const name = formatKey(keyOf(object));
    const [isTaken, isForbidden] = [taken.has(name), forbiddenHosts?.has(name) === true];
    const by = [allowedNamespaces, isTaken, isForbidden, found.service, ...found.slices];
    return judgeOnce(object, by, () => judgeExport(object, { ...found, allowed, isTaken, isForbidden }));
  };
}

/** What an export was judged by, and how. */
interface Judged {
  readonly by: readonly unknown[];
  readonly outcome: Outcome;
}

/** Objects of a store never change in place: from the very same ones comes the same, and of a thousand exports few change at a time. */
const judgedBefore = new WeakMap<IServiceExport | IExport, Judged>();

function judgeOnce(object: IServiceExport | IExport, by: readonly unknown[], judgeNow: () => Outcome): Outcome {
  const before = judgedBefore.get(object);
  if (before?.by.length === by.length && by.every((part, index) => part === before.by[index])) return before.outcome;
  const outcome = judgeNow();
  judgedBefore.set(object, { by, outcome });
  return outcome;
}

interface JudgeInput {
  readonly service: IService | undefined;
  readonly slices: readonly IEndpointSlice[];
  readonly allowed: ReadonlySet<string>;
}

function judge(object: IServiceExport, { service, slices, allowed }: JudgeInput): Outcome {
  const exportRefusal = findExportRefusal(object, allowed);
  if (exportRefusal !== undefined) return { refusal: exportRefusal };
  if (service === undefined) {
    const message = `There is no Service ${formatKey(keyOf(object))}.`;
    return { refusal: { reason: 'NoService', message } };
  }
  const serviceRefusal = findServiceRefusal(service);
  if (serviceRefusal !== undefined) return { refusal: serviceRefusal };
  try {
    const { ports, ...said } = endpointsOf(service, slices);
    const { port: defaultPort, note } = findDefaultPort(object.metadata, ports);
    return toOutcome({ object, ports, record: toRecord({ object, service, ...said }), defaultPort, note });
  } catch (error) {
    return refuseUnreadable(error);
  }
}
