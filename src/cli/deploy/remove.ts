/**
 * Takes a peer out of a cluster, by itself: no controller has to run for it, and none of ours can write while it happens.
 *
 * Kept: what users made (ServiceExports, ServiceImports, rules and policies of theirs) and the CRDs, with which everybody's objects
 * would go.
 */
import { parse } from 'yaml';
import { AppError } from '../../api/errors.ts';
import { LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { describeObject } from '../../api/object.ts';
import { CONTROLLER_MANAGER } from '../../controllers/controller.ts';
import { waitUntil, type Cluster, type ListOptions } from './cluster.ts';
import type { Say } from './install.ts';
import { DELETE_ROUNDS_MAX } from './limits.ts';
import type { Manifest } from './manifests.ts';
import { CONFIGURATION, PART_OF } from './peer-objects.ts';
import { resourceOf } from './resources.ts';
import { findOthers } from './system-namespace.ts';
import { takeBack } from './take-back.ts';

/** @throws {AppError} `ERR_USAGE` when the cluster is another peer. */
export async function assertPeer(cluster: Pick<Cluster, 'get'>, name: string): Promise<void> {
  const found = await cluster.get({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: CONFIGURATION, namespace: SYSTEM_NAMESPACE },
  });
  const { 'peer.yaml': text = '' } = (found?.['data'] ?? {}) as Readonly<Record<string, string | undefined>>;
  const peer = text === '' ? undefined : (parse(text) as { readonly peer?: unknown } | null)?.peer;
  // Half of it may be gone after an earlier delete: what is left is nobody's then.
  if (peer === undefined || peer === name) return;
  throw new AppError('ERR_USAGE', `--name ${name}: this cluster is peer ${JSON.stringify(peer)}`, {
    fix: 'choose the cluster with --context, or name the peer that is to go',
  });
}

/** Objects of one kind. Labels can be copied with a manifest, so none is ours for its label alone. */
interface Lot extends ListOptions {
  readonly kind: string;
  isOurs?(object: Manifest): boolean;
}

/** Of the installation: with its label, in our namespace, or, of no namespace, with a name that an installation gives. */
function installed(kind: string): Lot {
  const labelled = { kind, labelSelector: `${PART_OF.key}=${PART_OF.value}` };
  if (resourceOf(kind).namespaced) return { ...labelled, namespace: SYSTEM_NAMESPACE };
  return { ...labelled, isOurs: ({ metadata }) => INSTALLED_NAMES.test(metadata?.name ?? '') };
}
const INSTALLED_NAMES = /^(?:clusterlink-mcs(?:-[a-z]+)?|clusterlink-system|clusterset)$/;

/** What the controller wrote: the server keeps who applied an object, and a copy does not carry that. */
const written = (kind: string): Lot => ({
  kind,
  labelSelector: `${LABELS.managedBy}=${MANAGED_BY}`,
  isOurs: ({ metadata }) =>
    (metadata?.managedFields ?? []).some(
      ({ manager, operation }) => manager === CONTROLLER_MANAGER && operation === 'Apply',
    ),
});
const system = (kind: string): Lot => ({ kind, namespace: SYSTEM_NAMESPACE });

/** First the rights of our accounts, so that nothing is made anew behind our back; then the processes. */
const PROCESSES: readonly Lot[] = ['ClusterRoleBinding', 'RoleBinding', 'Deployment'].map(installed);
/** What the processes wrote, in every namespace. */
const OUTPUT: readonly Lot[] = [
  ...['ServiceImport', 'EndpointSlice', 'Service', 'ClusterProperty'].map(written),
  ...['ImportBinding', 'PeerRecords'].map(system),
];
/** The rest of the installation, the profile included. The admission policy goes late: it binds accounts that lived until now. */
const INSTALLATION: readonly Lot[] = [
  'ClusterImportRule',
  'BaselineAccessPolicy',
  'Service',
  'PodDisruptionBudget',
  'NetworkPolicy',
  'ConfigMap',
  'Secret',
  'Role',
  'ServiceAccount',
  'ClusterRole',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingAdmissionPolicy',
].map(installed);
const NAMESPACE: Lot = installed('Namespace');

/** What `remove` would delete, in that order; Peers go with the namespace. */
export async function findRemovable(cluster: Cluster): Promise<Manifest[]> {
  const found: Manifest[] = [];
  for (const lot of [...PROCESSES, ...OUTPUT, ...INSTALLATION, system('Peer'), NAMESPACE]) {
    found.push(...(await listLot(cluster, lot)));
  }
  return [...new Map(found.map((object) => [describeObject(object), object])).values()];
}

/** @throws {AppError} `ERR_CONFLICT` when somebody keeps making objects with our label. */
export async function removePeer(cluster: Cluster, say: Say): Promise<void> {
  await removeLots(cluster, PROCESSES, say);
  await removeOutput(cluster, say);
  await removeLots(cluster, INSTALLATION, say);
  await takeBack(cluster, say);
  const others = await findOthers(cluster);
  if (others === undefined) await removeLots(cluster, [NAMESPACE], say);
  else say(`Namespace ${SYSTEM_NAMESPACE} kept: others use it (${others})`);
}

/** @throws {AppError} `ERR_TIMEOUT`. */
export async function waitUntilGone(cluster: Cluster, waitSeconds: number): Promise<void> {
  const isGone = async (): Promise<boolean> =>
    (await listLot(cluster, NAMESPACE)).length === 0 || (await findOthers(cluster)) !== undefined;
  if (await waitUntil(isGone, waitSeconds * 1000)) return;
  throw new AppError('ERR_TIMEOUT', `Namespace ${SYSTEM_NAMESPACE}: is still there after ${waitSeconds} s`, {
    fix: `look what it waits for with: kubectl get namespace ${SYSTEM_NAMESPACE} -o yaml`,
  });
}

/** A write that was under way may land behind a list: rounds, until one finds nothing. */
async function removeOutput(cluster: Cluster, say: Say): Promise<void> {
  for (let round = 1; round <= DELETE_ROUNDS_MAX; round += 1) {
    if ((await removeLots(cluster, OUTPUT, say)) === 0) return;
  }
  throw new AppError('ERR_CONFLICT', `objects labelled ${LABELS.managedBy}=${MANAGED_BY}: new ones keep coming`, {
    fix: 'end the clusterlink-mcs that runs outside this installation, and run the command again',
  });
}

async function removeLots(cluster: Cluster, lots: readonly Lot[], say: Say): Promise<number> {
  let removed = 0;
  for (const lot of lots) {
    for (const object of await listLot(cluster, lot)) {
      if (!(await cluster.remove(object))) continue;
      removed += 1;
      say(`${describeObject(object)} deleted`);
    }
  }
  return removed;
}

/** What is going already needs no second push: it may wait for somebody else's finalizer. */
async function listLot(cluster: Cluster, { kind, isOurs = () => true, ...options }: Lot): Promise<Manifest[]> {
  const objects = (await cluster.list(resourceOf(kind), options)).filter(isOurs);
  return kind === 'Namespace' ? objects : objects.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
}
