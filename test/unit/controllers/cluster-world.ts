/** A small cluster in memory: Services get addresses as an API server gives them, writes are counted, time is the test's. */
import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import type { Applied } from '#src/api/applied.ts';
import { KIND_NAMES } from '#src/api/kinds.ts';
import { formatKey, keyOf } from '#src/api/object.ts';
import type { ExportRecord } from '#src/api/record.ts';
import type { Controller } from '#src/controllers/controller.ts';
import { makeDerivedServices } from '#src/controllers/derived-service/home.ts';
import { makeEndpointsController } from '#src/controllers/endpoints/reconciler.ts';
import type { ImportEvent } from '#src/controllers/import/events.ts';
import { makeImportController } from '#src/controllers/import/reconciler.ts';
import { closeCaches, openCaches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import type { Store } from '#src/store/store.ts';
import { waitFor } from '#test/support/wait.ts';

export const SYSTEM = 'clusterlink-system';
const user = { fieldManager: 'tester', force: true };
const server = { fieldManager: 'apiserver', force: true };

export type Spec<K extends 'ClusterImportRule'> = NonNullable<Applied<K>['spec']>;

/** Gives each Service an address of each family, or the one that it asks for, unless another Service has that. */
function withAddresses(store: Store, families: readonly ('IPv4' | 'IPv6')[]): Store {
  let next = 1;
  return {
    ...store,
    async apply(object, options) {
      if (object.kind !== 'Service') return store.apply(object, options);
      const asked = (object as Applied<'Service'>).spec?.clusterIP;
      const others = (await store.list('Service')).filter(
        (service) => formatKey(keyOf(service)) !== formatKey(keyOf(object)),
      );
      if (asked !== undefined && asked !== 'None' && others.some(({ spec }) => spec?.clusterIP === asked)) {
        throw new AppError('ERR_INVALID_OBJECT', `Service ${object.metadata.name}: ${asked} is already allocated`);
      }
      const applied = await store.apply(object as Applied<'Service'>, options);
      if (applied.spec?.clusterIPs !== undefined && applied.spec.ipFamilies !== undefined) return applied as never;
      const number = next++;
      const made = families.map((family) =>
        family === 'IPv4' ? `10.96.${number >> 8}.${number & 255}` : `fd00:96::${number}`,
      );
      const clusterIPs = asked === undefined ? made : [asked, ...made.slice(1)];
      return (await store.apply(
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { namespace: object.metadata.namespace ?? '', name: object.metadata.name ?? '' },
          spec: { clusterIP: clusterIPs[0] ?? '', clusterIPs, ipFamilies: [...families] },
        },
        server,
      )) as never;
    },
  };
}

/** Notes each write that changes something. */
function counting(store: Store, writes: string[]): Store {
  const note = async <T extends { metadata?: { resourceVersion?: string } }>(
    what: string,
    before: T | undefined,
    after: T,
  ): Promise<T> => {
    if (before?.metadata?.resourceVersion !== after.metadata?.resourceVersion) writes.push(what);
    return Promise.resolve(after);
  };
  return {
    ...store,
    apply: async (object, options) =>
      note(`apply ${object.kind}`, await store.get(object.kind, keyOf(object)), await store.apply(object, options)),
    applyStatus: async (object, options) =>
      note(
        `status ${object.kind}`,
        await store.get(object.kind, keyOf(object)),
        await store.applyStatus(object, options),
      ),
    async delete(kind, key, options) {
      writes.push(`delete ${kind}`);
      return store.delete(kind, key, options);
    },
  };
}

export async function makeClusterWorld({ families = ['IPv4'] as ('IPv4' | 'IPv6')[] } = {}) {
  let nowMs = Date.parse('2026-11-20T12:00:00Z');
  const clock = { nowMs: () => nowMs };
  const memory = makeMemoryStore({ nowMs: clock.nowMs });
  const inner = withAddresses(memory, families);
  const writes: string[] = [];
  const events: ImportEvent[] = [];
  const caches = openCaches(memory, KIND_NAMES);
  const store = counting(inner, writes);
  const makeImports = (): Controller =>
    makeImportController({
      self: { name: 'west', labels: {} },
      store,
      caches,
      clock,
      home: makeDerivedServices({ store, caches, clock }),
      allowedNamespaces: [],
      firstStatusDelayMs: 0,
      onEvent: (event) => events.push(event),
    });
  const makeEndpoints = (): Controller => makeEndpointsController({ store, caches, clock });
  let imports = makeImports();
  let endpoints = makeEndpoints();

  /** Watches arrive on later turns: waits until every cache shows what the store has. */
  async function settle(): Promise<void> {
    for (const kind of KIND_NAMES) {
      const versions = (objects: readonly { metadata?: { resourceVersion?: string } }[]): string =>
        objects
          .map(({ metadata }) => metadata?.resourceVersion)
          .sort()
          .join(' ');
      await waitFor(
        `the cache of ${kind}`,
        async () => versions(await memory.list(kind)) === versions(caches[kind].list()),
      );
    }
  }

  async function runAll(controller: Controller, extraKeys: readonly string[] = []): Promise<unknown[]> {
    const keys = new Set(extraKeys);
    controller.resync((key) => keys.add(key));
    const outcomes: unknown[] = [];
    for (const key of keys) outcomes.push(await controller.reconcile(key, new AbortController().signal));
    return outcomes;
  }

  const world = {
    store: inner,
    caches,
    clock,
    writes,
    events,
    settle,
    advance: (ms: number) => void (nowMs += ms),
    /** As after a restart, or a change of leader: nothing is remembered. */
    restart() {
      imports = makeImports();
      endpoints = makeEndpoints();
    },
    async imports() {
      await settle();
      await runAll(imports);
      await settle();
    },
    async endpoints() {
      await settle();
      // In production the index follows the cache; here a new controller reads it anew.
      endpoints.watches(() => undefined).forEach((stop) => stop());
      const outcomes = await runAll(endpoints);
      await settle();
      return outcomes;
    },
    async reconcile() {
      await world.imports();
      await world.endpoints();
      // What the endpoints controller wrote may change what imports say, and the reverse.
      await world.imports();
    },
    async namespace(name: string, phase: 'Active' | 'Terminating' = 'Active') {
      await inner.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, user);
      await inner.applyStatus({ apiVersion: 'v1', kind: 'Namespace', metadata: { name }, status: { phase } }, user);
    },
    async say(peer: string, ...records: ExportRecord[]) {
      await inner.apply(
        {
          apiVersion: 'clusterlink.net/v1alpha1',
          kind: 'Peer',
          metadata: { namespace: SYSTEM, name: peer },
          spec: { gateways: [] },
        },
        user,
      );
      await inner.apply(
        {
          apiVersion: 'mcs.clusterlink.net/v1alpha1',
          kind: 'PeerRecords',
          metadata: { namespace: SYSTEM, name: peer },
          spec: {
            peer,
            epoch: 'one',
            digest: 'd',
            records: records.map((record) => ({ record, firstSeen: '2026-11-20T11:00:00Z' })),
          },
        },
        user,
      );
    },
    async rule(spec: Partial<Spec<'ClusterImportRule'>> = {}, name = 'shop') {
      await inner.apply(
        {
          apiVersion: 'mcs.clusterlink.net/v1alpha1',
          kind: 'ClusterImportRule',
          metadata: { name },
          spec: { peers: { all: true }, exports: { namespaces: ['shop'] }, into: { namespace: 'store' }, ...spec },
        },
        user,
      );
    },
    async gateway(name: string, { ip = '10.244.0.9', ready = true, labels = {} } = {}) {
      await inner.apply(
        {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: {
            namespace: SYSTEM,
            name,
            labels: {
              'app.kubernetes.io/name': 'clusterlink-mcs',
              'app.kubernetes.io/component': 'gateway',
              ...labels,
            },
          },
          spec: { nodeName: 'node' },
        },
        user,
      );
      await inner.applyStatus(
        {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { namespace: SYSTEM, name },
          status: {
            phase: 'Running',
            podIP: ip,
            podIPs: [{ ip }],
            conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
          },
        },
        user,
      );
    },
    /** What each gateway says of the one source of an import: on which of its ports it listens. */
    async observe(key: string, gateways: Readonly<Record<string, readonly number[]>>, { usable = true } = {}) {
      const [namespace = '', name = ''] = key.split('/');
      const binding = await inner.get('ImportBinding', { namespace: SYSTEM, name: `${name}.${namespace}` });
      assert.ok(binding !== undefined);
      const sources = binding.spec.sources.map((source) => ({
        peer: source.peer,
        namespace: source.namespace,
        name: source.name,
        usable,
      }));
      const status = {
        gateways: Object.entries(gateways).map(([pod, listening]) => ({
          name: pod,
          listening: [...listening],
          sources,
        })),
      };
      await inner.applyStatus(
        {
          apiVersion: 'mcs.clusterlink.net/v1alpha1',
          kind: 'ImportBinding',
          metadata: { namespace: SYSTEM, name: `${name}.${namespace}` },
          status,
        },
        { fieldManager: `clusterlink-mcs-gateway-${Object.keys(gateways)[0] ?? ''}`, force: true },
      );
    },
    async targetPorts(key: string): Promise<(number | undefined)[]> {
      const [namespace = '', name = ''] = key.split('/');
      const binding = await inner.get('ImportBinding', { namespace: SYSTEM, name: `${name}.${namespace}` });
      return (binding?.spec.ports ?? []).map(({ targetPort }) => targetPort);
    },
    async serviceImport(key: string) {
      const [namespace = '', name = ''] = key.split('/');
      return inner.get('ServiceImport', { namespace, name });
    },
    async close() {
      closeCaches(caches);
      await memory.close();
    },
  };
  await world.namespace('store');
  return world;
}
export type ClusterWorld = Awaited<ReturnType<typeof makeClusterWorld>>;
