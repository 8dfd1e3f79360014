/** What stands behind an export: a Service of its namespace, or, of a ClusterLink Export, a host. Pure. */
import type { IExport } from '../api/generated/Export.ts';
import type { IServiceExport } from '../api/generated/ServiceExport.ts';
import { formatKey, keyOf, type ObjectKey } from '../api/object.ts';

export type Backing =
  | { readonly kind: 'service'; readonly service: ObjectKey }
  /** An IP address or a DNS name. */
  | { readonly kind: 'host'; readonly host: string };

/** As the cluster's DNS names a Service. */
const SERVICE_HOST = /^(?<name>[^.]+)\.(?<namespace>[^.]+)\.svc(?:\.cluster\.local)?$/;

/**
 * The Service of the same name; of an Export, where it names no host (ClusterLink). The DNS name of a Service of the same namespace is that Service:
 * its pods may be dialled, its address could not be told from anything else. Other namespaces' names are hosts like any other.
 */
export function backingOf(object: IServiceExport | IExport): Backing {
  const key = keyOf(object);
  if (object.kind === 'ServiceExport') return { kind: 'service', service: key };
  const host = (object.spec?.host ?? '').toLowerCase();
  if (host === '') return { kind: 'service', service: key };
  const { name, namespace } = SERVICE_HOST.exec(host)?.groups ?? {};
  if (name === undefined || namespace !== key.namespace) return { kind: 'host', host };
  return { kind: 'service', service: { namespace, name } };
}

/** Tells which Services stand behind an Export; lists that have not changed are not read again. */
export function makeBackedServices(Export: { list(): readonly IExport[] }): (service: ObjectKey) => boolean {
  let seen: readonly IExport[] | undefined;
  let services: ReadonlySet<string> = new Set();
  return (service) => {
    const list = Export.list();
    // Caches give the same array until something changes.
    if (list !== seen) services = new Set(list.map(backingOf).flatMap(serviceNames));
    seen = list;
    return services.has(formatKey(service));
  };
}

function serviceNames(backing: Backing): string[] {
  return backing.kind === 'service' ? [formatKey(backing.service)] : [];
}
