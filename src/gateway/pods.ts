/** What a gateway in a cluster makes of its Pods, Nodes and API server: who clients are, and which endpoints exports may have. */
import { canonicalAddress } from '../api/addresses.ts';
import { API_SERVER } from '../api/names.ts';
import { formatKey, keyOf, parseKey, type ObjectKey } from '../api/object.ts';
import { SERVICE_NAME_LABEL } from '../catalogue/endpoints.ts';
import { restrictSources, type RestrictedSources, type TargetRestriction } from '../catalogue/pod-targets.ts';
import type { CachesOf } from '../store/caches.ts';
import type { ClientIdentity } from './client-identity.ts';
import { makeClientIndex, type ClientsDelta } from './clients.ts';
import { CLIENTS_DELAY_MS } from './limits.ts';
import { makePodTargets, makeTargetFilter } from './targets.ts';

const API_SERVER_KEY = parseKey(API_SERVER);

export interface FollowPodsOptions {
  readonly caches: CachesOf<'Pod' | 'Node' | 'EndpointSlice'>;
  /** Addresses of this pod. */
  readonly own: readonly string[];
  /** Never dialled for an export, whatever is listed: what the API server's Service has, whose endpoints are followed. */
  readonly neverDial: readonly string[];
  /** What exports may be dialled besides pods of their own namespace (configuration `exports.targets`). */
  readonly targets: readonly string[];
}

export interface Pods {
  /** Who has this address. */
  at(address: string): ClientIdentity;
  all(): ClientsDelta;
  /** Tells at once what changed: what is decided next is decided with it. */
  flush(): void;
  /** Calls back with what changed, changes that come together as one. The result stops it. */
  onChange(listener: (delta: ClientsDelta) => void): () => void;
  readonly restriction: TargetRestriction;
  close(): void;
}

/** @throws {AppError} `ERR_CONFIG` for a target that cannot be read. */
export function followPods({ caches, own, neverDial, targets }: FollowPodsOptions): Pods {
  const index = makeClientIndex({ own });
  const listeners = new Set<(delta: ClientsDelta) => void>();
  const at = (address: string): ClientIdentity => index.at(address) ?? { unidentified: 'no-pod' };
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const delta = index.takeDelta();
    if (delta.set.length + delta.remove.length === 0) return;
    for (const listener of [...listeners]) listener(delta);
  }
  const flushSoon = (): void => {
    timer ??= setTimeout(flush, CLIENTS_DELAY_MS);
  };
  const onChange: Pods['onChange'] = (listener) => {
    const entry = (delta: ClientsDelta): void => listener(delta);
    listeners.add(entry);
    return () => void listeners.delete(entry);
  };

  function setSlice(key: ObjectKey): void {
    if (key.namespace !== API_SERVER_KEY.namespace) return;
    const { metadata, endpoints = [] } = caches.EndpointSlice.get(key) ?? {};
    const isOfApiServer = metadata?.labels?.[SERVICE_NAME_LABEL] === API_SERVER_KEY.name;
    index.setApiServer(formatKey(key), isOfApiServer ? endpoints.flatMap(({ addresses }) => addresses) : []);
    flushSoon();
  }

  const stops = [
    caches.Pod.onChange((key) => {
      index.setPod(formatKey(key), caches.Pod.get(key));
      flushSoon();
    }),
    caches.Node.onChange((key) => {
      index.setNode(key.name, caches.Node.get(key));
      flushSoon();
    }),
    caches.EndpointSlice.onChange(setSlice),
  ];
  for (const pod of caches.Pod.list()) index.setPod(formatKey(keyOf(pod)), pod);
  for (const node of caches.Node.list()) index.setNode(node.metadata?.name ?? '', node);
  for (const slice of caches.EndpointSlice.list()) setSlice(keyOf(slice));
  index.takeDelta();

  return {
    at,
    all: () => index.all(),
    flush,
    onChange,
    restriction: makeRestriction({ at, onChange, neverDial, targets }),
    close() {
      clearTimeout(timer);
      stops.forEach((stop) => stop());
      listeners.clear();
    },
  };
}

function makeRestriction(input: {
  readonly at: Pods['at'];
  readonly onChange: Pods['onChange'];
  readonly neverDial: readonly string[];
  readonly targets: readonly string[];
}): TargetRestriction {
  const { at, onChange, neverDial, targets } = input;
  const filter = makeTargetFilter(targets, { listeners: [] }, makePodTargets({ at, neverDial }));
  /** Hosts that exports named when they were last asked about: pods elsewhere change nothing for them. */
  let asked: ReadonlySet<string> = new Set();
  return {
    restrict(sources): RestrictedSources {
      const restricted = restrictSources(sources, {
        isAllowed: ({ host, ...target }) => filter.allows({ ...target, named: host, address: host }),
      });
      asked = new Set([...restricted.hosts].map(canonicalAddress));
      return restricted;
    },
    onChange: (listener) =>
      onChange(({ set, remove }) => {
        const isAsked = set.some(([address]) => asked.has(address)) || remove.some((address) => asked.has(address));
        if (isAsked) listener();
      }),
  };
}
