/** What `explain` asks with, and what it answers. */
import type { IImport } from '../api/generated/Import.ts';
import type { IImportBinding } from '../api/generated/ImportBinding.ts';
import type { IServiceImport } from '../api/generated/ServiceImport.ts';
import type { ObjectKey } from '../api/object.ts';
import type { SourceKey } from '../api/record.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { Self } from './decisions.ts';
import type { GatewaySnapshot, PeerObservation, ProbeOutcome } from './messages.ts';

/** In the order of the way. */
export const HOPS = ['name', 'import', 'rule', 'source', 'egress', 'session', 'ingress', 'dial', 'endpoint'] as const;

export interface Hop {
  readonly hop: (typeof HOPS)[number];
  readonly ok: boolean;
  /** What the hop is about: a name, an object, a source. */
  readonly subject: string;
  readonly message: string;
  /** A reason of a connection, of a condition, or of an export that is skipped (docs/ERRORS.md). */
  readonly code?: string;
  readonly fix?: string;
}

export interface Explanation {
  readonly ok: boolean;
  /** The last one is the first that failed, if any did. */
  readonly hops: readonly Hop[];
}

export type ImportFace = IImport | IServiceImport;

export interface ExplainInput {
  /** A DNS name below the zone, or `namespace/name`, with a port: `web.store.svc.clusterset.local:80`. */
  readonly target: string;
  readonly zones: readonly string[];
  readonly self: Self;
  readonly client: ClientIdentity;
  readonly snapshot: GatewaySnapshot;
  /** How commands name the store of this peer: see {@link writeCommand}. */
  readonly store: string;
  readonly binding: (key: ObjectKey) => IImportBinding | undefined;
  /** What people see of it and what carries its conditions: the Import that somebody wrote, or else its ServiceImport. */
  readonly face: (key: ObjectKey) => Promise<ImportFace | undefined>;
  /** The hop that fails when there is no import of this name: that is for rules and records to say. */
  readonly explainAbsence: (key: ObjectKey) => Promise<Hop>;
  readonly peer: (name: string) => PeerObservation | undefined;
  probe(question: ExplainProbe): Promise<ProbeOutcome>;
}

export interface ExplainProbe {
  readonly source: SourceKey;
  readonly port: number;
  readonly mode: 'decide' | 'dial';
  readonly timeoutMs: number;
}

/** How commands name an API server. */
export const KUBERNETES_STORE = 'kubernetes';

/** A command that writes a manifest, as it can be run: beside an API server it prints, and kubectl writes. */
export function writeCommand(store: string, verb: 'allow' | 'export' | 'import', words: string): string {
  const command = `npx clusterlink-mcs ${verb} --store ${store} ${words}`;
  return store === KUBERNETES_STORE ? `${command} | kubectl apply -f -` : command;
}

/** Where a manifest is written, for people. */
export function nameStore(store: string): string {
  return store === KUBERNETES_STORE ? 'the cluster' : store;
}
