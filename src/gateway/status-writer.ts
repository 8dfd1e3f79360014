/** Writes what the data plane sees into the objects of the store: Peer status and ImportBinding status, on change only. */
import { dateConditions, type ConditionDraft } from '../api/conditions.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { formatKey, parseKey } from '../api/object.ts';
import type { Logger } from '../runtime/log.ts';
import { makeWorkQueue } from '../runtime/queue.ts';
import type { Caches } from '../store/caches.ts';
import type { Store } from '../store/store.ts';
import { STATUS_WRITE_TIMEOUT_MS } from './limits.ts';
import type { ImportObservation, PeerObservation } from './messages.ts';

export interface StatusWriterOptions {
  readonly store: Store;
  readonly caches: Caches;
  readonly logger: Logger;
  /** RFC 3339 with second precision. */
  now(): string;
}

export interface StatusWriter {
  observePeer(observation: PeerObservation): void;
  observeImport(observation: ImportObservation): void;
  /** Forgets what was observed of others than these: peer names, and `namespace/name` of imports. */
  retain(present: { readonly peers: ReadonlySet<string>; readonly imports: ReadonlySet<string> }): void;
  close(): Promise<void>;
}

/** The field manager of what the gateway says of objects; frozen, since it names ownership in stored objects. */
export const GATEWAY_STATUS_MANAGER = 'clusterlink-mcs-gateway';

export function makeStatusWriter({ store, caches, logger, now }: StatusWriterOptions): StatusWriter {
  const peers = new Map<string, PeerObservation>();
  const imports = new Map<string, ImportObservation>();
  const options = { fieldManager: GATEWAY_STATUS_MANAGER, force: true };

  async function write(key: string): Promise<undefined> {
    const [kind = '', text = ''] = key.split(' ');
    await (kind === 'peer' ? writePeer(text) : writeImport(text));
    return undefined;
  }

  async function writePeer(name: string): Promise<void> {
    const observation = peers.get(name);
    const object = caches.Peer.get({ namespace: SYSTEM_NAMESPACE, name });
    if (observation === undefined || object === undefined) return;
    const { sessions, version, reason, message } = observation;
    const draft: ConditionDraft = {
      type: 'PeerReachable',
      status: version === undefined ? 'False' : 'True',
      reason: version === undefined ? toConditionReason(reason ?? '') : 'SessionOpen',
      message,
      observedGeneration: object.metadata?.generation ?? 1,
    };
    const conditions = dateConditions([draft], object.status?.conditions, now());
    await store.applyStatus(
      {
        apiVersion: object.apiVersion,
        kind: 'Peer',
        metadata: { namespace: SYSTEM_NAMESPACE, name },
        status: { conditions, sessions, ...(version === undefined ? {} : { version }) },
      },
      options,
    );
  }

  async function writeImport(text: string): Promise<void> {
    const observation = imports.get(text);
    const { namespace, name } = parseKey(text);
    const object = caches.ImportBinding.get({ namespace: SYSTEM_NAMESPACE, name: `${name}.${namespace}` });
    if (observation === undefined || object === undefined) return;
    const remapped = observation.listeners.filter(({ reason }) => reason === 'PORT_REMAPPED');
    const draft: ConditionDraft = {
      type: 'PortRemapped',
      status: remapped.length > 0 ? 'True' : 'False',
      reason: remapped.length > 0 ? 'PortRemapped' : 'OwnPorts',
      message: remapped.map(({ message = '' }) => message).join('\n'),
      observedGeneration: object.metadata?.generation ?? 1,
    };
    await store.applyStatus(
      {
        apiVersion: object.apiVersion,
        kind: 'ImportBinding',
        metadata: { namespace: SYSTEM_NAMESPACE, name: `${name}.${namespace}` },
        status: {
          conditions: dateConditions([draft], object.status?.conditions, now()),
          listeners: observation.listeners.map((listener) => ({ ...listener })),
          sources: observation.sources.map((source) => ({ ...source })),
        },
      },
      options,
    );
  }

  const queue = makeWorkQueue({ reconcile: write, concurrency: 4, timeoutMs: STATUS_WRITE_TIMEOUT_MS, logger });
  // An observation may come before its object: a binding that is re-created, a Peer that was edited away and back.
  const stops = [
    caches.Peer.onChange(({ name }) => queue.add(`peer ${name}`)),
    caches.ImportBinding.onChange((key) => {
      const target = caches.ImportBinding.get(key)?.spec.import;
      if (target !== undefined) queue.add(`import ${formatKey(target)}`);
    }),
  ];

  return {
    observePeer(observation) {
      peers.set(observation.name, observation);
      queue.add(`peer ${observation.name}`);
    },
    observeImport(observation) {
      imports.set(formatKey(observation.key), observation);
      queue.add(`import ${formatKey(observation.key)}`);
    },
    retain(present) {
      for (const name of peers.keys()) if (!present.peers.has(name)) peers.delete(name);
      for (const object of imports.keys()) if (!present.imports.has(object)) imports.delete(object);
    },
    async close() {
      stops.forEach((stop) => stop());
      await queue.close();
    },
  };
}

/** `PEER_UNREACHABLE` → `PeerUnreachable`: conditions write reasons in camel case. */
function toConditionReason(reason: string): string {
  const words = reason.toLowerCase().split('_');
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('') || 'Unknown';
}
