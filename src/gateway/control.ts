/**
 * The control part of a gateway: compiles what the store holds into snapshots for the data plane, and carries what the data
 * plane sees to the store, the metrics, the log and the exchange.
 */
import { isDeepStrictEqual } from 'node:util';
import { formatKey } from '../api/object.ts';
import type { Reason } from '../api/reasons.ts';
import { formatSource, type SourceKey } from '../api/record.ts';
import { onCatalogueChange } from '../catalogue/changes.ts';
import { CATALOGUE_KINDS, readCatalogue } from '../catalogue/read.ts';
import { POLICY_KINDS, readPolicies } from '../policy/read.ts';
import type { ChannelEnd } from '../runtime/channel.ts';
import type { Logger } from '../runtime/log.ts';
import { makeRest } from '../runtime/rest.ts';
import { onAnyChange, type CachesOf } from '../store/caches.ts';
import { onSpecChange } from '../store/spec-changes.ts';
import type { Store } from '../store/store.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { EjectionChange } from './ejection.ts';
import { makeForbiddenLog } from './forbidden-log.ts';
import { DRAIN_QUIET_MS, SNAPSHOT_DELAY_MS, SNAPSHOT_REST_MAX_MS } from './limits.ts';
import type {
  ClosingRecord,
  DownMessage,
  GatewaySnapshot,
  ImportObservation,
  LimitsReport,
  PeerObservation,
  UpMessage,
} from './messages.ts';
import type { Pods } from './pods.ts';
import { makeQuestions, type Questions } from './questions.ts';
import type { FastPath } from './slabs/user-buffer.ts';
import { desiredSnapshot } from './snapshot.ts';
import { makeStatusWriter } from './status-writer.ts';

/** What others want to hear of the data plane. */
export interface ControlEvents {
  onFastPath(state: FastPath): void;
  onPeer(observation: PeerObservation): void;
  onOpened(direction: ClosingRecord['direction']): void;
  onClosed(record: ClosingRecord): void;
  onRefused(reason: string, from: string): void;
  onLimits(report: LimitsReport): void;
  onImport?(observation: ImportObservation): void;
  /** `namespace/name` of the imports that there are: nothing is said of others any more. */
  onImportsRetained?(objects: ReadonlySet<string>): void;
  /** A source was put last, or is back. */
  onEjection(change: EjectionChange): void;
  onSnapshot(state: 'sent' | 'acknowledged', version: number): void;
  /** Everything about exchange streams, for the bridge to the exchange. */
  onExchange(message: Extract<UpMessage, { kind: `exchange-${string}` }>): void;
}

/** The kinds that a gateway reads. */
export const GATEWAY_KINDS = ['ImportBinding', 'Peer', ...CATALOGUE_KINDS, ...POLICY_KINDS] as const;
export type GatewayCaches = CachesOf<(typeof GATEWAY_KINDS)[number]> & Partial<CachesOf<'Namespace'>>;

export type ControlHome =
  | { readonly kind: 'standalone' }
  | {
      readonly kind: 'cluster';
      /** The name of the pod that this process is. */
      readonly pod: string;
      readonly pods: Pods;
    };

export interface ControlOptions {
  readonly self: string;
  readonly home: ControlHome;
  readonly store: Store;
  /** Synced. */
  readonly caches: GatewayCaches;
  readonly allowedNamespaces: readonly string[];
  readonly channel: ChannelEnd<DownMessage, UpMessage>;
  readonly events: ControlEvents;
  readonly logger: Logger;
  /** Who is revoked; absent: nobody. */
  readonly revocations?: {
    revoked(): NonNullable<GatewaySnapshot['revoked']>;
    /** Whether the certificate of this peer is among them. */
    isOwnRevoked(): boolean;
    onChange(listener: () => void): () => void;
  };
  /** RFC 3339 with second precision. */
  now(): string;
}

export interface Control {
  /** The snapshot last sent, for `explain`; undefined before the first. */
  readonly snapshot: GatewaySnapshot | undefined;
  /** Whether the data plane has a snapshot in force. */
  readonly inForce: boolean;
  /** A list in force names the certificate of this peer: others refuse it. */
  readonly isRevoked: boolean;
  /** Where the gateway listens for peers; undefined when it only dials. */
  readonly listening: string | undefined;
  peer(name: string): PeerObservation | undefined;
  peers(): readonly PeerObservation[];
  import(object: string): ImportObservation | undefined;
  /** Since when and why it comes last; undefined while it does not. */
  ejectionOf(source: SourceKey): EjectionRecord | undefined;
  readonly probe: Questions['probe'];
  readonly foresee: Questions['foresee'];
  /** In a cluster: who has this address. Standalone it is for the configuration to say. */
  clientAt(address: string): ClientIdentity | undefined;
  /**
   * Whether this replica speaks for all of them: about Peers only one does, and takes turns. Standalone there is no other, and it
   * does from the start.
   */
  setLeading(leading: boolean): void;
  /**
   * Waits for the open connections and cuts them at the deadline. New ones are refused; in a cluster they are served, until there
   * were none for {@link DRAIN_QUIET_MS}, or as long after the deadline.
   */
  drain(deadlineMs: number): Promise<void>;
  /** Closing records of late, newest first. */
  closings(): readonly ClosingRecord[];
  close(): Promise<void>;
}

export interface EjectionRecord {
  readonly reason: Reason;
  readonly message: string;
  /** RFC 3339. */
  readonly since: string;
}

/** Closing records kept for `explain` and `status`. */
const CLOSINGS_KEPT = 200;

export function startControl(options: ControlOptions): Control {
  const { self, home, store, caches, allowedNamespaces, channel, events, logger, now } = options;
  const pods = home.kind === 'cluster' ? home.pods : undefined;
  const writer = makeStatusWriter({
    self,
    store,
    caches,
    logger,
    now,
    ...(home.kind === 'cluster' ? { pod: home.pod } : {}),
  });
  const forbiddenLog = makeForbiddenLog(logger);
  const peers = new Map<string, PeerObservation>();
  const imports = new Map<string, ImportObservation>();
  /** By source: as many as the data plane remembers. */
  const ejected = new Map<string, EjectionRecord>();
  const questions = makeQuestions((message) => channel.post(message));
  const closings: ClosingRecord[] = [];
  let snapshot: GatewaySnapshot | undefined;
  let acknowledged = 0;
  let listening: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  const rest = makeRest({ minMs: SNAPSHOT_DELAY_MS, maxMs: SNAPSHOT_REST_MAX_MS });
  const drained = Promise.withResolvers<void>();

  function publish(): void {
    timer = undefined;
    rest.time(publishNow);
  }

  function publishNow(): void {
    // The data plane filters endpoints by pods too: it must not know less of them than this snapshot.
    pods?.flush();
    const { sources, forbidden } = pods?.restriction.restrict(caches) ?? { sources: caches, forbidden: new Map() };
    forbiddenLog.see(forbidden);
    const desired = desiredSnapshot({
      self,
      bindings: caches.ImportBinding.list(),
      peers: caches.Peer.list(),
      catalogue: readCatalogue(sources, allowedNamespaces),
      policies: readPolicies(caches),
      forbidden,
      revoked: options.revocations?.revoked() ?? [],
    });
    if (snapshot !== undefined && isDeepStrictEqual({ ...desired, version: snapshot.version }, snapshot)) return;
    snapshot = { ...desired, version: (snapshot?.version ?? 0) + 1 };
    channel.post({ kind: 'snapshot', snapshot });
    events.onSnapshot('sent', snapshot.version);
  }

  function digest(message: UpMessage): void {
    switch (message.kind) {
      case 'acknowledged':
        acknowledged = message.version;
        if (snapshot?.version === message.version) forgetOthers(snapshot);
        return events.onSnapshot('acknowledged', message.version);
      case 'listening':
        listening = message.address;
        return;
      case 'peer':
        peers.set(message.peer.name, message.peer);
        writer.observePeer(message.peer);
        return events.onPeer(message.peer);
      case 'import':
        imports.set(formatKey(message.import.key), message.import);
        events.onImport?.(message.import);
        return writer.observeImport(message.import);
      case 'ejection': {
        const { source, ejected: how } = message.change;
        if (how === undefined) ejected.delete(formatSource(source));
        else ejected.set(formatSource(source), { ...how, since: now() });
        return events.onEjection(message.change);
      }
      case 'opened':
        return events.onOpened(message.direction);
      case 'closed':
        closings.unshift(message.record);
        closings.length = Math.min(closings.length, CLOSINGS_KEPT);
        return events.onClosed(message.record);
      case 'refused':
        return events.onRefused(message.reason, message.from);
      case 'limits':
        return events.onLimits(message.limits);
      case 'fast-path':
        return events.onFastPath(message.state);
      case 'probed':
      case 'foreseen':
        return questions.answer(message);
      case 'drained':
        drained.resolve();
        return;
      default:
        return events.onExchange(message);
    }
  }

  /** The data plane speaks of these no more; whatever came before its acknowledgement was its last word on others. */
  function forgetOthers(inForce: GatewaySnapshot): void {
    const names = new Set(inForce.peers.map(({ name }) => name));
    const objects = new Set(inForce.imports.map(({ key }) => formatKey(key)));
    for (const name of peers.keys()) if (!names.has(name)) peers.delete(name);
    for (const object of imports.keys()) if (!objects.has(object)) imports.delete(object);
    writer.retain({ peers: names, imports: objects });
    events.onImportsRetained?.(objects);
  }

  channel.onMessage(digest);
  const publishSoon = (): void => {
    timer ??= setTimeout(publish, rest.delayMs());
  };
  const stops = [
    onSpecChange(caches.ImportBinding, publishSoon),
    onAnyChange(caches, ['Peer', ...POLICY_KINDS], publishSoon),
    onCatalogueChange(caches, publishSoon),
    caches.Namespace?.onChange(publishSoon),
    pods?.restriction.onChange(publishSoon),
    options.revocations?.onChange(publishSoon),
    pods?.onChange((delta) => channel.post({ kind: 'clients', full: false, ...delta })),
  ];
  if (pods !== undefined) channel.post({ kind: 'clients', full: true, ...pods.all() });
  publish();

  return {
    get snapshot() {
      return snapshot;
    },
    get inForce() {
      return acknowledged > 0;
    },
    get isRevoked() {
      return options.revocations?.isOwnRevoked() ?? false;
    },
    get listening() {
      return listening;
    },
    peer: (name) => peers.get(name),
    peers: () =>
      [...peers.values()].filter(({ name }) => caches.Peer.list().some(({ metadata }) => metadata?.name === name)),
    import: (object) => imports.get(object),
    ejectionOf: (source) => ejected.get(formatSource(source)),
    closings: () => closings,
    clientAt: (address) => pods?.at(address),
    setLeading: (leading) => writer.setLeading(leading),
    drain(deadlineMs) {
      writer.leave();
      channel.post({ kind: 'drain', deadlineMs, quietMs: home.kind === 'cluster' ? DRAIN_QUIET_MS : 0 });
      return drained.promise;
    },
    probe: (question) => questions.probe(question),
    foresee: (policies) => questions.foresee(policies),
    async close() {
      stops.forEach((stop) => stop?.());
      clearTimeout(timer);
      forbiddenLog.close();
      await writer.close();
    },
  };
}
