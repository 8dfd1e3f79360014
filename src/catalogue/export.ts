/** Whether a ClusterLink Export may be offered, and as what: one TCP port without a name (clusterlink.md §1.3, §2.2). */
import type { IEndpointSlice } from '../api/generated/EndpointSlice.ts';
import type { IExport } from '../api/generated/Export.ts';
import type { IService } from '../api/generated/Service.ts';
import { formatKey, keyOf, type ObjectKey } from '../api/object.ts';
import { exportProblems } from '../api/validation/export.ts';
import { formatPath } from '../api/validation/finding.ts';
import { findAnnotationProblem } from './annotations.ts';
import { backingOf } from './backing.ts';
import { findPlaceRefusal, findServiceRefusal, type Refusal } from './checks.ts';
import { listPorts } from './default-port.ts';
import { endpointsOf } from './endpoints.ts';
import { refuseUnreadable, toOutcome, type Outcome } from './entry.ts';
import { portsOf, toRecord } from './record.ts';

export interface ExportSurroundings {
  /** The Service behind it, if it has one. */
  readonly service: IService | undefined;
  readonly slices: readonly IEndpointSlice[];
  readonly allowed: ReadonlySet<string>;
  /** There is a ServiceExport of its name. */
  readonly isTaken: boolean;
  /** Its host is no permitted target. */
  readonly isForbidden: boolean;
}

export function judgeExport(object: IExport, surroundings: ExportSurroundings): Outcome {
  const refusal = findRefusal(object, surroundings);
  if (refusal !== undefined) return { refusal };
  const backing = backingOf(object);
  return backing.kind === 'host'
    ? offerHost(object, { host: backing.host, isForbidden: surroundings.isForbidden })
    : offerService(object, { ...surroundings, key: backing.service });
}

function findRefusal(object: IExport, { allowed, isTaken }: ExportSurroundings): Refusal | undefined {
  const name = formatKey(keyOf(object));
  if (isTaken) {
    const message = `ServiceExport ${name} has this name already, and counts. Fix: delete one of the two, or rename the Export.`;
    return { reason: 'NameTaken', message };
  }
  const place = findPlaceRefusal(object, allowed);
  if (place !== undefined) return place;
  const [problem] = exportProblems({ ...object });
  const message =
    problem === undefined
      ? findAnnotationProblem('Export', object.metadata)
      : `${formatPath(problem.path)}: ${problem.message}. Fix: ${problem.fix}`;
  return message === undefined ? undefined : { reason: 'InvalidExport', message };
}

/** One endpoint, which is resolved and filtered when it is dialled; none while it is no permitted target. */
function offerHost(object: IExport, target: { readonly host: string; readonly isForbidden: boolean }): Outcome {
  const port = object.spec?.port ?? 0;
  const endpoints = target.isForbidden ? [] : [{ host: target.host, port }];
  // Of a valid host, which is an address or a DNS name, only an IPv6 address has a colon. A name is IPv4 until it is resolved.
  const ipFamilies: ('IPv4' | 'IPv6')[] = [target.host.includes(':') ? 'IPv6' : 'IPv4'];
  const service: IService = { apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port }], ipFamilies } };
  return toOutcome({
    object,
    record: toRecord({ object, service, readyEndpoints: endpoints.length, hostnames: [] }),
    ports: [{ name: '', protocol: 'TCP', port, endpoints }],
    defaultPort: port,
  });
}

interface ServiceSurroundings extends Pick<ExportSurroundings, 'service' | 'slices'> {
  readonly key: ObjectKey;
}

/** The Service's endpoints for that port, as a ServiceExport would have them; of its other ports nothing is said. */
function offerService(object: IExport, { key, service, slices }: ServiceSurroundings): Outcome {
  const port = object.spec?.port ?? 0;
  if (service === undefined) {
    const message = `There is no Service ${formatKey(key)}. Fix: create it, or say in spec.host where the port is.`;
    return { refusal: { reason: 'NoService', message } };
  }
  const offered = service.spec?.ports?.find((candidate) => candidate.port === port && isTcp(candidate));
  const isExternal = service.spec?.type === 'ExternalName';
  if (offered === undefined && !isExternal) {
    const message = `Service ${formatKey(key)} has no TCP port ${port}, it has ${listPorts(portsOf(service))}. Fix: correct spec.port.`;
    return { refusal: { reason: 'NoPort', message } };
  }
  // Headless or not, an Export is one address and one port without a name to its importers.
  const ports = [{ ...(offered ?? { port }), name: '' }];
  const narrowed: IService = { ...service, spec: { ...service.spec, clusterIP: '', ports } };
  const refusal = findServiceRefusal(narrowed);
  if (refusal !== undefined) return { refusal };
  try {
    const found = endpointsOf(service, slices).ports.find((candidate) => candidate.port === port && isTcp(candidate));
    const endpoints = found?.endpoints ?? [];
    return toOutcome({
      object,
      record: toRecord({ object, service: narrowed, readyEndpoints: endpoints.length, hostnames: [] }),
      ports: [{ name: '', protocol: 'TCP', port, endpoints }],
      defaultPort: port,
    });
  } catch (error) {
    return refuseUnreadable(error);
  }
}

function isTcp({ protocol = 'TCP' }: { readonly protocol?: string }): boolean {
  return protocol === 'TCP';
}
