/** What imports need of where this peer lives (DESIGN §4): the one thing in which the homes of the import controller differ. */
import type { ConditionDraft } from '../../api/conditions.ts';
import type { MergedImport, SkipReason } from '../../merge/types.ts';

/** What a client can use of one import. */
export interface Published {
  /** The clusterset IPs. */
  readonly ips: readonly string[];
  readonly ipFamilies: readonly ('IPv4' | 'IPv6')[];
  /** Where gateways listen, by {@link portId}; empty where they listen on the addresses themselves. */
  readonly targetPorts: ReadonlyMap<string, number>;
  /** Of the ServiceImport. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Why it is there and cannot be used; tells a reason of the condition `Ready`. */
  readonly problem?: { readonly reason: string; readonly message: string };
  /** Further conditions of the ServiceImport. */
  readonly conditions?: readonly ConditionDraft[];
}

/** Why an import cannot be here: it counts as skipped by its rule, and what was there of it goes. */
export interface Refusal {
  readonly reason: SkipReason;
  readonly message: string;
}

/** By `namespace/name`. An import that is in neither map could not be brought about this time: it stays as it was. */
export interface Publication {
  readonly published: ReadonlyMap<string, Published>;
  readonly refused: ReadonlyMap<string, Refusal>;
  /** Why the others are missing, and what else went wrong. */
  readonly failures: readonly unknown[];
}

export interface ImportHome {
  /**
   * Gives every import with a clusterset IP its addresses, before anything names them, the same as before for as long as
   * can be (IMP-13). What was given to imports that are not among these may be retired.
   */
  publish(imports: readonly MergedImport[], signal: AbortSignal): Promise<Publication>;
}

/** `TCP 5432`: what tells the ports of one import apart. */
export function portId({ protocol, port }: { readonly protocol: string; readonly port: number }): string {
  return `${protocol} ${port}`;
}
