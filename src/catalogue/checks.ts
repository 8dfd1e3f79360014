/** Whether an export may be offered (EXP-08 to EXP-10, NSS-03), told by the condition `Valid`. */
import type { IExport } from '../api/generated/Export.ts';
import type { IService } from '../api/generated/Service.ts';
import type { IServiceExport } from '../api/generated/ServiceExport.ts';
import { isLabel, isRestrictedNamespace, LABELS, MANAGED_BY } from '../api/names.ts';
import { keyOf } from '../api/object.ts';
import { findAnnotationProblem } from './annotations.ts';
import { isHeadless, portsOf } from './record.ts';
import {
  AFFINITY_TIMEOUT_MAX_SECONDS,
  APP_PROTOCOL_CHARS_MAX,
  EXPORT_PORTS_MAX,
  EXPORTED_KEYS_MAX,
  EXPORTED_VALUE_CHARS_MAX,
  TRAFFIC_DISTRIBUTION_CHARS_MAX,
} from './limits.ts';
import type { ExportVerdict } from './types.ts';

/** Why an export is not offered. */
export interface Refusal {
  readonly reason: Exclude<ExportVerdict['reason'], 'Valid'>;
  /** For people: what is wrong, and what to do. */
  readonly message: string;
}

/** What is wrong with the export itself. */
export function findExportRefusal(
  serviceExport: IServiceExport,
  allowedNamespaces: ReadonlySet<string>,
): Refusal | undefined {
  const message = findExportProblem(serviceExport);
  return (
    findPlaceRefusal(serviceExport, allowedNamespaces) ??
    (message === undefined ? undefined : { reason: 'InvalidExport', message })
  );
}

/** What is wrong with its name and namespace, of either kind. */
export function findPlaceRefusal(
  object: IServiceExport | IExport,
  allowedNamespaces: ReadonlySet<string>,
): Refusal | undefined {
  const { namespace } = keyOf(object);
  // ClusterLink's samples live in `default`: an Export is one port that somebody wrote out, and no wildcard reaches it (ADR 21).
  const isWrittenOut = object.kind === 'Export' && namespace === 'default';
  if (isRestrictedNamespace(namespace) && !isWrittenOut && !allowedNamespaces.has(namespace)) {
    const message = `Namespace ${namespace} is restricted. Fix: an administrator can list it in the configuration.`;
    return { reason: 'RestrictedNamespace', message };
  }
  const message = findNameProblem(object);
  return message === undefined ? undefined : { reason: 'InvalidExport', message };
}

/** What is wrong with its Service. */
export function findServiceRefusal(service: IService): Refusal | undefined {
  if (service.spec?.type === 'ExternalName') {
    return { reason: 'InvalidServiceType', message: 'A Service of type ExternalName cannot be exported.' };
  }
  // It would be exported and imported in a circle: an import is never a source (DESIGN §7).
  if (service.metadata?.labels?.[LABELS.managedBy] === MANAGED_BY) {
    return { reason: 'InvalidService', message: 'The Service stands for an import. Fix: export it where it runs.' };
  }
  const message =
    findPortProblem(service) ?? findSettingProblem(service) ?? findAnnotationProblem('Service', service.metadata);
  return message === undefined ? undefined : { reason: 'InvalidService', message };
}

function findNameProblem({ metadata }: IServiceExport | IExport): string | undefined {
  if (!isLabel(metadata?.namespace ?? '') || !isLabel(metadata?.name ?? '')) {
    return 'Its name and namespace must be RFC 1123 labels: they become parts of a DNS name.';
  }
  if (Number.isNaN(Date.parse(metadata?.creationTimestamp ?? '')) || !metadata?.uid) {
    return 'It has no uid or no creationTimestamp yet: the store gives them.';
  }
  return undefined;
}

function findExportProblem({ metadata, spec }: IServiceExport): string | undefined {
  return (
    findAnnotationProblem('ServiceExport', metadata) ??
    findMapProblem('exportedLabels', spec?.exportedLabels) ??
    findMapProblem('exportedAnnotations', spec?.exportedAnnotations)
  );
}

function findMapProblem(field: string, map: Readonly<Record<string, string>> = {}): string | undefined {
  const values = Object.values(map);
  if (values.length > EXPORTED_KEYS_MAX) return `spec.${field} has more than ${EXPORTED_KEYS_MAX} keys.`;
  if (values.every((value) => isPrintable(value, EXPORTED_VALUE_CHARS_MAX))) return undefined;
  return `A value in spec.${field} has control characters or is longer than ${EXPORTED_VALUE_CHARS_MAX} characters.`;
}

function findPortProblem(service: IService): string | undefined {
  const ports = portsOf(service);
  const names = new Set(ports.map(({ name }) => name));
  const numbers = new Set(ports.map(({ protocol, port }) => `${protocol}/${port}`));
  if (ports.length === 0 && !isHeadless(service)) return 'The Service has no ports.';
  if (ports.length > EXPORT_PORTS_MAX) return `The Service has more than ${EXPORT_PORTS_MAX} ports.`;
  if (ports.length > 1 && names.has('')) return 'A Service of several ports must name each of them.';
  if (![...names].every((name) => name === '' || isLabel(name))) return 'A port name is not an RFC 1123 label.';
  if (names.size < ports.length) return 'Two ports of the Service have one name.';
  if (numbers.size < ports.length) return 'Two ports of the Service have one protocol and number.';
  if (ports.every(({ port }) => Number.isInteger(port) && port >= 1 && port <= 65_535)) return undefined;
  return 'A port of the Service is not a number from 1 to 65535.';
}

/** The rest of what a record carries, as Kubernetes and importers bound it. */
function findSettingProblem(service: IService): string | undefined {
  const { trafficDistribution = '', sessionAffinityConfig } = service.spec ?? {};
  const timeoutSeconds = sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_TIMEOUT_MAX_SECONDS;
  if (!Number.isInteger(timeoutSeconds) || timeoutSeconds < 1 || timeoutSeconds > AFFINITY_TIMEOUT_MAX_SECONDS) {
    return `The affinity timeout of the Service is not from 1 to ${AFFINITY_TIMEOUT_MAX_SECONDS} seconds.`;
  }
  if (!isPrintable(trafficDistribution, TRAFFIC_DISTRIBUTION_CHARS_MAX)) return 'trafficDistribution cannot be read.';
  const isReadable = portsOf(service).every(({ appProtocol = '' }) => isPrintable(appProtocol, APP_PROTOCOL_CHARS_MAX));
  return isReadable ? undefined : 'An appProtocol of the Service cannot be read.';
}

/** Importers refuse control characters: values end in logs, files and terminals of another owner. */
function isPrintable(value: string, charsMax: number): boolean {
  return value.length <= charsMax && !/[\p{Cc}\p{Cs}]/u.test(value);
}
