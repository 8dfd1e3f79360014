/** Which export goes before which in one import, and which exports an import may unite. */
import type { IImportBinding } from '../api/generated/ImportBinding.ts';
import { formatSource } from '../api/record.ts';
import { compareSources, type Candidate } from './candidate.ts';

/**
 * Exports in use first, in the order that the binding has; then by age, then by (peer, namespace, name) (CFL-06).
 *
 * By age alone, an older export that comes into sight late (a new rule, a peer that was away, a forged date) would change type,
 * ports and affinity under open connections. So what is in use stays until its own export goes (CFL-02, CFL-03): the result
 * depends on the constituents and on the binding in force, which every merge feeds back.
 */
export function orderByPrecedence(
  candidates: readonly Candidate[],
  previous: IImportBinding | undefined,
): readonly Candidate[] {
  const rank = new Map((previous?.spec.sources ?? []).map((source, index) => [formatSource(source), index]));
  const rankOf = ({ text }: Candidate): number => rank.get(text) ?? rank.size;
  return [...candidates].sort(
    (a, b) => rankOf(a) - rankOf(b) || a.bornMs - b.bornMs || compareSources(a.source, b.source),
  );
}

export interface Union {
  readonly united: readonly Candidate[];
  /** Exports of another (namespace, name), which the rule does not merge. */
  readonly others: readonly Candidate[];
}

/** The exports that have the (namespace, name) of the first: equal names of other namespaces are not the same service. */
export function splitBySource(ordered: readonly Candidate[]): Union {
  const [first] = ordered;
  const isSame = ({ source }: Candidate): boolean =>
    source.namespace === first?.source.namespace && source.name === first.source.name;
  return { united: ordered.filter(isSame), others: ordered.filter((candidate) => !isSame(candidate)) };
}
