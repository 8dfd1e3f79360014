/** What an emulated ClusterLink peer is told: the objects of reference §2 as far as the wire shows them. */
import type { IAccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import type { IPrivilegedAccessPolicy } from '#src/api/generated/PrivilegedAccessPolicy.ts';

export type Labels = Readonly<Record<string, string>>;
export type Attributes = Readonly<Record<string, string>>;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** An Export with `spec.host`, so that no cluster DNS is asked (§10). */
export interface ExportObject {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Labels;
  readonly target: Address;
}

export interface ImportSource {
  readonly peer: string;
  /** Empty: the Import's own name, in the request only (§2.3). */
  readonly exportName: string;
  readonly exportNamespace: string;
}

export type Scheme = 'round-robin' | 'random' | 'static';

export interface ImportObject {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Labels;
  readonly lbScheme?: Scheme;
  /** Absent: any free port. */
  readonly targetPort?: number;
  readonly sources: readonly ImportSource[];
}

/** A remote peer, as the Peer object of this one names it. */
export interface PeerObject {
  readonly name: string;
  readonly gateways: readonly Address[];
}

export type PolicyObject = IAccessPolicy | IPrivilegedAccessPolicy;

/** The pod that a source address belongs to. */
export interface Workload {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels?: Labels;
}

/** `failing`: it answers 500 to everything; `away`: the data plane cannot reach it (§3.8). */
export type ControlPlaneState = 'up' | 'failing' | 'away';

/** `<namespace>/<name>`: the key of an Export or an Import here. */
export function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
