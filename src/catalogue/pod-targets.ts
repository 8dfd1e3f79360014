/**
 * Which endpoints of exports count in a cluster (DESIGN §7): live pods of the export's own namespace, and what an administrator
 * lists. Applied to what a catalogue is made of, so that every replica, and what peers are told, agree. Pure.
 *
 * Whoever writes a Service, its annotation or an EndpointSlice must not thereby reach a node, the API server, or somebody
 * else's pods through the gateway.
 */
import type { EndpointSliceEndpoint, EndpointSlicePort, IEndpointSlice } from '../api/generated/EndpointSlice.ts';
import type { IService } from '../api/generated/Service.ts';
import { ANNOTATIONS } from '../api/names.ts';
import { compareText, formatKey, keyOf } from '../api/object.ts';
import { parseEndpointsAnnotation } from '../api/validation/endpoints.ts';
import { backingOf } from './backing.ts';
import { SERVICE_NAME_LABEL } from './endpoints.ts';
import { pickSources, type CatalogueSources } from './read.ts';

/** One address that an export names, as a target of a connection. */
export interface ExportTarget {
  /** Of the export. */
  readonly namespace: string;
  readonly host: string;
  readonly port: number;
}

export interface RestrictedSources {
  readonly sources: CatalogueSources;
  /** By `namespace/name` of the export: for people, what was left out and what mends it. */
  readonly forbidden: ReadonlyMap<string, string>;
  /** Every host that was asked about: whether other pods matter is seen from it. */
  readonly hosts: ReadonlySet<string>;
}

/** What narrows the endpoints of exports in a cluster; standalone, the configuration's targets do so at the dial. */
export interface TargetRestriction {
  restrict(sources: CatalogueSources): RestrictedSources;
  /** Calls back when the same sources could now give something else; the result stops it. */
  onChange(listener: () => void): () => void;
}

/** Targets named in one message. */
const NAMED_TARGETS = 3;

export interface TargetRules {
  /** By pods and by the administrator's list. */
  isAllowed(target: ExportTarget): boolean;
}

export function restrictSources(sources: CatalogueSources, { isAllowed }: TargetRules): RestrictedSources {
  const taken = new Set(sources.ServiceExport.list().map((object) => formatKey(keyOf(object))));
  const exportsByService = groupByService(sources, taken);
  const slices = sources.EndpointSlice.list();
  const hosts = new Set<string>();
  /** By the `namespace/name` of the Service. */
  const left = new Map<string, Set<string>>();
  /** By that of the Export that names a host. */
  const leftHosts = new Map<string, Set<string>>();

  function permits(key: string, target: ExportTarget, at = left): boolean {
    hosts.add(target.host);
    if (isAllowed(target)) return true;
    at.set(key, (at.get(key) ?? new Set()).add(`${target.host}:${target.port}`));
    return false;
  }

  const restrictedSlices = slices.flatMap((slice) => {
    const key = serviceOf(slice);
    return exportsByService.has(key) ? restrictSlice(slice, (target) => permits(key, target)) : [];
  });
  const services = sources.Service.list().map((service) => {
    const key = formatKey(keyOf(service));
    return exportsByService.has(key) ? restrictService(service, (target) => permits(key, target)) : service;
  });
  for (const object of sources.Export.list()) {
    const backing = backingOf(object);
    const { namespace } = keyOf(object);
    if (backing.kind === 'service') continue;
    permits(formatKey(keyOf(object)), { namespace, host: backing.host, port: object.spec?.port ?? 0 }, leftHosts);
  }
  const leftServices = [...left].flatMap(([service, targets]) =>
    [...(exportsByService.get(service) ?? [])].map((key) => [key, targets] as const),
  );
  return {
    sources: {
      ...pickSources(sources),
      forbiddenHosts: new Set(leftHosts.keys()),
      Service: { list: () => services },
      EndpointSlice: { list: () => restrictedSlices },
    },
    forbidden: new Map(
      [...[...leftHosts].filter(([key]) => !taken.has(key)), ...leftServices].map(([key, targets]) => [
        key,
        explain(key, [...targets].sort(compareText)),
      ]),
    ),
    hosts,
  };
}

/**
 * Every Service that an export leads to, and the `namespace/name` of those exports. Of an Export whose name a ServiceExport has taken
 * nothing is told under that name.
 */
function groupByService(
  { Export }: CatalogueSources,
  taken: ReadonlySet<string>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const exportsByService = new Map<string, Set<string>>();
  for (const key of taken) exportsByService.set(key, new Set([key]));
  for (const object of Export.list()) {
    const backing = backingOf(object);
    if (backing.kind === 'host') continue;
    const [service, key] = [formatKey(backing.service), formatKey(keyOf(object))];
    const keys = exportsByService.get(service) ?? new Set();
    exportsByService.set(service, taken.has(key) ? keys : keys.add(key));
  }
  return exportsByService;
}

function serviceOf({ metadata }: IEndpointSlice): string {
  return formatKey({ namespace: metadata?.namespace ?? '', name: metadata?.labels?.[SERVICE_NAME_LABEL] ?? '' });
}

/** An address may be listed at one port and not at another: where they differ, each port gets a slice of its own. */
function restrictSlice(slice: IEndpointSlice, permits: (target: ExportTarget) => boolean): IEndpointSlice[] {
  const namespace = slice.metadata?.namespace ?? '';
  const { ports = [], endpoints } = slice;
  const keptAt = ({ port }: EndpointSlicePort): EndpointSliceEndpoint[] =>
    endpoints.filter(({ addresses: [host] }) => {
      return host !== undefined && port !== undefined && permits({ namespace, host, port });
    });
  const byPort = ports.map((port) => ({ port, kept: keptAt(port) }));
  if (byPort.every(({ kept }) => kept.length === endpoints.length)) return [slice];
  return byPort.map(({ port, kept }) => ({ ...slice, ports: [port], endpoints: kept }));
}

/** The annotation counts where all that it names is allowed; else the slices do, as if it were not there. */
function restrictService(service: IService, permits: (target: ExportTarget) => boolean): IService {
  const { [ANNOTATIONS.endpoints]: text, ...annotations } = service.metadata?.annotations ?? {};
  if (text === undefined) return service;
  const namespace = service.metadata?.namespace ?? '';
  const targets = readAnnotation(text);
  // One that cannot be read stays: the export is then invalid, and says why.
  if (targets === undefined) return service;
  const permitted = targets.filter(({ host, port }) => permits({ namespace, host, port }));
  return permitted.length === targets.length ? service : { ...service, metadata: { ...service.metadata, annotations } };
}

function readAnnotation(text: string): readonly { readonly host: string; readonly port: number }[] | undefined {
  try {
    return parseEndpointsAnnotation(text).flatMap(({ endpoints }) => endpoints);
  } catch {
    return undefined;
  }
}

function explain(key: string, targets: readonly string[]): string {
  const [namespace = ''] = key.split('/');
  const more = targets.length > NAMED_TARGETS ? ` and ${targets.length - NAMED_TARGETS} more` : '';
  return (
    `Left out of ${key}: ${targets.slice(0, NAMED_TARGETS).join(', ')}${more}: not the address of one live pod of namespace ` +
    `${namespace}, nor listed. Fix: name a Service that selects pods, or add it to exports.targets in the configuration.`
  );
}
