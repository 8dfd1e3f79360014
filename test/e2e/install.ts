/**
 * Two real clusters with the product in both, as an owner would put it there: the image, `create`, `deploy peer`, a Peer object for
 * the other side, and the stub zone in CoreDNS.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startClusters, type TestCluster } from '#test/clusters/pair.ts';
import { waitFor } from '#test/support/wait.ts';

const run = promisify(execFile);
const ROOT = new URL('../../', import.meta.url).pathname;
const FABRIC = 'e2e';
const SYSTEM = 'clusterlink-system';
/** Where the gateways of each cluster are dialled: the same on every node. */
const NODE_PORT = 30_443;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

export interface Installation {
  readonly kubeconfig: string;
  readonly clusters: readonly [TestCluster, TestCluster];
  close(): Promise<void>;
}

export interface InstallOptions {
  /** Peers and clusters are called so. */
  readonly names?: readonly [string, string];
  readonly profile?: 'base' | 'clusterset';
}

/** Builds the image, starts the clusters, installs, and returns when both peers have a session with each other. */
export async function install({
  names = ['c1', 'c2'],
  profile = 'clusterset',
}: InstallOptions = {}): Promise<Installation> {
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-e2e-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  await node('scripts/image/main.ts');
  // Otherwise both hand out the same pod addresses, and a connection to the wrong cluster could look right.
  const started = await startClusters({ names, podRangeStarts: { [names[1]]: '10.244.0.130' } });
  undo.defer(() => started.close());
  const [first, second] = started.clusters;
  if (first === undefined || second === undefined) throw new Error('two clusters were asked for');
  const clusters = [first, second] as const;

  await cli('create', 'fabric', '--name', FABRIC, '--path', folder);
  await Promise.all(
    clusters.map((cluster) => installPeer(cluster, { folder, profile, kubeconfig: started.kubeconfig })),
  );
  await Promise.all([introduce(first, second), introduce(second, first)]);
  await Promise.all(clusters.map(addStubZone));
  await Promise.all([whenReachable(first, second), whenReachable(second, first)]);
  const opened = undo.move();
  return { kubeconfig: started.kubeconfig, clusters, close: () => opened.disposeAsync() };
}

/** For programs that want clusters and nothing else of it: the conformance suite. */
export async function withInstalledClusters(
  use: (installed: { readonly kubeconfig: string; readonly contexts: readonly string[] }) => Promise<number>,
): Promise<number> {
  const { kubeconfig, clusters, close } = await install();
  try {
    return await use({ kubeconfig, contexts: clusters.map(({ context }) => context) });
  } finally {
    await close();
  }
}

interface PeerInstallation {
  readonly folder: string;
  readonly profile: 'base' | 'clusterset';
  readonly kubeconfig: string;
}

async function installPeer(cluster: TestCluster, { folder, profile, kubeconfig }: PeerInstallation): Promise<void> {
  const { name, context } = cluster;
  await cluster.loadImage(join(ROOT, 'build/image/clusterlink-mcs.tar'));
  await cli('create', 'peer-cert', '--fabric', FABRIC, '--path', folder, '--name', name);
  const where = ['--kubeconfig', kubeconfig, '--context', context];
  const files = ['--name', name, '--fabric-dir', join(folder, FABRIC)];
  const gateway = ['--gateway-service', 'NodePort', '--node-port', String(NODE_PORT)];
  await cli('deploy', 'peer', ...files, ...gateway, ...where, '--profile', profile, '--wait', '120');
}

/** Each owner says whom it knows, and where that one is dialled. */
async function introduce(here: TestCluster, other: TestCluster): Promise<void> {
  await apply(
    here,
    `apiVersion: clusterlink.net/v1alpha1
kind: Peer
metadata: {name: ${other.name}, namespace: ${SYSTEM}}
spec: {gateways: [{host: ${other.nodeIp}, port: ${NODE_PORT}}]}
`,
  );
}

async function addStubZone(cluster: TestCluster): Promise<void> {
  const { kubectl } = cluster;
  const address = await kubectl(`-n ${SYSTEM} get svc clusterlink-mcs-dns -o jsonpath={.spec.clusterIP}`.split(' '));
  const stub = (await readFile(join(ROOT, 'coredns/Corefile.stub'), 'utf8')).replaceAll(
    '192.0.2.53:53',
    `${address}:53`,
  );
  const map = JSON.parse(await kubectl('-n kube-system get configmap coredns -o json'.split(' '))) as {
    data: { Corefile: string };
  };
  const patch = { data: { Corefile: `${map.data.Corefile}\n${stub}` } };
  await kubectl([...'-n kube-system patch configmap coredns --type merge -p'.split(' '), JSON.stringify(patch)]);
  // The kubelet takes a minute to bring a changed ConfigMap into a pod; a new pod has it at once.
  await kubectl('-n kube-system rollout restart deployment/coredns'.split(' '));
  await kubectl('-n kube-system rollout status deployment/coredns --timeout=60s'.split(' '));
}

async function whenReachable(here: TestCluster, other: TestCluster): Promise<void> {
  const path = '-o=jsonpath={.status.conditions[?(@.type=="PeerReachable")].status}';
  await waitFor(
    `${here.name} reaches ${other.name}`,
    async () => (await here.kubectl(['-n', SYSTEM, 'get', 'peer', other.name, path])) === 'True',
    60_000,
  );
}

async function apply({ kubectl }: TestCluster, manifest: string): Promise<void> {
  await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input: manifest });
}

async function cli(...args: readonly string[]): Promise<string> {
  return await node('bin/clusterlink-mcs.mjs', ...args);
}

async function node(script: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [join(ROOT, script), ...args], {
    cwd: ROOT,
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  return stdout;
}
