/**
 * What the control part and the data plane say to each other: only values that survive structured clone, so that the data
 * plane may share the process or be a worker of its own.
 *
 * State goes down as whole, versioned snapshots, acknowledged when in force; observations and closing records come up.
 */
import type { ImportBindingSpecLoadBalancing, ImportBindingStatusListener } from '../api/generated/ImportBinding.ts';
import type { ObjectKey } from '../api/object.ts';
import type { Reason } from '../api/reasons.ts';
import type { SourceKey } from '../api/record.ts';
import type { CatalogueEntry } from '../catalogue/types.ts';
import type { RevokedSerials } from '../fabric/revoked-serials.ts';
import type { PolicySet } from '../policy/compile.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { EjectionChange } from './ejection.ts';
import type { LimitUsage } from './peer-bounds.ts';
import type { FastPath } from './slabs/user-buffer.ts';

/** What a peer may say about its own workloads and be believed (annotation `mcs.clusterlink.net/may-assert`). */
export type Assertable = 'namespace' | 'service-account' | 'labels';

export interface PeerRoute {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Where it is dialled, in order; empty means that it dials us. */
  readonly gateways: readonly { readonly host: string; readonly port: number }[];
  readonly mayAssert: readonly Assertable[];
  /** The roots that alone vouch for it, as its annotation has them, readable or not; absent: those of the fabric. */
  readonly roots?: string;
}

export interface RoutePort {
  readonly name: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
  /** In a cluster: where gateways listen for it, behind the derived Service. */
  readonly targetPort?: number;
  /** Where the listener was before, when it could not have the port itself. */
  readonly lastListenPort?: number;
}

export interface RouteSource extends SourceKey {
  /** Ports of the import that this source really has. */
  readonly ports: readonly number[];
  /** What those of them are called at the source that have another number there. */
  readonly portsThere?: Readonly<Record<number, number>>;
  readonly readyEndpoints: number;
  /** Lower goes before; absent: 0. */
  readonly priority?: number;
  /** Its share among those of its priority; 0: only while no other of these can be used; absent: 1. */
  readonly weight?: number;
}

/** How one of several sources is chosen for a connection. */
export type Scheme = NonNullable<ImportBindingSpecLoadBalancing['scheme']>;

export interface ImportRoute {
  readonly key: ObjectKey;
  readonly ips: readonly string[];
  readonly ports: readonly RoutePort[];
  /** In order of precedence; with `Static` in that of the rule. */
  readonly sources: readonly RouteSource[];
  /** Labels of the import: as far as the local rule lets labels of exports in. Egress policies select on them. */
  readonly labels: Readonly<Record<string, string>>;
  readonly localFirst: boolean;
  /** Absent: `RoundRobin`. */
  readonly scheme?: Scheme;
  /** How long a client stays with a source after its last connection; absent: it need not. */
  readonly affinityTimeoutSeconds?: number;
  /** `Off`: nothing of a client is sent before its source has answered. Absent: what it sends at once goes with the request. */
  readonly earlyData?: 'Off';
}

export type ExportRoute = Omit<CatalogueEntry, 'record'> & {
  /** Connections of one client go to one endpoint. */
  readonly affinity?: 'ClientIP';
  /** Why endpoints that it names are not among its endpoints (`TARGET_FORBIDDEN`). */
  readonly forbidden?: string;
};

/** Everything a data plane needs to decide and to dial. */
export interface GatewaySnapshot {
  readonly version: number;
  readonly peers: readonly PeerRoute[];
  readonly imports: readonly ImportRoute[];
  readonly exports: readonly ExportRoute[];
  readonly policies: PolicySet;
  /** What revocation lists say that are in force; absent: nothing. */
  readonly revoked?: readonly RevokedSerials[];
}

export interface LimitsReport {
  readonly usages: readonly LimitUsage[];
  /** What is held in memory, by peer. */
  readonly bufferedBytes: readonly (readonly [peer: string, bytes: number])[];
  readonly bufferedBytesTotal: number;
}

/** One exchange stream with one peer, numbered by the side of the channel that opened it. */
export interface ExchangeRef {
  readonly peer: string;
  readonly channel: string;
}

export type DownMessage =
  | { readonly kind: 'snapshot'; readonly snapshot: GatewaySnapshot }
  /** In a cluster: who has which address. The first one is full, the others are changes. */
  | {
      readonly kind: 'clients';
      readonly full: boolean;
      readonly set: readonly (readonly [address: string, identity: ClientIdentity])[];
      readonly remove: readonly string[];
    }
  /** Certificate, key or roots of this peer were replaced. */
  | { readonly kind: 'identity-changed' }
  | ({ readonly kind: 'exchange-open' } & ExchangeRef)
  | ({ readonly kind: 'exchange-line'; readonly line: unknown } & ExchangeRef)
  /** One received line was digested: the next may come. */
  | ({ readonly kind: 'exchange-consumed' } & ExchangeRef)
  | ({ readonly kind: 'exchange-close' } & ExchangeRef)
  | {
      readonly kind: 'probe';
      readonly id: string;
      /** On whose behalf. */
      readonly client: ClientIdentity;
      readonly source: SourceKey;
      readonly port: number;
      readonly mode: 'decide' | 'dial';
    }
  /** What would be cut if these were the policies; nothing is. */
  | { readonly kind: 'foresee'; readonly id: string; readonly policies: PolicySet }
  | {
      readonly kind: 'drain';
      /** From now: what is open then is cut. */
      readonly deadlineMs: number;
      /**
       * The drain is over when nothing has been open for as long, or as long after the deadline. Until then new connections are
       * served; 0: none are from now on.
       */
      readonly quietMs: number;
      /** Other workers have its listeners: it closes those of imports now, and goes on for what has come. */
      readonly replaced?: boolean;
    }
  /** Other workers take its place: it takes no further callers, and tells peers to dial anew. A `drain` follows. */
  | { readonly kind: 'retire'; readonly deadlineMs: number };

export type UpMessage =
  | { readonly kind: 'acknowledged'; readonly version: number }
  | { readonly kind: 'listening'; readonly address: string }
  /** How its sockets are read, once at its start. */
  | { readonly kind: 'fast-path'; readonly state: FastPath }
  | { readonly kind: 'peer'; readonly peer: PeerObservation }
  | { readonly kind: 'import'; readonly import: ImportObservation }
  | { readonly kind: 'ejection'; readonly change: EjectionChange }
  | ({ readonly kind: 'opened' } & ConnectionSubject)
  | { readonly kind: 'closed'; readonly record: ClosingRecord }
  | { readonly kind: 'refused'; readonly reason: Reason; readonly from: string }
  /** How near the bounds of each peer, and of all together, are; on change. */
  | { readonly kind: 'limits'; readonly limits: LimitsReport }
  /** Every tunnel has ended, or was cut at the deadline. */
  | { readonly kind: 'drained' }
  | ({ readonly kind: 'exchange-opened'; readonly side: 'client' | 'server' } & ExchangeRef)
  | ({ readonly kind: 'exchange-line'; readonly line: unknown } & ExchangeRef)
  /** One line of ours is on its way: the next may come. */
  | ({ readonly kind: 'exchange-sent' } & ExchangeRef)
  | ({ readonly kind: 'exchange-closed'; readonly reason: string } & ExchangeRef)
  | { readonly kind: 'probed'; readonly id: string; readonly outcome: ProbeOutcome }
  | { readonly kind: 'foreseen'; readonly id: string; readonly foresight: Foresight };

/** What another set of policies would make of connections; nothing is cut. */
export interface Foresight {
  /** Connections open when it was asked. */
  readonly open: number;
  /** Those that would be cut: `FORESEEN_TOLD_MAX` of them at most. */
  readonly cuts: readonly ForeseenCut[];
  readonly cutsTotal: number;
  /** Open ones that were not asked, since the time was over. */
  readonly unasked: number;
  /** Of the last refusals by a decision of this peer: which connections it would let pass. */
  readonly admissions: readonly ConnectionSubject[];
}

export interface ForeseenCut extends ConnectionSubject {
  /** Where a local client connected from. */
  readonly client?: string;
  readonly reason: Reason;
  readonly message: string;
}

/** How a peer stands; sent on every change. */
export interface PeerObservation {
  readonly name: string;
  readonly sessions: number;
  /** Version and features of its gateway as it said, while a session is open. */
  readonly version?: string;
  /** When the certificate in its session ends: RFC 3339. */
  readonly certificateExpires?: string;
  /**
   * The installations that its sessions are with, sorted: more than one claim its name. A uid, and behind a slash the process where
   * that one is alone. Absent while there is no session.
   */
  readonly epochs?: readonly string[];
  /** That its gateways speak ClusterLink's form: `sessions` is how many of them answer heartbeats. Absent: sessions of ours. */
  readonly form?: 'clusterlink';
  /** What it claims its labels to be, where that form has a word for it. No decision is made by them. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Why there is no session. */
  readonly reason?: Reason;
  readonly message: string;
}

/** How an import stands: its listeners, and which of its sources can be used; sent on every change. */
export interface ImportObservation {
  readonly key: ObjectKey;
  readonly listeners: readonly ImportBindingStatusListener[];
  readonly sources: readonly (SourceKey & { readonly usable: boolean; readonly reason?: Reason })[];
}

export type ProbeOutcome =
  /** `silentMs`: in ClusterLink's form, how long ago the gateway was heard before. */
  | { readonly ok: true; readonly silentMs?: number }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

/** `egress`: from a client here to a source; `ingress`: from a peer to an export here. */
export type Direction = 'egress' | 'ingress';

/** Which connection: as its closing record says. */
export type ConnectionSubject = Pick<ClosingRecord, 'connection' | 'direction' | 'object' | 'peer'>;

/** What is left of a connection when it has ended; the connection id joins it with the peer's record. */
export interface ClosingRecord {
  readonly connection: string;
  readonly direction: Direction;
  /** `namespace/name` of the local import or export. */
  readonly object: string;
  /** The other peer; self for a local source; empty if none was reached. */
  readonly peer: string;
  readonly reason: Reason;
  /** Whether bytes could pass: false for a refusal. */
  readonly opened: boolean;
  /** Who decided, or what failed, for people. */
  readonly message: string;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly durationMs: number;
  /** Those of a client here that went with the request, before its answer. Absent: none. */
  readonly earlyBytes?: number;
}
