/**
 * Which changes of objects can change the catalogue. In a cluster most Services and EndpointSlices are of nobody's export, and each
 * of them changes whenever one of its pods does.
 */
import type { IEndpointSlice } from '../api/generated/EndpointSlice.ts';
import type { IExport } from '../api/generated/Export.ts';
import { formatKey, keyOf, type ObjectKey } from '../api/object.ts';
import { makeBackedServices } from './backing.ts';
import { SERVICE_NAME_LABEL } from './endpoints.ts';

interface Followed {
  onChange(listener: (key: ObjectKey) => void): () => void;
}

/** Caches have this shape. */
export interface CatalogueCaches {
  readonly ServiceExport: Followed & { get(key: ObjectKey): unknown };
  readonly Export: Followed & { list(): readonly IExport[] };
  readonly Service: Followed;
  readonly EndpointSlice: Followed & {
    get(key: ObjectKey): IEndpointSlice | undefined;
    list(): readonly IEndpointSlice[];
  };
}

/** Calls back on each change that may matter; the result stops it. */
export function onCatalogueChange(caches: CatalogueCaches, listener: () => void): () => void {
  const { ServiceExport, Export, Service, EndpointSlice } = caches;
  const isBacking = makeBackedServices(Export);
  const isExported = (key: ObjectKey): boolean => ServiceExport.get(key) !== undefined || isBacking(key);
  /** Text of a slice's key -> its Service: a slice that is gone says no more whose it was. */
  const serviceBySlice = new Map<string, ObjectKey>();
  for (const slice of EndpointSlice.list()) serviceBySlice.set(formatKey(keyOf(slice)), serviceOf(slice));

  function onSlice(key: ObjectKey): void {
    const text = formatKey(key);
    const before = serviceBySlice.get(text);
    const slice = EndpointSlice.get(key);
    const after = slice === undefined ? undefined : serviceOf(slice);
    if (after === undefined) serviceBySlice.delete(text);
    else serviceBySlice.set(text, after);
    const services = [before, after].filter((service) => service !== undefined);
    if (services.some(isExported)) listener();
  }

  const stops = [
    ServiceExport.onChange(listener),
    Export.onChange(listener),
    Service.onChange((key) => {
      if (isExported(key)) listener();
    }),
    EndpointSlice.onChange(onSlice),
  ];
  return () => stops.forEach((stop) => stop());
}

function serviceOf({ metadata }: IEndpointSlice): ObjectKey {
  return { namespace: metadata?.namespace ?? '', name: metadata?.labels?.[SERVICE_NAME_LABEL] ?? '' };
}
