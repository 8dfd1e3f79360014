/** Least disclosure (DESIGN §3.3): a record goes only to peers that some policy could admit. Pure. */
import type { ExportRecord } from '../api/record.ts';
import type { CatalogueEntry } from '../catalogue/types.ts';
import { exportAttributes, workloadAttributes } from '../policy/attributes.ts';
import type { PolicySet } from '../policy/compile.ts';
import { couldAdmit } from '../policy/decide.ts';

export interface DisclosureInput {
  /** The peer that asks, as the local Peer object describes it. */
  readonly peer: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly self: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly entries: readonly CatalogueEntry[];
  readonly policies: PolicySet;
}

/** The records this peer may see: whatever is not provably denied to every workload of it. */
export function visibleRecords({ peer, self, entries, policies }: DisclosureInput): ExportRecord[] {
  const from = workloadAttributes({ peer: peer.name, peerLabels: peer.labels });
  return entries
    .filter(({ exportTo }) => exportTo === undefined || exportTo.includes(peer.name))
    .filter(({ namespace, name, labels }) => {
      const to = exportAttributes({ peer: self.name, peerLabels: self.labels, namespace, name, labels });
      return couldAdmit(policies, { from, to, namespace });
    })
    .map(({ record }) => record);
}
