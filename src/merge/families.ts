/** The IP families of one import (CFL-24, CFL-25). */
import type { Candidate } from './candidate.ts';

export type Families = readonly ('IPv4' | 'IPv6')[];

export interface CommonFamilies {
  readonly families: Families;
  /** Those that have nothing in common with the families of older ones: reachable by no family of the import. */
  readonly overruled: ReadonlySet<Candidate>;
}

/**
 * What all have in common, in the first one's order: every advertised family reaches every source. One that would leave nothing is
 * passed over, and conflicts.
 *
 * @param ordered - by precedence.
 */
export function intersectFamilies(ordered: readonly Candidate[]): CommonFamilies {
  const overruled = new Set<Candidate>();
  const [first, ...others] = ordered;
  let families: Families = first === undefined ? [] : familiesOf(first);
  for (const other of others) {
    const common = families.filter((family) => familiesOf(other).includes(family));
    if (common.length === 0) overruled.add(other);
    else families = common;
  }
  return { families, overruled };
}

/** A record without families comes from a peer that knows only IPv4. */
function familiesOf({ record: { ipFamilies = [] } }: Candidate): Families {
  return ipFamilies.length === 0 ? ['IPv4'] : [...new Set(ipFamilies)];
}
