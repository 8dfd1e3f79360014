/** Writes what the data plane sees into the objects of the store: Peer status and ImportBinding status, on change only. */
import { isDeepStrictEqual } from 'node:util';
import { dateConditions, type ConditionDraft } from '../api/conditions.ts';
import type {
  IImportBinding,
  ImportBindingStatus,
  ImportBindingStatusGateway,
} from '../api/generated/ImportBinding.ts';
import type { IPeer } from '../api/generated/Peer.ts';
import { gatewayStatusManager, SYSTEM_NAMESPACE } from '../api/names.ts';
import { formatKey, parseKey } from '../api/object.ts';
import type { Logger } from '../runtime/log.ts';
import { makeWorkQueue, type ReconcileOutcome } from '../runtime/queue.ts';
import type { CachesOf } from '../store/caches.ts';
import type { Store } from '../store/store.ts';
import { makeBucket, type Bucket } from '../runtime/bucket.ts';
import { gatewayEntry } from './gateway-entry.ts';
import {
  PEER_COUNT_DELAY_MS,
  PEER_STATUS_WRITES_AT_ONCE_MAX,
  PEER_STATUS_WRITES_PER_SECOND_MAX,
  STATUS_WRITE_TIMEOUT_MS,
  STATUS_WRITES_PER_SECOND_MAX,
} from './limits.ts';
import type { ImportObservation, PeerObservation } from './messages.ts';

export interface StatusWriterOptions {
  /** This peer's name. In ClusterLink a peer may have a Peer object of its own: nobody dials it, and it is always reached. */
  readonly self: string;
  readonly store: Store;
  readonly caches: CachesOf<'Peer' | 'ImportBinding'>;
  readonly logger: Logger;
  /** In a cluster: the name of this pod. Each replica says of imports what it sees itself, and only one speaks of peers. */
  readonly pod?: string;
  /** RFC 3339 with second precision. */
  now(): string;
}

export interface StatusWriter {
  observePeer(observation: PeerObservation): void;
  observeImport(observation: ImportObservation): void;
  /** Whether this replica is the one that speaks of peers. */
  setLeading(leading: boolean): void;
  /** In a cluster: takes back what this replica says of imports, since it goes. */
  leave(): void;
  /** Forgets what was observed of others than these: peer names, and `namespace/name` of imports. */
  retain(present: { readonly peers: ReadonlySet<string>; readonly imports: ReadonlySet<string> }): void;
  close(): Promise<void>;
}

/** The field manager of what the gateway says of objects; frozen, since it names ownership in stored objects. */
export const GATEWAY_STATUS_MANAGER = 'clusterlink-mcs-gateway';

const CONCURRENCY = 4;

export function makeStatusWriter({ self, store, caches, logger, pod, now }: StatusWriterOptions): StatusWriter {
  const peers = new Map<string, PeerObservation>();
  const imports = new Map<string, ImportObservation>();
  /** By peer. */
  const paces = new Map<string, Bucket>();
  let isLeading = pod === undefined;
  let isLeaving = false;
  let isSettled = false;

  async function write(key: string): Promise<ReconcileOutcome | undefined> {
    const [kind = '', text = ''] = key.split(' ');
    if (kind === 'peer') return writePeer(text);
    await writeImport(text);
    return undefined;
  }

  function paceOf(name: string): Bucket {
    const perSecond = { perSecondMax: PEER_STATUS_WRITES_PER_SECOND_MAX, burstMax: PEER_STATUS_WRITES_AT_ONCE_MAX };
    const pace = paces.get(name) ?? makeBucket({ ...perSecond, now: () => performance.now() });
    paces.set(name, pace);
    return pace;
  }

  async function writePeer(name: string): Promise<ReconcileOutcome | undefined> {
    const observation = peers.get(name);
    const said = name === self ? SELF_SAID : observation === undefined ? undefined : toPeerStatus(observation);
    const object = caches.Peer.get({ namespace: SYSTEM_NAMESPACE, name });
    if (!isLeading || said === undefined || object === undefined) return undefined;
    if (!paceOf(name).take()) return { requeueAfterMs: 1_000 / PEER_STATUS_WRITES_PER_SECOND_MAX };
    const draft = { ...said.reachable, type: 'PeerReachable', observedGeneration: object.metadata?.generation ?? 1 };
    const conditions = dateConditions([draft], object.status?.conditions, now());
    await store.applyStatus(
      {
        apiVersion: object.apiVersion,
        kind: 'Peer',
        metadata: { namespace: SYSTEM_NAMESPACE, name },
        status: { conditions, ...said.facts },
      },
      { fieldManager: GATEWAY_STATUS_MANAGER, force: true },
    );
    return undefined;
  }

  async function writeImport(text: string): Promise<void> {
    const { namespace, name } = parseKey(text);
    const object = caches.ImportBinding.get({ namespace: SYSTEM_NAMESPACE, name: `${name}.${namespace}` });
    const observation = imports.get(text);
    if (object === undefined) return;
    if (pod === undefined) {
      if (observation === undefined) return;
      const status = hostStatus(object, observation, now());
      await applyImport(object, { status, fieldManager: GATEWAY_STATUS_MANAGER });
      return;
    }
    // Before the first snapshot is in force nothing is known of what is not observed.
    if (observation === undefined && !isSettled) return;
    const present = ownEntry(object);
    const wanted = isLeaving || observation === undefined ? undefined : gatewayEntry(pod, observation);
    // Every replica hears of every other's word: only its own counts here.
    if (isDeepStrictEqual(present, wanted)) return;
    const status = wanted === undefined ? {} : { gateways: [wanted] };
    const spaced = new Promise((resolve) => setTimeout(resolve, (1_000 * CONCURRENCY) / STATUS_WRITES_PER_SECOND_MAX));
    await applyImport(object, { status, fieldManager: gatewayStatusManager(pod) });
    await spaced;
  }

  function ownEntry({ status }: IImportBinding): ImportBindingStatusGateway | undefined {
    return status?.gateways?.find(({ name }) => name === pod);
  }

  async function applyImport(
    { apiVersion, metadata }: IImportBinding,
    { status, fieldManager }: { readonly status: ImportBindingStatus; readonly fieldManager: string },
  ): Promise<void> {
    const name = metadata?.name ?? '';
    await store.applyStatus(
      { apiVersion, kind: 'ImportBinding', metadata: { namespace: SYSTEM_NAMESPACE, name }, status },
      { fieldManager, force: true },
    );
  }

  const queue = makeWorkQueue({
    reconcile: write,
    concurrency: CONCURRENCY,
    timeoutMs: STATUS_WRITE_TIMEOUT_MS,
    logger,
  });
  const countSoon = (name: string): boolean => queue.addAfter(`peer ${name}`, PEER_COUNT_DELAY_MS);
  // An observation may come before its object: a binding that is re-created, a Peer that was edited away and back.
  const stops = [
    caches.Peer.onChange((key) => {
      if (caches.Peer.get(key)?.status?.conditions === undefined) queue.add(`peer ${key.name}`);
      else countSoon(key.name);
    }),
    caches.ImportBinding.onChange((key) => {
      const target = caches.ImportBinding.get(key)?.spec.import;
      if (target !== undefined) queue.add(`import ${formatKey(target)}`);
    }),
  ];

  return {
    observePeer(observation) {
      const { sessions: before, ...told } = peers.get(observation.name) ?? { sessions: undefined };
      const { sessions, ...said } = observation;
      peers.set(observation.name, observation);
      // Peers look for our other replicas by dialling: a session more for a moment is nothing to write down.
      if (before !== undefined && before !== sessions && isDeepStrictEqual(told, said)) countSoon(observation.name);
      else queue.add(`peer ${observation.name}`);
    },
    observeImport(observation) {
      imports.set(formatKey(observation.key), observation);
      queue.add(`import ${formatKey(observation.key)}`);
    },
    setLeading(leading) {
      isLeading = leading;
      if (leading) for (const name of [self, ...peers.keys()]) queue.add(`peer ${name}`);
    },
    leave() {
      isLeaving = true;
      if (pod !== undefined) for (const object of imports.keys()) queue.add(`import ${object}`);
    },
    retain(present) {
      for (const name of peers.keys()) if (!present.peers.has(name)) peers.delete(name);
      for (const name of paces.keys()) if (!present.peers.has(name)) paces.delete(name);
      for (const object of imports.keys()) if (!present.imports.has(object)) imports.delete(object);
      isSettled = true;
      // A binding that is served no longer, as one that turned headless, or one from before this process.
      for (const binding of pod === undefined ? [] : caches.ImportBinding.list()) {
        const object = formatKey(binding.spec.import);
        if (ownEntry(binding) !== undefined && !imports.has(object)) queue.add(`import ${object}`);
      }
    },
    async close() {
      stops.forEach((stop) => stop());
      await queue.close();
    },
  };
}

/** What there is to write of a peer. */
interface PeerSaid {
  readonly reachable: Pick<ConditionDraft, 'message' | 'reason' | 'status'>;
  readonly facts: Omit<NonNullable<IPeer['status']>, 'conditions'>;
}

const SELF_SAID: PeerSaid = {
  reachable: { status: 'True', reason: 'Self', message: 'It is this peer: its exports are reached without a session.' },
  facts: {},
};

function toPeerStatus({ sessions, version, reason, message, form, labels = {} }: PeerObservation): PeerSaid {
  // None are left out: a map that becomes empty is null to server-side apply, which no schema takes.
  const claimed = Object.keys(labels).length === 0 ? {} : { labels: { ...labels } };
  if (version === undefined) {
    return {
      reachable: { status: 'False', reason: toConditionReason(reason ?? ''), message },
      facts: { sessions, ...claimed },
    };
  }
  const word = form === 'clusterlink' ? 'Heartbeat' : 'SessionOpen';
  return { reachable: { status: 'True', reason: word, message }, facts: { sessions, version, ...claimed } };
}

/** Standalone: what the one gateway says of a binding. */
function hostStatus(object: IImportBinding, observation: ImportObservation, now: string): ImportBindingStatus {
  const remapped = observation.listeners.filter(({ reason }) => reason === 'PORT_REMAPPED');
  const draft: ConditionDraft = {
    type: 'PortRemapped',
    status: remapped.length > 0 ? 'True' : 'False',
    reason: remapped.length > 0 ? 'PortRemapped' : 'OwnPorts',
    message: remapped.map(({ message = '' }) => message).join('\n'),
    observedGeneration: object.metadata?.generation ?? 1,
  };
  return {
    conditions: dateConditions([draft], object.status?.conditions, now),
    listeners: observation.listeners.map((listener) => ({ ...listener })),
    sources: observation.sources.map((source) => ({ ...source })),
  };
}

/** `PEER_UNREACHABLE` → `PeerUnreachable`: conditions write reasons in camel case. */
function toConditionReason(reason: string): string {
  const words = reason.toLowerCase().split('_');
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('') || 'Unknown';
}
