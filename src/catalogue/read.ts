/** The catalogue of what lists of objects hold now: caches have this shape, and so have plain arrays with a `list`. Pure. */
import type { IEndpointSlice } from '../api/generated/EndpointSlice.ts';
import type { IExport } from '../api/generated/Export.ts';
import type { INamespace } from '../api/generated/Namespace.ts';
import type { IService } from '../api/generated/Service.ts';
import type { IServiceExport } from '../api/generated/ServiceExport.ts';
import { buildCatalogue } from './build.ts';
import type { Catalogue } from './types.ts';

export interface CatalogueSources {
  readonly ServiceExport: { list(): readonly IServiceExport[] };
  readonly Export: { list(): readonly IExport[] };
  readonly Service: { list(): readonly IService[] };
  readonly EndpointSlice: { list(): readonly IEndpointSlice[] };
  /** In Kubernetes only. */
  readonly Namespace?: { list(): readonly INamespace[] };
  /** `namespace/name` of Exports whose host is no permitted target; standalone, that is seen when it is dialled. */
  readonly forbiddenHosts?: ReadonlySet<string>;
}

/** The kinds that a catalogue is made of: whoever keeps one watches these. */
export const CATALOGUE_KINDS = [
  'ServiceExport',
  'Export',
  'Service',
  'EndpointSlice',
] as const satisfies (keyof CatalogueSources)[];

export function readCatalogue(sources: CatalogueSources, allowedNamespaces: readonly string[]): Catalogue {
  return buildCatalogue({
    serviceExports: sources.ServiceExport.list(),
    exports: sources.Export.list(),
    ...(sources.forbiddenHosts === undefined ? {} : { forbiddenHosts: sources.forbiddenHosts }),
    services: sources.Service.list(),
    endpointSlices: sources.EndpointSlice.list(),
    allowedNamespaces,
    terminatingNamespaces: terminatingNamespaces(sources.Namespace?.list() ?? []),
  });
}

/** Not a spread of caches: they are objects with getters. */
export function pickSources(sources: CatalogueSources): CatalogueSources {
  const { ServiceExport, Export, Service, EndpointSlice, Namespace } = sources;
  return { ServiceExport, Export, Service, EndpointSlice, ...(Namespace === undefined ? {} : { Namespace }) };
}

/** Objects can go from these, and no new ones can come (IMP-06). */
export function isTerminating({ metadata, status }: INamespace): boolean {
  return metadata?.deletionTimestamp !== undefined || status?.phase === 'Terminating';
}

export function terminatingNamespaces(namespaces: readonly INamespace[]): ReadonlySet<string> {
  return new Set(namespaces.filter(isTerminating).map(({ metadata }) => metadata?.name ?? ''));
}
