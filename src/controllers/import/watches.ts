/** Which changes of objects can change an import: in a cluster most Services and EndpointSlices have nothing to do with one. */
import { LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { formatKey, type ObjectKey } from '../../api/object.ts';
import { SERVICE_NAME_LABEL } from '../../catalogue/endpoints.ts';
import { bindingKey } from './desired.ts';
import type { ImportCaches } from './observe.ts';

const ALWAYS = [
  'ClusterImportRule',
  'ImportRule',
  'Peer',
  'PeerRecords',
  'ServiceExport',
  'ImportBinding',
  'ServiceImport',
] as const;

/** Calls back on each change that may matter; the results stop it. */
export function watchImports(caches: ImportCaches, onChange: () => void): readonly (() => void)[] {
  const callIf = (matters: (key: ObjectKey) => boolean) => (key: ObjectKey) => {
    if (matters(key)) onChange();
  };
  return [
    ...ALWAYS.map((kind) => caches[kind].onChange(onChange)),
    ...(caches.Namespace === undefined ? [] : [caches.Namespace.onChange(onChange)]),
    caches.Service.onChange(callIf(makeServiceFilter(caches))),
    caches.EndpointSlice.onChange(callIf(makeSliceFilter(caches))),
  ];
}

/** Exported ones, and those of imports, which were made here. */
function makeServiceFilter({ Service, ServiceExport, ImportBinding }: ImportCaches) {
  return (key: ObjectKey): boolean =>
    key.namespace === SYSTEM_NAMESPACE ||
    ServiceExport.get(key) !== undefined ||
    Service.get(key)?.metadata?.labels?.[LABELS.managedBy] === MANAGED_BY ||
    ImportBinding.get(bindingKey(key)) !== undefined;
}

/** Those of exported Services. A slice that is gone says no more whose it was, so it is remembered. */
function makeSliceFilter({ EndpointSlice, ServiceExport }: ImportCaches) {
  const exported = new Set<string>();
  return (key: ObjectKey): boolean => {
    const slice = EndpointSlice.get(key);
    const text = formatKey(key);
    if (slice === undefined) return exported.delete(text);
    const name = slice.metadata?.labels?.[SERVICE_NAME_LABEL] ?? '';
    const matters = ServiceExport.get({ namespace: key.namespace, name }) !== undefined;
    const mattered = exported.has(text);
    if (matters) exported.add(text);
    else exported.delete(text);
    return matters || mattered;
  };
}
