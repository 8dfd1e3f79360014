/** Which changes of objects can change an import: in a cluster most Services and EndpointSlices have nothing to do with one. */
import { LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { formatKey, keyOf, type ObjectKey } from '../../api/object.ts';
import { isOurImport } from '../../merge/requests.ts';
import { onSpecChange } from '../../store/spec-changes.ts';
import { makeBackedServices } from '../../catalogue/backing.ts';
import { SERVICE_NAME_LABEL } from '../../catalogue/endpoints.ts';
import { bindingKey } from './desired.ts';
import type { ImportCaches } from './observe.ts';

const ALWAYS = ['ClusterImportRule', 'ImportRule', 'Peer', 'PeerRecords', 'ServiceExport', 'Export'] as const;

export interface ImportWatcher {
  /** Something that imports are made of may have changed. */
  onChange(): void;
  /** Of this import only what is written here has changed, or what gateways say of it: the merge would give the same. */
  onTouched(key: ObjectKey): void;
  /** Whether the ServiceImport of this name is made here, and so is no request of anybody. */
  isMadeHere(key: ObjectKey): boolean;
}

/** Calls back on each change that may matter; the results stop it. */
export function watchImports(caches: ImportCaches, watcher: ImportWatcher): readonly (() => void)[] {
  const onChange = (): void => watcher.onChange();
  const callIf = (matters: (key: ObjectKey) => boolean) => (key: ObjectKey) => {
    if (matters(key)) onChange();
  };
  return [
    ...ALWAYS.map((kind) => caches[kind].onChange(onChange)),
    onSpecChange(caches.ImportBinding, onChange),
    caches.ImportBinding.onChange((key) => {
      const binding = caches.ImportBinding.get(key);
      if (binding !== undefined) watcher.onTouched(binding.spec.import);
    }),
    caches.ServiceImport.onChange((key) => {
      const object = caches.ServiceImport.get(key);
      if (object !== undefined && isOurImport(object) && watcher.isMadeHere(key)) watcher.onTouched(key);
      else onChange();
    }),
    onImportChange(caches.Import, watcher),
    ...(caches.Namespace === undefined ? [] : [caches.Namespace.onChange(onChange)]),
    caches.Service.onChange(callIf(makeServiceFilter(caches))),
    caches.EndpointSlice.onChange(callIf(makeSliceFilter(caches))),
  ];
}

/** Labels of an Import count too: policies select on them, and one says whose Service it is. Its status is written here. */
function onImportChange(cache: ImportCaches['Import'], { onChange, onTouched }: ImportWatcher): () => void {
  const known = new Map<string, string>();
  const textOf = (key: ObjectKey): string | undefined => {
    const object = cache.get(key);
    const { uid, labels, deletionTimestamp } = object?.metadata ?? {};
    return object === undefined ? undefined : JSON.stringify([uid, labels, deletionTimestamp, object.spec]);
  };
  for (const object of cache.list()) known.set(formatKey(keyOf(object)), textOf(keyOf(object)) ?? '');
  return cache.onChange((key) => {
    const name = formatKey(key);
    const text = textOf(key);
    if (text !== undefined && known.get(name) === text) return onTouched(key);
    if (text === undefined) known.delete(name);
    else known.set(name, text);
    onChange();
  });
}

/** Exported ones, and those of imports, which were made here. */
function makeServiceFilter({ Service, ServiceExport, Export, ImportBinding }: ImportCaches) {
  const isBacking = makeBackedServices(Export);
  return (key: ObjectKey): boolean =>
    key.namespace === SYSTEM_NAMESPACE ||
    ServiceExport.get(key) !== undefined ||
    isBacking(key) ||
    Service.get(key)?.metadata?.labels?.[LABELS.managedBy] === MANAGED_BY ||
    ImportBinding.get(bindingKey(key)) !== undefined;
}

/** Those of exported Services. A slice that is gone says no more whose it was, so it is remembered. */
function makeSliceFilter({ EndpointSlice, ServiceExport, Export }: ImportCaches) {
  const isBacking = makeBackedServices(Export);
  const exported = new Set<string>();
  return (key: ObjectKey): boolean => {
    const slice = EndpointSlice.get(key);
    const text = formatKey(key);
    if (slice === undefined) return exported.delete(text);
    const service = { namespace: key.namespace, name: slice.metadata?.labels?.[SERVICE_NAME_LABEL] ?? '' };
    const matters = ServiceExport.get(service) !== undefined || isBacking(service);
    const mattered = exported.has(text);
    if (matters) exported.add(text);
    else exported.delete(text);
    return matters || mattered;
  };
}
