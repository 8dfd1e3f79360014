/** The store over a real API server: the contract of all stores, what is written and what is not, and faults of the server. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError, type ErrorCode } from '#src/api/errors.ts';
import type { Applied } from '#src/api/applied.ts';
import type { KindName } from '#src/api/kinds.ts';
import { formatKey, keyOf, type Condition, type KubeObject } from '#src/api/object.ts';
import { systemClock, type Clock } from '#src/runtime/clock.ts';
import { makeCache } from '#src/store/cache.ts';
import { loadAccess, type KubernetesAccess } from '#src/store/kubernetes/access.ts';
import { REQUEST_TIMEOUT_MS } from '#src/store/kubernetes/limits.ts';
import type { StoreEvent } from '#src/store/kubernetes/store-event.ts';
import { openKubernetesStore, type KubernetesStore } from '#src/store/kubernetes/store.ts';
import type { KubernetesStoreOptions } from '#src/store/kubernetes/store.ts';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { createNamespace, installCrds, readManifests } from '#test/support/api-server/manifests.ts';
import type { Manifest } from '#test/support/api-server/rest.ts';
import { describeStore } from '#test/support/store-contract.ts';
import { waitFor } from '#test/support/wait.ts';

const logger = { info: () => undefined, warn: () => undefined };
const OURS = { fieldManager: 'clusterlink-mcs-test', force: true };
const START_TIMEOUT_MS = 120_000;
/** Twenty times as fast: waits between tries and questions what is served become short. */
const FAST_CLOCK: Clock = {
  nowMs: () => systemClock.nowMs() * 20,
  after: (ms, callback) => systemClock.after(ms / 20, callback),
};

function newNamespace(): string {
  return `t-${randomUUID().slice(0, 13)}`;
}

interface Opened extends AsyncDisposable {
  readonly store: KubernetesStore;
  readonly access: KubernetesAccess;
  readonly events: StoreEvent[];
  /** Results of writes so far, by verb. */
  writes(): string[];
}

function openStore(kubeconfig: string, options: Partial<KubernetesStoreOptions> = {}): Opened {
  const access = loadAccess({ kubeconfig });
  const events: StoreEvent[] = [];
  const store = openKubernetesStore({ access, logger, onEvent: (event) => events.push(event), ...options });
  return {
    store,
    access,
    events,
    writes: () => events.flatMap((event) => (event.type === 'write' ? [`${event.verb} ${event.result}`] : [])),
    async [Symbol.asyncDispose]() {
      await store.close();
      await access.close();
    },
  };
}

/** What a watch says, as words. */
function follow<K extends KindName>(store: KubernetesStore, kind: K) {
  const told: string[] = [];
  const name = (object: KubeObject): string => formatKey(keyOf(object));
  const watch = store.watch(kind, {
    synced: (objects) => told.push(`synced ${objects.length}`),
    changed: (object) => told.push(`changed ${name(object)}`),
    deleted: (object) => told.push(`deleted ${name(object)}`),
  });
  return { told, close: () => watch.close() };
}

async function rejection(promise: Promise<unknown>, code: ErrorCode): Promise<AppError> {
  const error = await promise.then(
    () => assert.fail(`resolved instead of ${code}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof AppError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

function serviceExport(namespace: string, name: string, labels: Record<string, string> = {}): Applied<'ServiceExport'> {
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceExport',
    metadata: { namespace, name },
    spec: { exportedLabels: labels },
  };
}

function condition(type: string, status: 'True' | 'False' = 'True'): Condition {
  return { type, status, reason: 'Tested', message: '', lastTransitionTime: '2026-01-02T03:04:05Z' };
}

describe('openKubernetesStore', function () {
  this.timeout(60_000);
  let server: ApiServer;

  before(async function () {
    this.timeout(START_TIMEOUT_MS);
    server = await startApiServer();
  });
  after(() => server.close());

  describeStore('kubernetes', { isDurable: true }, async () => {
    const namespace = newNamespace();
    await createNamespace(server.admin, namespace);
    const access = loadAccess({ kubeconfig: server.kubeconfig });
    let store = openKubernetesStore({ access, logger });
    return {
      store,
      namespace,
      async reopen() {
        await store.close();
        return (store = openKubernetesStore({ access, logger }));
      },
      async close() {
        await store.close();
        await access.close();
      },
    };
  });

  describe('a write that would change nothing', () => {
    let namespace: string;
    let user: string;
    let kubeconfig: string;

    beforeEach(async () => {
      namespace = newNamespace();
      user = `store-${namespace}`;
      kubeconfig = await server.kubeconfigFor(user, ['system:masters']);
      await createNamespace(server.admin, namespace);
    });

    const requests = async (): Promise<number> => (await server.writes()).filter((entry) => entry.user === user).length;

    const SERVICE = (name: string): Applied<'Service'> => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace, name, labels: { 'app.kubernetes.io/managed-by': 'clusterlink-mcs' } },
      spec: {
        ports: [
          { name: 'pg', port: 5432, targetPort: 10_017 },
          { port: 80, protocol: 'TCP', name: 'http' },
        ],
      },
    });
    const SLICE = (name: string): Applied<'EndpointSlice'> => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace, name, labels: { a: 'b' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.1.2.3'] }, { addresses: ['10.1.2.4'], conditions: { ready: true } }],
      ports: [{ port: 5432 }],
    });
    const IMPORT = (name: string): Applied<'ServiceImport'> => ({
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceImport',
      metadata: { namespace, name },
      spec: { type: 'ClusterSetIP', ports: [{ port: 1, protocol: 'TCP' }], ips: ['10.0.0.1'] },
      status: { clusters: [{ cluster: 'east' }], conditions: [condition('Ready')] },
    });

    it('of each kind that is written, with what the server adds → one request, none for the second', async () => {
      await using opened = openStore(kubeconfig);
      const { store, writes } = opened;
      const feeds = (['Service', 'EndpointSlice', 'ServiceImport'] as const).map((kind) => follow(store, kind));
      await waitFor('all synced', () => feeds.every(({ told }) => told.length > 0));
      const write = async (): Promise<void> => {
        await store.apply(SERVICE('db'), OURS);
        await store.apply(SLICE('db'), OURS);
        await store.apply(IMPORT('db'), OURS);
        await store.applyStatus(IMPORT('db'), OURS);
      };
      await write();
      assert.deepEqual(writes(), ['apply sent', 'apply sent', 'apply sent', 'apply-status sent']);
      await write();
      await write();
      assert.equal(writes().filter((result) => result.endsWith('skipped')).length, 8);
      await waitFor('the audit log', async () => (await requests()) === 4);
    });

    it('by another process, after a restart → no request: what a manager owns is read from the object', async () => {
      const objects = [SERVICE('db'), SLICE('db'), IMPORT('db')];
      {
        await using first = openStore(kubeconfig);
        for (const object of objects) await first.store.apply(object, OURS);
        await first.store.applyStatus(IMPORT('db'), OURS);
      }
      await using second = openStore(kubeconfig);
      for (const kind of ['Service', 'EndpointSlice', 'ServiceImport'] as const) {
        const { told } = follow(second.store, kind);
        await waitFor('synced', () => told.length > 0);
      }
      for (const object of objects) await second.store.apply(object, OURS);
      await second.store.applyStatus(IMPORT('db'), OURS);
      assert.deepEqual(second.writes(), ['apply skipped', 'apply skipped', 'apply skipped', 'apply-status skipped']);
    });

    it('A, B and A again at once → A in the end', async () => {
      await using opened = openStore(kubeconfig);
      const { told } = follow(opened.store, 'ServiceExport');
      await waitFor('synced', () => told.length > 0);
      for (const team of ['a', 'b', 'a', 'b', 'a']) {
        void opened.store.apply(serviceExport(namespace, 'db', { team }), OURS);
      }
      const last = await opened.store.apply(serviceExport(namespace, 'db', { team: 'a' }), OURS);
      assert.deepEqual(last.spec?.exportedLabels, { team: 'a' });
      const stored = await opened.store.get('ServiceExport', { namespace, name: 'db' });
      assert.deepEqual(stored?.spec?.exportedLabels, { team: 'a' });
      assert.deepEqual(opened.writes().at(-1), 'apply skipped');
    });

    it('deleted and applied again at once → there again', async () => {
      await using opened = openStore(kubeconfig);
      const { told } = follow(opened.store, 'ServiceExport');
      await waitFor('synced', () => told.length > 0);
      await opened.store.apply(serviceExport(namespace, 'db'), OURS);
      await waitFor('told', () => told.includes(`changed ${namespace}/db`));
      await opened.store.delete('ServiceExport', { namespace, name: 'db' });
      await opened.store.apply(serviceExport(namespace, 'db'), OURS);
      assert.notEqual(await opened.store.get('ServiceExport', { namespace, name: 'db' }), undefined);
    });

    it('a field, a label and a condition that are left out → sent, and gone', async () => {
      await using opened = openStore(kubeconfig);
      const { told } = follow(opened.store, 'ServiceImport');
      await waitFor('synced', () => told.length > 0);
      const full = IMPORT('db');
      await opened.store.apply({ ...full, metadata: { ...full.metadata, labels: { a: 'b' } } }, OURS);
      await opened.store.applyStatus({ ...full, status: { conditions: [condition('Ready'), condition('X')] } }, OURS);
      const spec = { type: 'ClusterSetIP', ports: [{ port: 1, protocol: 'TCP' }] } as const;
      const after = await opened.store.apply({ ...full, spec: { ...spec, ports: [...spec.ports] } }, OURS);
      assert.deepEqual([after.spec?.ips, after.metadata?.labels], [undefined, undefined]);
      const status = await opened.store.applyStatus({ ...full, status: { conditions: [condition('Ready')] } }, OURS);
      assert.deepEqual(status.status?.conditions, [condition('Ready')]);
    });

    it('an object that somebody changed or deleted by hand → put back', async () => {
      await using opened = openStore(kubeconfig);
      const cache = makeCache(opened.store, 'Service');
      await opened.store.apply(SERVICE('db'), OURS);
      const key = { namespace, name: 'db' };
      const path = `/api/v1/namespaces/${namespace}/services/db`;
      await server.admin.request('PATCH', path, {
        body: { metadata: { labels: { 'app.kubernetes.io/managed-by': 'me' } } },
      });
      const label = (): string | undefined => cache.get(key)?.metadata?.labels?.['app.kubernetes.io/managed-by'];
      await waitFor('the change', () => label() === 'me');
      await opened.store.apply(SERVICE('db'), OURS);
      await waitFor('our own label again', () => label() === 'clusterlink-mcs');
      await server.admin.request('DELETE', path);
      await waitFor('the deletion', () => cache.get(key) === undefined);
      await opened.store.apply(SERVICE('db'), OURS);
      await waitFor('the object again', () => cache.get(key) !== undefined);
      cache.close();
    });
  });

  describe('places and rights', () => {
    it('a namespace that is not there, or is going → ERR_NOT_FOUND that says so', async () => {
      await using opened = openStore(server.kubeconfig);
      const namespace = newNamespace();
      const absent = await rejection(opened.store.apply(serviceExport(namespace, 'db'), OURS), 'ERR_NOT_FOUND');
      assert.deepEqual([absent.details, absent.retryable], [{ missing: 'namespace' }, false]);
      await createNamespace(server.admin, namespace);
      await server.admin.request('DELETE', `/api/v1/namespaces/${namespace}`);
      const going = await rejection(opened.store.apply(serviceExport(namespace, 'db'), OURS), 'ERR_NOT_FOUND');
      assert.deepEqual(going.details, { missing: 'namespace' });
      const status = await rejection(opened.store.applyStatus(serviceExport('default', 'no'), OURS), 'ERR_NOT_FOUND');
      assert.deepEqual(status.details, { missing: 'object' });
    });

    it('a right that is missing → ERR_FORBIDDEN with the rule to add; a problem; other kinds go on; it comes with the right', async () => {
      const namespace = newNamespace();
      await createNamespace(server.admin, namespace);
      const user = `reader-${namespace}`;
      const rule = (resources: string[], verbs: string[]) => ({
        apiGroups: ['', 'multicluster.x-k8s.io'],
        resources,
        verbs,
      });
      await allow(user, [rule(['services'], ['list', 'watch'])]);
      await using opened = openStore(await server.kubeconfigFor(user), { clock: FAST_CLOCK });
      const [services, exports] = [follow(opened.store, 'Service'), follow(opened.store, 'ServiceExport')];
      const problem = await waitFor('the problem', () => opened.store.problems()[0]);
      assert.deepEqual([problem.kind, problem.reason], ['ServiceExport', 'forbidden']);
      assert.match(
        problem.fix,
        /apiGroups: \["multicluster.x-k8s.io"\], resources: \["serviceexports"\], verbs: \["list", "watch"\]/,
      );
      await waitFor('services', () => services.told.length > 0);
      assert.deepEqual(exports.told, []);
      const error = await rejection(opened.store.apply(serviceExport(namespace, 'db'), OURS), 'ERR_FORBIDDEN');
      assert.match(error.fix ?? '', /resources: \["serviceexports"\], verbs: \["create", "patch"\]/);
      assert.equal(error.retryable, false);
      await allow(user, [rule(['services', 'serviceexports'], ['list', 'watch'])]);
      await waitFor('exports', () => exports.told.length > 0);
      assert.deepEqual(opened.store.problems(), []);
      await createService(namespace, 'late');
      await waitFor('a late service', () => services.told.includes(`changed ${namespace}/late`));
    });

    it('a kind in one namespace alone → a role of that namespace is enough, and nothing of others is told', async () => {
      const [mine, other] = [newNamespace(), newNamespace()];
      for (const namespace of [mine, other]) {
        await createNamespace(server.admin, namespace);
        await server.admin.apply(serviceExport(namespace, 'db') as unknown as Manifest);
      }
      const user = `namespaced-${mine}`;
      const rule = { apiGroups: ['multicluster.x-k8s.io'], resources: ['serviceexports'], verbs: ['list', 'watch'] };
      await allow(user, [rule], mine);
      await using opened = openStore(await server.kubeconfigFor(user), { namespaces: { ServiceExport: mine } });
      const cache = makeCache(opened.store, 'ServiceExport');
      await cache.synced;
      assert.deepEqual(
        cache.list().map((object) => formatKey(keyOf(object))),
        [`${mine}/db`],
      );
      assert.deepEqual(
        (await opened.store.list('ServiceExport')).map((object) => formatKey(keyOf(object))),
        [`${mine}/db`],
      );
      cache.close();
    });

    async function allow(user: string, rules: readonly object[], namespace?: string): Promise<void> {
      const [scope, place] = namespace === undefined ? ['ClusterRole', {}] : ['Role', { namespace }];
      const metadata = { name: user, ...place };
      const apiVersion = 'rbac.authorization.k8s.io/v1';
      await server.admin.apply({ apiVersion, kind: scope, metadata, rules });
      await server.admin.apply({
        apiVersion,
        kind: `${scope}Binding`,
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: scope, name: user },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
      });
    }
  });

  async function createService(namespace: string, name: string): Promise<void> {
    const spec = { ports: [{ port: 80 }], clusterIP: 'None' };
    const { status } = await server.admin.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace, name },
      spec,
    });
    assert.equal(status, 201);
  }

  it('2,000 objects → all of them, in pages, each once', async function () {
    this.timeout(120_000);
    const namespace = newNamespace();
    await createNamespace(server.admin, namespace);
    await using opened = openStore(server.kubeconfig);
    const names = Array.from({ length: 2_000 }, (_, index) => `db-${index}`);
    for (let start = 0; start < names.length; start += 200) {
      await Promise.all(
        names.slice(start, start + 200).map((name) => opened.store.apply(serviceExport(namespace, name), OURS)),
      );
    }
    const cache = makeCache(opened.store, 'ServiceExport');
    await cache.synced;
    const found = cache.list().filter((object) => object.metadata?.namespace === namespace);
    assert.deepEqual(found.map((object) => object.metadata?.name).sort(), [...names].sort());
    assert.ok((await opened.store.list('ServiceExport')).length >= 2_000);
    cache.close();
  });

  it('a Pod and a Node → only what is read of them; a Namespace with its labels', async () => {
    const namespace = newNamespace();
    await createNamespace(server.admin, namespace);
    await using opened = openStore(server.kubeconfig);
    const pods = makeCache(opened.store, 'Pod');
    await pods.synced;
    await server.admin.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name: 'web', labels: { app: 'web' }, annotations: { long: 'x'.repeat(1000) } },
      spec: { nodeName: 'n1', hostNetwork: false, containers: [{ name: 'web', image: 'test.local/web:1' }] },
    });
    const pod = await waitFor('the pod', () => pods.get({ namespace, name: 'web' }));
    assert.deepEqual(Object.keys(pod.spec ?? {}).sort(), ['nodeName']);
    assert.deepEqual([pod.metadata?.labels, pod.metadata?.annotations], [{ app: 'web' }, undefined]);
    assert.equal(pod.status?.phase, 'Pending');
    const found = await opened.store.get('Namespace', { namespace: '', name: namespace });
    assert.equal(found?.metadata?.labels?.['kubernetes.io/metadata.name'], namespace);
    pods.close();
  });
});

describe('openKubernetesStore, faults of the API server', function () {
  this.timeout(120_000);
  let server: ApiServer;

  beforeEach(async () => {
    server = await startApiServer();
  });
  afterEach(() => server.close());

  it('the API server restarted → no deletion is told, what changes then is, writes are retryable in between', async () => {
    await using opened = openStore(server.kubeconfig);
    await createNamespace(server.admin, 'shop');
    await opened.store.apply(serviceExport('shop', 'db'), OURS);
    const { told } = follow(opened.store, 'ServiceExport');
    await waitFor('synced', () => told.includes('synced 1'));
    await server.stop('SIGKILL');
    const error = await rejection(opened.store.apply(serviceExport('shop', 'web'), OURS), 'ERR_STORE_UNAVAILABLE');
    assert.equal(error.retryable, true);
    await waitFor('a failed watch', () => opened.events.some(({ type }) => type === 'watch-failed'));
    await server.start();
    await server.admin.apply(serviceExport('shop', 'late') as unknown as Manifest);
    await waitFor(
      'the late export',
      () => told.some((line) => line === 'changed shop/late' || line === 'synced 2'),
      40_000,
    );
    assert.deepEqual(
      told.filter((line) => line.startsWith('deleted')),
      [],
    );
    await opened.store.apply(serviceExport('shop', 'web'), OURS);
    assert.deepEqual(opened.store.problems(), []);
  });

  it('etcd that stands still → a retryable error within the deadline, then the write is done', async () => {
    await using opened = openStore(server.kubeconfig);
    await createNamespace(server.admin, 'shop');
    await server.pauseEtcd();
    const startMs = performance.now();
    const error = await rejection(opened.store.apply(serviceExport('shop', 'db'), OURS), 'ERR_TIMEOUT');
    assert.ok(performance.now() - startMs < REQUEST_TIMEOUT_MS + 2_000);
    assert.equal(error.retryable, true);
    await server.resumeEtcd();
    await waitFor('the write', () => opened.store.apply(serviceExport('shop', 'db'), OURS), 30_000);
  });

  it('started while the API server is down → the saved state of the kinds that are kept; the present one when it is back', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kubernetes-store-'));
    const snapshots = { folder, kinds: ['ServiceExport'] as const, cluster: server.url };
    await createNamespace(server.admin, 'shop');
    {
      await using first = openStore(server.kubeconfig, { snapshots });
      await first.store.apply(serviceExport('shop', 'db', { a: 'b' }), OURS);
      const { told } = follow(first.store, 'ServiceExport');
      await waitFor('synced', () => told.includes('synced 1'));
    }
    await server.stop();
    await using second = openStore(server.kubeconfig, { snapshots, clock: FAST_CLOCK });
    const cache = makeCache(second.store, 'ServiceExport');
    const others = follow(second.store, 'Service');
    await cache.synced;
    assert.deepEqual(cache.get({ namespace: 'shop', name: 'db' })?.spec, { exportedLabels: { a: 'b' } });
    assert.deepEqual(others.told, []);
    await server.start();
    await server.admin.apply(serviceExport('shop', 'late') as unknown as Manifest);
    await waitFor('the present', () => cache.get({ namespace: 'shop', name: 'late' }));
    await waitFor('the other kind', () => others.told.length > 0);
    cache.close();
    await rm(folder, { recursive: true });
  });

  it('closed while everything hangs → ends at once, requests with it', async () => {
    const opened = openStore(server.kubeconfig);
    await createNamespace(server.admin, 'shop');
    await server.pauseEtcd();
    const pending = assert.rejects(opened.store.apply(serviceExport('shop', 'db'), OURS));
    const startMs = performance.now();
    await opened.store.close();
    await opened.access.close();
    await pending;
    assert.ok(performance.now() - startMs < 2_000);
    await rejection(opened.store.get('ServiceExport', { namespace: 'shop', name: 'db' }), 'ERR_STORE_CLOSED');
    await server.resumeEtcd();
  });
});

describe('openKubernetesStore, CRDs of others', function () {
  this.timeout(120_000);
  let server: ApiServer;

  beforeEach(async () => {
    server = await startApiServer({ crds: [] });
  });
  afterEach(() => server.close());

  it('a CRD that comes later → a problem until then, told of then; the rest works', async () => {
    await using opened = openStore(server.kubeconfig, { clock: FAST_CLOCK });
    const [services, peers] = [follow(opened.store, 'Service'), follow(opened.store, 'Peer')];
    await waitFor('services', () => services.told.length > 0);
    const problem = await waitFor('the problem', () => opened.store.problems()[0]);
    assert.deepEqual([problem.kind, problem.reason], ['Peer', 'not-served']);
    await createNamespace(server.admin, 'shop');
    const error = await rejection(opened.store.apply(serviceExport('shop', 'db'), OURS), 'ERR_NOT_FOUND');
    assert.deepEqual([error.details, error.retryable], [{ missing: 'kind' }, true]);
    await installCrds(server.admin, ['crds']);
    await waitFor('peers', () => peers.told.includes('synced 0'));
    await waitFor('the write', () => opened.store.apply(serviceExport('shop', 'db'), OURS));
    assert.deepEqual(opened.store.problems(), []);
  });

  it('v1alpha1 alone, then v1beta1 too → used, converted both ways, and switched while running', async () => {
    await installServed(['v1alpha1']);
    await createNamespace(server.admin, 'shop');
    await using opened = openStore(server.kubeconfig, { clock: FAST_CLOCK });
    const cache = makeCache(opened.store, 'ServiceExport');
    await cache.synced;
    assert.equal(opened.store.servedVersion('ServiceExport'), 'v1alpha1');
    const written = await opened.store.apply(serviceExport('shop', 'db', { a: 'b' }), OURS);
    assert.equal(written.apiVersion, 'multicluster.x-k8s.io/v1beta1');
    const seen = await waitFor('the export', () => cache.get({ namespace: 'shop', name: 'db' }));
    assert.equal(seen.apiVersion, 'multicluster.x-k8s.io/v1beta1');
    const deletions: string[] = [];
    const watch = opened.store.watch('ServiceExport', {
      synced: () => undefined,
      changed: () => undefined,
      deleted: ({ metadata }) => deletions.push(metadata?.name ?? ''),
    });
    await installServed(['v1beta1', 'v1alpha1']);
    await waitFor('v1beta1', () => opened.store.servedVersion('ServiceExport') === 'v1beta1');
    await opened.store.apply(serviceExport('shop', 'web'), OURS);
    await waitFor('a new export', () => cache.get({ namespace: 'shop', name: 'web' }));
    await opened.store.apply(serviceExport('shop', 'db', { a: 'b' }), OURS);
    assert.equal(opened.writes().at(-1), 'apply skipped');
    await installServed(['v1alpha1']);
    await waitFor('v1alpha1 again', () => opened.store.servedVersion('ServiceExport') === 'v1alpha1', 20_000);
    await waitFor('a write', () => opened.store.apply(serviceExport('shop', 'third'), OURS), 20_000);
    await waitFor('the third', () => cache.get({ namespace: 'shop', name: 'third' }), 20_000);
    assert.deepEqual(deletions, []);
    watch.close();
    cache.close();
  });

  it('a CRD without a field that we write (CRD-18) → left out, the rest is written, and again nothing is sent', async () => {
    await installServed(['v1beta1'], ['sessionAffinity', 'appProtocol']);
    await createNamespace(server.admin, 'shop');
    await using opened = openStore(server.kubeconfig);
    const cache = makeCache(opened.store, 'ServiceImport');
    await cache.synced;
    const object: Applied<'ServiceImport'> = {
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceImport',
      metadata: { namespace: 'shop', name: 'db' },
      spec: {
        type: 'ClusterSetIP',
        sessionAffinity: 'None',
        ports: [{ port: 1, protocol: 'TCP', appProtocol: 'http' }],
      },
    };
    const written = await opened.store.apply(object, OURS);
    assert.deepEqual(written.spec, { type: 'ClusterSetIP', ports: [{ port: 1, protocol: 'TCP' }] });
    await opened.store.apply(object, OURS);
    assert.deepEqual(opened.writes(), ['apply sent', 'apply skipped']);
    cache.close();
  });

  /** The MCS CRDs with these versions served, and without these members of specs. */
  async function installServed(served: readonly string[], without: readonly string[] = []): Promise<void> {
    const names = ['crds/multicluster.x-k8s.io_serviceexports.yaml', 'crds/multicluster.x-k8s.io_serviceimports.yaml'];
    for (const crd of await readManifests(names)) {
      const spec = crd['spec'] as { versions: { name: string; served: boolean; storage: boolean }[] };
      const versions = spec.versions
        .map((version) => ({ ...version, served: served.includes(version.name), storage: version.name === 'v1alpha1' }))
        .map(
          (version) =>
            JSON.parse(
              JSON.stringify(version, (key, value: unknown) => (without.includes(key) ? undefined : value)),
            ) as object,
        );
      const { status, body } = await server.admin.apply({ ...crd, spec: { ...spec, versions } });
      assert.ok(status < 300, JSON.stringify(body));
      await waitFor(`${crd.metadata.name} served`, async () => {
        const plural = crd.metadata.name.split('.')[0];
        const replies = await Promise.all(
          served.map((version) => server.admin.request('GET', `/apis/multicluster.x-k8s.io/${version}/${plural}`)),
        );
        return replies.every((reply) => reply.status === 200);
      });
    }
  }
});
