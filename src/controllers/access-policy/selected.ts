/** What policies select now: how many of the exports and imports that their `to` could speak of. Pure. */
import type { IExport } from '../../api/generated/Export.ts';
import type { IImportBinding } from '../../api/generated/ImportBinding.ts';
import type { IPeer } from '../../api/generated/Peer.ts';
import type { IServiceExport } from '../../api/generated/ServiceExport.ts';
import { findCondition } from '../../api/conditions.ts';
import { keyOf } from '../../api/object.ts';
import { exportAttributes } from '../../policy/attributes.ts';
import { matchSelector, type Selector } from '../../policy/selector.ts';
import type { Attributes } from '../../policy/types.ts';

type Labels = Readonly<Record<string, string>>;

/** One export of this peer, or one import with what its sources are for egress decisions. */
export interface Target {
  readonly kind: 'export' | 'import';
  readonly namespace: string;
  readonly services: readonly Attributes[];
}

export interface TargetsInput {
  readonly self: { readonly name: string; readonly labels: Labels };
  readonly exports: readonly (IServiceExport | IExport)[];
  readonly imports: readonly IImportBinding[];
  readonly peers: readonly IPeer[];
}

/** Those of each namespace: an AccessPolicy speaks of its own alone. Exports that are not valid are offered to nobody. */
export function targetsByNamespace({
  self,
  exports,
  imports,
  peers,
}: TargetsInput): ReadonlyMap<string, readonly Target[]> {
  const labels = new Map<string, Labels>(peers.map(({ metadata }) => [metadata?.name ?? '', metadata?.labels ?? {}]));
  labels.set(self.name, self.labels);
  const own = { peer: self.name, peerLabels: self.labels };
  const targets: Target[] = [
    ...exports.filter(isValid).map((object): Target => {
      const key = keyOf(object);
      const service = exportAttributes({ ...own, ...key, labels: object.metadata?.labels ?? {} });
      return { kind: 'export', namespace: key.namespace, services: [service] };
    }),
    ...imports.map(({ spec }): Target => ({
      kind: 'import',
      namespace: spec.import.namespace,
      services: spec.sources.map(({ peer, namespace, name }) =>
        exportAttributes({ peer, peerLabels: labels.get(peer) ?? {}, namespace, name, labels: spec.labels ?? {} }),
      ),
    })),
  ];
  return Map.groupBy(targets, ({ namespace }) => namespace);
}

function isValid({ kind, status }: IServiceExport | IExport): boolean {
  const type = kind === 'Export' ? 'ExportValid' : 'Valid';
  return findCondition(status?.conditions, type)?.status === 'True';
}

export interface Selected {
  readonly exports: number;
  readonly imports: number;
}

/** How many of these some item of a policy's `to` selects; an import counts when one of its sources is. */
export function countSelected(
  to: readonly { readonly workloadSelector?: Selector }[],
  targets: Iterable<readonly Target[]>,
): Selected {
  const count = { exports: 0, imports: 0 };
  const isSelected = (service: Attributes): boolean =>
    to.some(({ workloadSelector: selector }) => selector !== undefined && matchSelector(selector, service) === 'match');
  for (const { kind, services } of [...targets].flat()) {
    if (services.some(isSelected)) count[kind === 'export' ? 'exports' : 'imports']++;
  }
  return count;
}
