/** The words of access decisions; all values survive structured clone, so that data workers decide with them. */

/** One of the two ends of a connection, as attributes (ClusterLink's vocabulary, `ATTRIBUTES`). */
export interface Attributes {
  /** What is known. A key that is neither here nor below `unknown` is known to be absent. */
  readonly known: Readonly<Record<string, string>>;
  /** Keys, or prefixes of keys that end in '.' or '/', about which nothing is known. */
  readonly unknown: readonly string[];
}

/** One question: may `from` reach `to`? */
export interface Question {
  readonly from: Attributes;
  readonly to: Attributes;
  /** Whose AccessPolicies count: the import's namespace on egress, the export's on ingress. */
  readonly namespace: string;
}

export type PolicyKind = 'PrivilegedAccessPolicy' | 'AccessPolicy' | 'BaselineAccessPolicy';

/** The answer, and who gave it. */
export interface Decision {
  readonly allowed: boolean;
  /** Absent when no policy matched and the default (deny) decided. */
  readonly policy?: { readonly kind: PolicyKind; readonly namespace: string; readonly name: string };
}
