/**
 * `npm run bench -- control`: how fast, and with how many writes, what changes in one peer is in force in another. Two bare API
 * servers, the product's parts as processes, no pods and no traffic.
 *
 * In force means: binding, ServiceImport, both kinds of slices, an open listener and the DNS answer, all as changed.
 */
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFabricFiles, createPeerCertFiles } from '#src/fabric/files.ts';
import { makeLogger } from '#src/runtime/log.ts';
import { closeCaches, openCaches, type CachesOf } from '#src/store/caches.ts';
import { loadAccess } from '#src/store/kubernetes/access.ts';
import { openKubernetesStore } from '#src/store/kubernetes/store.ts';
import { waitFor } from '#test/support/wait.ts';
import { assembleRootfs, PROGRAM } from '../../scripts/image/rootfs.ts';
import { makeFlags, readFlags, wholeNumber } from './flags.ts';
import { inParallel } from './parallel.ts';
import { apply, DNS_PORT, GATEWAY_PORT, namespace, startBenchPeer, SYSTEM, type BenchPeer } from './peer.ts';

const NAMESPACE = 'bench';
const BACKEND = '10.244.0.10';
const PORT = 8_000;
const REST_MS = 60_000;
const SETTLE_MS = 3_000;
const LOOK_MS = 250;
const IN_FORCE_TIMEOUT_MS = 600_000;
const EXPORTS_MAX = 50_000;
const OBSERVED = ['ImportBinding', 'ServiceImport', 'EndpointSlice', 'Service'] as const;
type Observed = CachesOf<(typeof OBSERVED)[number]>;

export interface ControlResult {
  readonly bench: 'control';
  readonly change_p99_ms: number;
  readonly scratch_s: number;
  readonly writes_per_change: number;
  readonly writes_at_rest: number;
  readonly rss_mb: { readonly controller: number; readonly gateway: number };
  readonly gateway_replaced_s: number;
}

interface Options {
  readonly exports: number;
  readonly changes: number;
  /** Imports at which memory is looked at. */
  readonly imports: number;
}

export async function runControlBench(
  { exports, changes, imports }: Options,
  tell: (text: string) => void,
): Promise<ControlResult> {
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-bench-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const rootfs = join(folder, 'rootfs');
  await assembleRootfs(rootfs);
  const fabric = await createFabricFiles({ path: folder, fabric: 'bench' });
  const open = async (name: string, address: string): Promise<BenchPeer> => {
    const { cert, key } = await createPeerCertFiles({ path: folder, fabric: 'bench', peer: name });
    const peer = await startBenchPeer({
      name,
      address,
      folder,
      files: { ca: fabric.cert, cert, key },
      program: join(rootfs, PROGRAM),
    });
    undo.defer(() => peer.close());
    return peer;
  };
  const [east, west] = await Promise.all([open('east', '127.0.1.1'), open('west', '127.0.1.2')]);
  await Promise.all([east, west].map(prepare));
  await importEverything(west);
  await Promise.all([east.start('gateway'), east.start('controller')]);
  await Promise.all([west.start('gateway'), west.start('controller'), west.start('dns')]);
  const observed = observe(west);
  undo.defer(observed.close);

  tell(`creating ${exports} exports`);
  await inParallel(exports, (index) => createExport(east, index));
  await introduce(east, west);
  await settle([east]);
  tell('importing them');
  const begunMs = performance.now();
  await introduce(west, east);
  await whenInForce(observed.caches, exports);
  const scratchMs = performance.now() - begunMs;
  tell(`${exports} imports from scratch: ${(scratchMs / 1000).toFixed(1)} s`);
  await tellMemory(west, tell);
  for (const peer of [east, west]) await tellWrites(peer, 0, tell);

  await settle([east, west]);
  const before = await writesOf([east, west]);
  const durations: number[] = [];
  for (let change = 0; change < changes; change++)
    durations.push(await changeOne(observed.caches, { east, west, change, exports }));
  await settle([east, west]);
  const writesPerChange = ((await writesOf([east, west])) - before) / changes;
  durations.sort((a, b) => a - b);
  tell(`one change: median ${at(durations, 0.5)} ms, p99 ${at(durations, 0.99)} ms, ${writesPerChange} writes`);

  const resting = await writesOf([east, west]);
  const restingAt = { east: (await east.writes()).length, west: (await west.writes()).length };
  await sleep(REST_MS);
  const writesAtRest = (await writesOf([east, west])) - resting;
  tell(`at rest for ${REST_MS / 1000} s: ${writesAtRest} writes`);
  await tellWrites(east, restingAt.east, tell);
  await tellWrites(west, restingAt.west, tell);

  await west.kill('gateway');
  const killedMs = performance.now();
  await west.start('gateway', 'gateway-1');
  await waitFor(
    'every endpoint is the new gateway',
    () => countInForce(observed.caches, 'gateway-1') === exports,
    300_000,
  );
  const replacedMs = performance.now() - killedMs;
  tell(`a gateway replaced under ${exports} imports: ${(replacedMs / 1000).toFixed(1)} s`);

  if (imports > exports) {
    tell(`growing to ${imports} imports`);
    await inParallel(imports - exports, (index) => createExport(east, exports + index));
    await whenInForce(observed.caches, imports);
    await settle([east, west]);
    await tellMemory(west, tell);
  }
  return {
    bench: 'control',
    change_p99_ms: at(durations, 0.99),
    scratch_s: round(scratchMs / 1000),
    writes_per_change: round(writesPerChange),
    writes_at_rest: writesAtRest,
    rss_mb: { controller: west.rssMb('controller'), gateway: west.rssMb('gateway') },
    gateway_replaced_s: round(replacedMs / 1000),
  };
}

async function tellMemory(peer: BenchPeer, tell: (text: string) => void): Promise<void> {
  for (const part of ['controller', 'gateway'] as const) {
    const heap = (await peer.metric(part, 'nodejs_heap_size_used_bytes')) / 2 ** 20;
    const cpu = await peer.metric(part, 'process_cpu_seconds_total');
    tell(
      `${part}: ${peer.rssMb(part)} MiB resident, ${Math.round(heap)} MiB of heap, ${cpu.toFixed(1)} s of CPU so far`,
    );
  }
}

/** Everything that does not change: the tenant's namespace, the pod behind every export, and that everybody may. */
async function prepare({ server }: BenchPeer): Promise<void> {
  await apply(server, namespace(NAMESPACE));
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'backend', namespace: NAMESPACE } };
  await apply(server, { ...pod, spec: { containers: [{ name: 'main', image: 'none' }] } });
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString() }];
  await apply(
    server,
    { ...pod, status: { phase: 'Running', podIP: BACKEND, podIPs: [{ ip: BACKEND }], conditions } },
    'status',
  );
  await apply(server, {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'BaselineAccessPolicy',
    metadata: { name: 'all' },
    spec: { action: 'allow', from: [{ workloadSelector: {} }], to: [{ workloadSelector: {} }] },
  });
}

/** The importer alone has a rule: the exporter does not import its own exports. */
async function importEverything({ server }: BenchPeer): Promise<void> {
  await apply(server, {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ClusterImportRule',
    metadata: { name: 'all' },
    spec: { peers: { all: true }, exports: { all: true }, into: { sameNamespace: true } },
  });
}

async function introduce(here: BenchPeer, other: BenchPeer): Promise<void> {
  await apply(here.server, {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Peer',
    metadata: { name: other.name, namespace: SYSTEM },
    spec: { gateways: [{ host: other.address, port: GATEWAY_PORT }] },
  });
}

async function createExport({ server }: BenchPeer, index: number): Promise<void> {
  const metadata = { name: `svc-${index}`, namespace: NAMESPACE };
  await applyService(server, index, PORT);
  await apply(server, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': metadata.name } },
    addressType: 'IPv4',
    ports: [{ name: 'main', protocol: 'TCP', port: PORT }],
    endpoints: [
      {
        addresses: [BACKEND],
        conditions: { ready: true },
        targetRef: { kind: 'Pod', name: 'backend', namespace: NAMESPACE },
      },
    ],
  });
  await apply(server, { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata });
}

async function applyService(server: BenchPeer['server'], index: number, port: number): Promise<void> {
  await apply(server, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `svc-${index}`, namespace: NAMESPACE },
    spec: { ports: [{ name: 'main', protocol: 'TCP', port, targetPort: PORT }] },
  });
}

function observe({ server }: BenchPeer): { readonly caches: Observed; close(): Promise<void> } {
  const access = loadAccess({ kubeconfig: server.kubeconfig });
  const store = openKubernetesStore({
    access,
    logger: makeLogger({ level: 'warn', bindings: { component: 'bench' } }),
  });
  const caches = openCaches(store, OBSERVED);
  return {
    caches,
    async close() {
      closeCaches(caches);
      await store.close();
      await access.close();
    },
  };
}

/** Looks seldom: to look at a thousand imports costs as much as the parts need to change some. */
async function whenInForce(caches: Observed, count: number, gateway?: string): Promise<void> {
  await waitFor(
    `${count} imports are in force`,
    async () => {
      if (countInForce(caches, gateway) === count) return true;
      await sleep(LOOK_MS);
      return false;
    },
    IN_FORCE_TIMEOUT_MS,
  );
}

/** Imports whose every object says what it should; with `gateway`, whose endpoint is that pod. */
function countInForce(caches: Observed, gateway?: string): number {
  return caches.ImportBinding.list().filter((binding) => isInForce(caches, binding.spec.import.name, gateway)).length;
}

function isInForce(caches: Observed, name: string, gateway?: string): boolean {
  const binding = caches.ImportBinding.get({ namespace: SYSTEM, name: `${name}.${NAMESPACE}` });
  const serviceImport = caches.ServiceImport.get({ namespace: NAMESPACE, name });
  const [port] = binding?.spec.ports ?? [];
  if (binding === undefined || serviceImport === undefined || port?.targetPort === undefined) return false;
  const ready = serviceImport.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
  if (!ready || serviceImport.spec?.ports[0]?.port !== port.port) return false;
  const derived = serviceImport.metadata?.annotations?.['multicluster.kubernetes.io/derived-service'] ?? '';
  if (caches.Service.get({ namespace: SYSTEM, name: derived })?.spec?.ports?.[0]?.port !== port.port) return false;
  const slices = slicesOf(caches);
  const own = slices.derived.get(derived) ?? [];
  const isListed = own.some(
    ({ endpoints, ports }) =>
      ports?.some((each) => each.port === port.targetPort) === true &&
      endpoints.some(({ targetRef }) => gateway === undefined || targetRef?.name === gateway) &&
      endpoints.every(({ targetRef }) => gateway === undefined || targetRef?.name === gateway),
  );
  return (
    isListed &&
    (slices.mcs.get(name) ?? []).some(({ ports }) => ports?.some((each) => each.port === port.port) === true)
  );
}

type Slice = ReturnType<Observed['EndpointSlice']['list']>[number];
interface SliceIndex {
  readonly derived: ReadonlyMap<string, readonly Slice[]>;
  readonly mcs: ReadonlyMap<string, readonly Slice[]>;
}
const indexes = new WeakMap<readonly Slice[], SliceIndex>();

/** The list is one array until something changes: so is its index. */
function slicesOf(caches: Observed): SliceIndex {
  const list = caches.EndpointSlice.list();
  const present = indexes.get(list);
  if (present !== undefined) return present;
  const label = (slice: Slice, key: string): string => slice.metadata?.labels?.[key] ?? '';
  const index = {
    derived: Map.groupBy(
      list.filter(({ metadata }) => metadata?.namespace === SYSTEM),
      (slice) => label(slice, 'kubernetes.io/service-name'),
    ),
    mcs: Map.groupBy(
      list.filter(({ metadata }) => metadata?.namespace === NAMESPACE),
      (slice) => label(slice, 'multicluster.kubernetes.io/service-name'),
    ),
  };
  indexes.set(list, index);
  return index;
}

interface Change {
  readonly east: BenchPeer;
  readonly west: BenchPeer;
  readonly change: number;
  readonly exports: number;
}

/** Another port, so that everything down to the listener and the SRV record has to follow. Milliseconds. */
async function changeOne(caches: Observed, { east, west, change, exports }: Change): Promise<number> {
  const index = (change * 7_919) % exports;
  const name = `svc-${index}`;
  const port = PORT + 1 + change;
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([`${west.address}:${DNS_PORT}`]);
  const begunMs = performance.now();
  await applyService(east.server, index, port);
  await waitFor(
    `${name} has port ${port}`,
    async () => {
      const binding = caches.ImportBinding.get({ namespace: SYSTEM, name: `${name}.${NAMESPACE}` });
      const bound = binding?.spec.ports[0];
      if (bound?.port !== port || bound.targetPort === undefined || !isInForce(caches, name)) return false;
      await connectTo(west.address, bound.targetPort);
      const [answer] = await resolver.resolveSrv(`${name}.${NAMESPACE}.svc.clusterset.local`);
      return answer?.port === port;
    },
    30_000,
  );
  return Math.round(performance.now() - begunMs);
}

async function connectTo(host: string, port: number): Promise<void> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}

/** No write for a while: whatever was under way has ended. */
async function settle(peers: readonly BenchPeer[]): Promise<void> {
  let last = -1;
  await waitFor(
    'writes end',
    async () => {
      const count = await writesOf(peers);
      if (count === last) return true;
      last = count;
      await sleep(SETTLE_MS);
      return false;
    },
    120_000,
  );
}

async function writesOf(peers: readonly BenchPeer[]): Promise<number> {
  const writes = await Promise.all(peers.map((peer) => peer.writes()));
  return writes.flat().length;
}

/** Which writes there were after the first `since`, a line for each peer. */
async function tellWrites(peer: BenchPeer, since: number, tell: (text: string) => void): Promise<void> {
  const writes = (await peer.writes()).slice(since);
  const counts = [...Map.groupBy(writes, (write) => write)].map(([write, each]) => `${write} ${each.length}`).sort();
  tell(`writes at ${peer.name}: ${counts.join(', ') || 'none'}`);
}

/** Of a sorted list: the nearest rank. */
function at(sorted: readonly number[], quantile: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * quantile) - 1)] ?? 0;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** @throws {AppError} `ERR_USAGE` */
export async function main(args: readonly string[]): Promise<number> {
  const flags = makeFlags(
    'control',
    'How fast, and with how many writes, what changes in one peer is in force in another.',
  )
    .option('--exports <n>', 'exports that the other peer imports', wholeNumber(EXPORTS_MAX), 1_000)
    .option('--changes <n>', 'changes of one export', wholeNumber(EXPORTS_MAX), 100)
    .option('--imports <n>', 'imports at which memory is looked at', wholeNumber(EXPORTS_MAX), 5_000)
    .option('--json', 'as it is without: nothing but the result goes to standard output');
  const result = await runControlBench(readFlags<Options>(flags, args), (text) => console.error(text));
  console.log(JSON.stringify(result));
  return 0;
}
