/** What every part of a peer in a cluster begins with: the API server, the kinds it may read, and when they are known. */
import { join } from 'node:path';
import type { KindName } from '../../../api/kinds.ts';
import { SYSTEM_NAMESPACE } from '../../../api/names.ts';
import type { Config } from '../../../runtime/config.ts';
import type { Health } from '../../../runtime/health.ts';
import { startHttp } from '../../../runtime/http.ts';
import type { Logger } from '../../../runtime/log.ts';
import type { Metrics } from '../../../runtime/metrics.ts';
import { closeCaches, openCaches, type CachesOf } from '../../../store/caches.ts';
import { loadAccess, type KubernetesAccess } from '../../../store/kubernetes/access.ts';
import { guardWrites } from '../../../store/kubernetes/guarded.ts';
import { openKubernetesStore } from '../../../store/kubernetes/store.ts';
import type { Store } from '../../../store/store.ts';
import { makeStoreObserver } from '../observer.ts';

export type PartName = 'gateway' | 'controller' | 'dns';

export interface PartOptions {
  readonly config: Config;
  /** Absent: KUBECONFIG, else the service account of this pod. */
  readonly kubeconfig: string | undefined;
  readonly state: string;
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly health: Health;
  readonly metrics: Metrics;
}

export interface Part {
  drain(deadlineMs: number): Promise<void>;
  /** Replaces what carries connections, without cutting any. Absent: it carries none. */
  restart?(): Promise<void>;
  close(): Promise<void>;
}

/** Kinds that are read in our namespace alone: no part has rights on them elsewhere. */
const NAMESPACES: Partial<Record<KindName, string>> = {
  Peer: SYSTEM_NAMESPACE,
  PeerRecords: SYSTEM_NAMESPACE,
  ImportBinding: SYSTEM_NAMESPACE,
};

export interface PartStore<K extends KindName> {
  readonly access: KubernetesAccess;
  readonly store: Store;
  readonly caches: CachesOf<K>;
}

/**
 * Opens what a part needs of the API server; readiness waits for the kinds. Nothing here waits: a CRD may be installed, or a right
 * be given, long after the process began.
 */
export function openPartStore<K extends KindName>(
  { kubeconfig, state, health, logger, metrics }: PartOptions,
  input: {
    readonly kinds: readonly K[];
    /** Those that readiness does not wait for: a cluster may go without their CRD. */
    readonly optional?: readonly K[];
    readonly namespaces?: Partial<Record<KindName, string>>;
    /** Label selectors of kinds of which the part reads some objects only. */
    readonly selectors?: Partial<Record<KindName, string>>;
    /** Keeps in the state folder what is read, to begin with while the API server is away (DESIGN §3.5). Not for who decides by absence. */
    readonly keeps?: boolean;
    /** Asked at every write; without it the part may always write. */
    readonly mayWrite?: () => boolean;
    readonly opening: AsyncDisposableStack;
  },
): PartStore<K> {
  const { kinds, optional = [], namespaces = {}, selectors = {}, keeps = false, mayWrite, opening } = input;
  const reporter = health.expect('store');
  const access = loadAccess(kubeconfig === undefined ? {} : { kubeconfig });
  opening.defer(() => access.close());
  const store = openKubernetesStore({
    access: mayWrite === undefined ? access : guardWrites(access, mayWrite),
    namespaces: { ...NAMESPACES, ...namespaces },
    selectors,
    logger: logger.child({ component: 'store' }),
    onEvent: makeStoreObserver(metrics),
    ...(keeps ? { snapshots: { folder: join(state, 'objects'), kinds, cluster: access.cluster } } : {}),
  });
  opening.defer(() => store.close());
  const caches = openCaches(store, kinds);
  opening.defer(() => closeCaches(caches));
  const missing = new Set<K>(kinds.filter((kind) => !optional.includes(kind)));
  const tell = (): void =>
    missing.size === 0 ? reporter.ready() : reporter.missing(`waits for a first list of ${[...missing].join(', ')}`);
  tell();
  for (const kind of missing) {
    void caches[kind].synced.then(() => {
      missing.delete(kind);
      tell();
    });
  }
  return { access, store, caches };
}

/**
 * Probes and metrics from the first moment: a part that waits for something says for what. `/client` names the pod, so that a
 * caller through a Service knows who it was, and adds what `report` gives.
 */
export async function servePartHttp(
  { config, health, metrics, logger, env }: PartOptions,
  report: () => object = () => ({}),
): Promise<() => Promise<void>> {
  const { POD_NAME: pod } = env;
  if (config.metrics === undefined) return () => Promise.resolve();
  const http = await startHttp({
    listen: config.metrics,
    health,
    metrics,
    logger: logger.child({ component: 'http' }),
    ...(pod === undefined ? {} : { describeCaller: (client) => ({ pod, client, ...report() }) }),
  });
  return () => http.close();
}

/** Resolves when all have been listed once; rejects with the signal's reason when that comes first. */
export async function whenListed(
  caches: readonly { readonly synced: Promise<void> }[],
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([Promise.all(caches.map(({ synced }) => synced)), ended]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
