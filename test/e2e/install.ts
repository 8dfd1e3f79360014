/**
 * Two real clusters with the product in both, as an owner would put it there: the image, `create`, `deploy peer`, a Peer object for
 * the other side, and the stub zone in CoreDNS.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startClusters } from '#test/clusters/pair.ts';
import { run, runOrThrow, type Finished } from '#test/clusters/command.ts';
import { fillIn } from '#test/support/coredns-files.ts';
import { waitFor } from '#test/support/wait.ts';
import { toMember, type Member } from './members.ts';

export const ROOT = new URL('../../', import.meta.url).pathname;
export const SYSTEM = 'clusterlink-system';
const FABRIC = 'e2e';
const LAUNCHER = join(ROOT, 'bin/clusterlink-mcs.mjs');
/** Where the gateways of each cluster are dialled: the same on every node. */
const NODE_PORT = 30_443;
const IMAGE_ARCHIVE = join(ROOT, 'build/image/clusterlink-mcs.tar');

/** Every request of our service accounts, and nothing of anybody else: what was refused is among it. */
const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, userGroups: ['system:serviceaccounts:${SYSTEM}']}
  - {level: None}
`;

export type Profile = 'base' | 'clusterset';
export type Pair = readonly [Member, Member];

export interface Installation {
  /** One file with a context for each cluster. */
  readonly kubeconfig: string;
  readonly clusters: Pair;
  /** Holds the fabric, and the audit logs of clusters that were started here. */
  readonly folder: string;
  close(): Promise<void>;
}

export interface InstallOptions {
  /** Peers and clusters are called so. */
  readonly names?: readonly [string, string];
  readonly profile?: Profile;
  /** Stays; without it a temporary folder, which goes. */
  readonly folder?: string;
}

/** Builds the image, starts the clusters, installs, and returns when both peers have a session with each other. */
export async function install({
  names = ['c1', 'c2'],
  profile = 'clusterset',
  folder: given,
}: InstallOptions = {}): Promise<Installation> {
  await using undo = new AsyncDisposableStack();
  const folder = given ?? (await mkdtemp(join(tmpdir(), 'clusterlink-mcs-e2e-')));
  if (given === undefined) undo.defer(() => rm(folder, { recursive: true, force: true }));
  await mkdir(folder, { recursive: true });
  const policy = join(folder, 'audit-policy.yaml');
  await writeFile(policy, AUDIT_POLICY);
  await runOrThrow([process.execPath, join(ROOT, 'scripts/image/main.ts')]);
  const started = await startClusters({
    names,
    // Otherwise both hand out the same pod addresses, and a connection to the wrong cluster could look right.
    podRangeStarts: { [names[1]]: '10.244.0.130' },
    apiServerFlags: [`--audit-policy-file=${policy}`, `--audit-log-path=${auditLog(folder)}`],
  });
  undo.defer(() => started.close());
  const [first, second] = started.clusters;
  if (first === undefined || second === undefined) throw new Error('two clusters were asked for');
  await Promise.all([first.loadImage(IMAGE_ARCHIVE), second.loadImage(IMAGE_ARCHIVE)]);
  const clusters = [toMember(first), toMember(second)] as const;
  await installInto(clusters, { folder, profile });
  const opened = undo.move();
  return { kubeconfig: started.kubeconfig, clusters, folder, close: () => opened.disposeAsync() };
}

/** Of both clusters, line by line: both name their peer in it. */
export function auditLog(folder: string): string {
  return join(folder, 'audit.log');
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

export interface DeployOptions {
  readonly folder: string;
  readonly profile: Profile;
  /** Default: the image that `npm run image` makes. */
  readonly image?: string;
}

/** Into clusters that have the image, or can pull it. */
export async function installInto(clusters: Pair, options: DeployOptions): Promise<void> {
  const [first, second] = clusters;
  const { folder } = options;
  if (!existsSync(join(folder, FABRIC))) await cli('create', 'fabric', '--name', FABRIC, '--path', folder);
  await Promise.all(clusters.map((member) => installPeer(member, options)));
  await Promise.all([introduce(first, second), introduce(second, first)]);
  await Promise.all(clusters.map(addStubZone));
  await Promise.all([whenReachable(first, second), whenReachable(second, first)]);
}

async function installPeer(member: Member, options: DeployOptions): Promise<void> {
  const { name } = member;
  if (!existsSync(join(options.folder, FABRIC, name))) {
    await cli('create', 'peer-cert', '--fabric', FABRIC, '--path', options.folder, '--name', name);
  }
  await deployPeer(member, options);
}

/** `deploy peer` as the install page has it. Resolves with what it printed. */
export async function deployPeer(member: Member, { folder, profile, image }: DeployOptions): Promise<string> {
  const { name, kubeconfig, context } = member;
  const where = ['--kubeconfig', kubeconfig, '--context', context];
  const files = ['--name', name, '--path', folder, '--fabric', FABRIC];
  const gateway = ['--ingress', 'NodePort', '--ingress-port', String(NODE_PORT)];
  const from = image === undefined ? [] : ['--image', image];
  return cli('deploy', 'peer', ...files, ...gateway, ...where, ...from, '--profile', profile, '--wait', '120');
}

/** `delete peer`. Resolves with what it printed. */
export async function deletePeer({ kubeconfig, context }: Member): Promise<string> {
  return cli('delete', 'peer', '--kubeconfig', kubeconfig, '--context', context);
}

/** `check --context`, whatever it ends with. */
export async function checkCluster(
  { kubeconfig, context }: Pick<Member, 'kubeconfig' | 'context'>,
  output: 'text' | 'json' = 'text',
): Promise<Finished> {
  const where = ['--kubeconfig', kubeconfig, '--context', context];
  return run([process.execPath, LAUNCHER, 'check', ...where, '-o', output]);
}

/** Each owner says whom it knows, and where that one is dialled. */
async function introduce(here: Member, other: Member): Promise<void> {
  const manifest = `apiVersion: clusterlink.net/v1alpha1
kind: Peer
metadata: {name: ${other.name}, namespace: ${SYSTEM}}
spec: {gateways: [{host: ${other.nodeIp}, port: ${NODE_PORT}}]}
`;
  await here.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input: manifest });
}

async function addStubZone(member: Member): Promise<void> {
  const { kubectl } = member;
  const address = await kubectl(`-n ${SYSTEM} get svc clusterlink-mcs-dns -o jsonpath={.spec.clusterIP}`.split(' '));
  const stub = await fillIn('Corefile.stub', address);
  const map = JSON.parse(await kubectl('-n kube-system get configmap coredns -o json'.split(' '))) as {
    data: { Corefile: string };
  };
  if (map.data.Corefile.includes(stub)) return;
  // Of an installation before this one: the responder had another address, and CoreDNS takes one block for a zone.
  const others = map.data.Corefile.replace(/\n(?:#[^\n]*\n)*clusterset\.local:53 \{[^]*?\n\}\n/, '');
  const patch = { data: { Corefile: `${others}\n${stub}` } };
  await kubectl([...'-n kube-system patch configmap coredns --type merge -p'.split(' '), JSON.stringify(patch)]);
  await restartCoreDns(member);
}

/** The kubelet takes a minute to bring a changed ConfigMap into a pod; a new pod has it at once. */
export async function restartCoreDns({ kubectl }: Pick<Member, 'kubectl'>): Promise<void> {
  await kubectl('-n kube-system rollout restart deployment/coredns'.split(' '));
  await kubectl('-n kube-system rollout status deployment/coredns --timeout=60s'.split(' '));
}

async function whenReachable(here: Member, other: Member): Promise<void> {
  const path = '-o=jsonpath={.status.conditions[?(@.type=="PeerReachable")].status}';
  await waitFor(
    `${here.name} reaches ${other.name}`,
    async () => (await here.kubectl(['-n', SYSTEM, 'get', 'peer', other.name, path])) === 'True',
    60_000,
  );
}

async function cli(...args: readonly string[]): Promise<string> {
  return runOrThrow([process.execPath, LAUNCHER, ...args], { timeoutMs: 300_000 });
}
