/**
 * Real Kubernetes clusters on this machine, for the end-to-end and conformance tests: each with its own etcd, kube-apiserver, kubelet,
 * kube-proxy, containerd and CoreDNS, with the same pod and service ranges, reaching each other by node address only.
 *
 *     await using pair = await startClusters({ names: ['east', 'west'], manifests: ['crds'] });
 *     await pair.clusters[0].kubectl(['get', 'pods', '--all-namespaces']);
 *
 * The scripts beside this file do the work; `cluster` says what a cluster is made of.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startReaper } from '../support/api-server/reaper.ts';
import { cacheFolder } from '../support/api-server/source.ts';
import { waitFor } from '../support/wait.ts';
import { run, runOrThrow, type Finished, type RunOptions } from './command.ts';
import { checkRequirements } from './requirements.ts';

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const ROOT = script('../../');
const CLUSTER = script('cluster');
const MKBIN = script('mkbin');
const MKIMAGES = script('mkimages');

/** Where the test process has died, an "up" of it may just begin: it is let begin, and then ended by "down". */
const REAP = `
  [ "$word" = done ] || sleep 2
  rm -rf "$1"; cluster=$2; shift 2; code=0
  for name; do "$cluster" down "$name" || code=1; done
  exit $code`;

/** 16 s on an idle machine with two cores; the script's own waits are shorter. */
const UP_TIMEOUT_MS = 300_000;
const READY_TIMEOUT_MS = 60_000;

export type Daemon =
  'containerd' | 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-proxy' | 'kube-scheduler' | 'kubelet';

export interface ClustersOptions {
  /** A letter and up to 8 letters, digits or "-"; also the names of the contexts. Unique on the machine. */
  readonly names: readonly string[];
  /** Files or folders, from the project's root, applied as soon as the API server answers: CRDs. */
  readonly manifests?: readonly string[];
  /** Where the zone clusterset.local comes from: nobody (default), or CoreDNS' own plugin, which needs the CRDs among the manifests. */
  readonly clustersetDns?: 'none' | 'coredns';
  /** The first pod address of a cluster, by its name: both give the same ones otherwise, and a mix-up can pass a test by chance. */
  readonly podRangeStarts?: Readonly<Record<string, string>>;
  readonly proxyMode?: 'iptables' | 'nftables';
  /** Further flags of every kube-apiserver; paths in them are this machine's. */
  readonly apiServerFlags?: readonly string[];
}

export interface TestCluster {
  readonly name: string;
  readonly context: string;
  /** The path of an admin kubeconfig file with this cluster alone. */
  readonly kubeconfig: string;
  /** The path of a kubectl of the cluster's version. */
  readonly kubectlPath: string;
  /** Reachable from the test and from the other clusters' nodes and pods. */
  readonly nodeIp: string;
  /** Runs kubectl as administrator. @throws {Error} when it fails, with what it said. */
  kubectl(args: readonly string[], options?: RunOptions): Promise<string>;
  /** Runs a program of this machine inside the cluster's namespaces, as if on its node. Any exit code is an answer. */
  exec(command: readonly string[], options?: RunOptions): Promise<Finished>;
  /** Gives an archive (docker or OCI layout) to the node; pods name it with imagePullPolicy IfNotPresent or Never. */
  loadImage(archive: string): Promise<void>;
  /** Ends a daemon, default by SIGTERM, and waits until it has ended. */
  stopDaemon(daemon: Daemon, signal?: NodeJS.Signals): Promise<void>;
  startDaemon(daemon: Daemon): Promise<void>;
  restartDaemon(daemon: Daemon): Promise<void>;
  /** Waits, a minute at most, until the API server answers and the node is ready. */
  waitUntilReady(): Promise<void>;
  /** What the daemon has logged since the cluster came up. */
  log(daemon: Daemon): Promise<string>;
}

export interface TestClusters extends AsyncDisposable {
  /** In the order of the names. */
  readonly clusters: readonly TestCluster[];
  /** The path of one kubeconfig file with a context for each cluster. */
  readonly kubeconfig: string;
  /** Brings all of them down. So does the end of the test process, whatever ends it. */
  close(): Promise<void>;
}

/**
 * Brings clusters up side by side. The first time on a machine this builds Kubernetes (12 minutes on two cores); then it takes 16 s.
 *
 * @throws {Error} that lists everything the machine lacks, or with the words of the cluster that did not come up.
 */
export async function startClusters(options: ClustersOptions): Promise<TestClusters> {
  const { names } = options;
  await checkRequirements(MKBIN);
  await buildWhatIsMissing();
  await Promise.all(names.map(assertDown));
  const folder = await mkdtemp(join(tmpdir(), 'clusters-'));
  const reaper = startReaper(REAP, [folder, CLUSTER, ...names]);
  const close = async (): Promise<void> => {
    const code = await reaper.close();
    if (code !== 0) throw new Error(`not every cluster of ${names.join(', ')} came down; its output is above`);
  };
  try {
    await Promise.all(names.map((name) => bringUp(name, options)));
    const kubeconfig = join(folder, 'kubeconfig');
    await writeFile(kubeconfig, await runOrThrow([CLUSTER, 'kubeconfig', ...names]), { mode: 0o600 });
    const clusters = await Promise.all(names.map(makeCluster));
    return { clusters, kubeconfig, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Kubernetes itself takes minutes, once, with its progress on standard error; the images take two seconds. */
async function buildWhatIsMissing(): Promise<void> {
  if ((await run([MKBIN, 'check', 'all'])).code !== 0) {
    process.stderr.write('building Kubernetes for the test clusters, once: about 12 minutes\n');
    const child = spawn(MKBIN, ['all'], { stdio: ['ignore', 2, 2] });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`${MKBIN} all ended with ${code}; its output is above`);
  }
  await runOrThrow([MKIMAGES]);
}

/** Whoever started it uses it: it is not ours to take over, and must not be brought down with ours. */
async function assertDown(name: string): Promise<void> {
  const { code } = await run([CLUSTER, 'exec', name, '--', 'true']);
  if (code === 0)
    throw new Error(`a cluster ${name} is up already. Fix: choose another name, or ${CLUSTER} down ${name}`);
}

async function bringUp(
  name: string,
  {
    manifests = [],
    clustersetDns = 'none',
    podRangeStarts = {},
    proxyMode = 'iptables',
    apiServerFlags = [],
  }: ClustersOptions,
): Promise<void> {
  const podRangeStart = podRangeStarts[name];
  const flags = [
    ...manifests.flatMap((path) => ['--manifests', resolve(ROOT, path)]),
    ...['--clusterset-zone', clustersetDns === 'coredns' ? 'clusterset.local' : ''],
    ...(podRangeStart === undefined ? [] : ['--pod-range-start', podRangeStart]),
    ...['--proxy-mode', proxyMode],
  ];
  await runOrThrow([CLUSTER, 'up', name, ...flags], {
    timeoutMs: UP_TIMEOUT_MS,
    env: { KUBE_APISERVER_ARGS: apiServerFlags.join(' ') },
  });
}

/**
 * A cluster that is up already, whoever brought it up: it stays up.
 *
 * @throws {Error} when it is not up.
 */
export async function findCluster(name: string): Promise<TestCluster> {
  const { code } = await run([CLUSTER, 'exec', name, '--', 'true']);
  if (code !== 0) throw new Error(`no cluster ${name} is up. Fix: ${CLUSTER} up ${name}`);
  return makeCluster(name);
}

async function makeCluster(name: string): Promise<TestCluster> {
  const home = join(cacheFolder(), 'run', name);
  const kubeconfig = join(home, 'admin.kubeconfig');
  const kubectl = join(cacheFolder(), 'bin', 'kubectl');
  const daemon = async (verb: 'stop' | 'start' | 'restart', ...args: readonly string[]): Promise<void> => {
    await runOrThrow([CLUSTER, verb, name, ...args]);
  };
  return {
    name,
    context: name,
    kubeconfig,
    kubectlPath: kubectl,
    nodeIp: (await readFile(join(home, 'node-ip'), 'utf8')).trim(),
    kubectl: (args, options) => runOrThrow([kubectl, '--kubeconfig', kubeconfig, ...args], options),
    exec: (command, options) => run([CLUSTER, 'exec', name, '--', ...command], options),
    loadImage: async (archive) => void (await runOrThrow([CLUSTER, 'load', name, archive])),
    stopDaemon: (which, signal = 'SIGTERM') => daemon('stop', which, signal.slice('SIG'.length)),
    startDaemon: (which) => daemon('start', which),
    restartDaemon: (which) => daemon('restart', which),
    waitUntilReady: () => waitUntilReady([kubectl, '--kubeconfig', kubeconfig], name),
    log: (which) => readFile(join(home, 'log', which), 'utf8'),
  };
}

/** kubectl gives up at the first refused connection, so that it is asked again. */
async function waitUntilReady(kubectl: readonly string[], name: string): Promise<void> {
  const wait = ['wait', '--for=condition=Ready', `node/${name}`, '--timeout=1s'];
  await waitFor(
    `${name} is ready`,
    async () =>
      (await run([...kubectl, 'get', '--raw=/readyz'])).code === 0 && (await run([...kubectl, ...wait])).code === 0,
    READY_TIMEOUT_MS,
  );
}
