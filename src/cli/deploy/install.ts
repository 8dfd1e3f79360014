/** Applies the objects of a peer in their order, and waits until its pods serve. A second run changes nothing. */
import { AppError } from '../../api/errors.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { describeObject } from '../../api/object.ts';
import { waitUntil, type Cluster } from './cluster.ts';
import { decideCrd } from './crd-verdict.ts';
import { CRD_SERVED_TIMEOUT_MS } from './limits.ts';
import type { Manifest } from './manifests.ts';
import { PART_OF } from './peer-objects.ts';
import { resourceOf } from './resources.ts';

/** One line for each object. */
export type Say = (line: string) => void;

export async function installCrds(cluster: Cluster, crds: readonly Manifest[], say: Say): Promise<void> {
  const written: Manifest[] = [];
  for (const crd of crds) {
    const verdict = decideCrd(crd, await cluster.get(crd));
    if (verdict.action === 'leave') {
      say(`${describeObject(crd)} left alone: ${verdict.why}`);
      continue;
    }
    say(`${describeObject(crd)} ${await cluster.apply(crd)}`);
    written.push(crd);
  }
  for (const crd of written) await waitForCrd(cluster, crd);
}

/** @throws {AppError} `ERR_NOT_FOUND` naming the CRDs without which nothing works. */
export async function assertCrds(cluster: Cluster, crds: readonly Manifest[]): Promise<void> {
  const missing: string[] = [];
  for (const crd of crds) if ((await cluster.get(crd)) === undefined) missing.push(crd.metadata?.name ?? '');
  if (missing.length === 0) return;
  throw new AppError('ERR_NOT_FOUND', `CRDs ${missing.join(', ')}: are not installed`, {
    fix: 'leave out --no-with-crds, or apply manifests/crds with kubectl apply --server-side -k',
  });
}

export async function applyAll(cluster: Cluster, objects: readonly Manifest[], say: Say): Promise<void> {
  for (const object of objects) say(`${describeObject(object)} ${await cluster.apply(object)}`);
}

interface CrdSpec {
  readonly group: string;
  readonly names: { readonly plural: string };
  readonly versions: readonly { readonly name: string; readonly served: boolean }[];
}

/** The handlers of a version come after the condition Established: what counts is that they answer. */
async function waitForCrd(cluster: Cluster, crd: Manifest): Promise<void> {
  const { group, names, versions } = crd['spec'] as CrdSpec;
  const paths = versions.filter(({ served }) => served).map(({ name }) => `/apis/${group}/${name}/${names.plural}`);
  const areServed = async (): Promise<boolean> => {
    for (const path of paths) if (!(await cluster.answers(path))) return false;
    return true;
  };
  if (await waitUntil(areServed, CRD_SERVED_TIMEOUT_MS)) return;
  throw new AppError('ERR_TIMEOUT', `${describeObject(crd)}: is not served after ${CRD_SERVED_TIMEOUT_MS / 1000} s`, {
    fix: `look at its conditions with: kubectl get crd ${crd.metadata?.name ?? ''} -o yaml`,
  });
}

interface DeploymentState {
  readonly spec?: { readonly replicas?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly replicas?: number;
  };
}

/** @throws {AppError} `ERR_TIMEOUT` naming what is not ready, and why its pods wait. */
export async function waitForDeployments(
  cluster: Cluster,
  objects: readonly Manifest[],
  waitSeconds: number,
): Promise<void> {
  const deployments = objects.filter(({ kind }) => kind === 'Deployment');
  let waiting: readonly Manifest[] = deployments;
  const areReady = async (): Promise<boolean> => {
    const states = await Promise.all(waiting.map(async (object) => ({ object, state: await cluster.get(object) })));
    waiting = states.filter(({ state }) => !isReady(state)).map(({ object }) => object);
    return waiting.length === 0;
  };
  if (await waitUntil(areReady, waitSeconds * 1000)) return;
  const reasons = await waitingReasons(cluster);
  const names = waiting.map(describeObject).join(', ');
  throw new AppError('ERR_TIMEOUT', `${names}: not ready after ${waitSeconds} s${reasons}`, {
    fix: `look with: kubectl -n ${SYSTEM_NAMESPACE} get pods, and kubectl -n ${SYSTEM_NAMESPACE} logs POD`,
  });
}

function isReady(deployment: Manifest | undefined): boolean {
  const { spec, status } = (deployment ?? {}) as DeploymentState;
  const wanted = spec?.replicas ?? 1;
  // The old pods of a rollout are among `replicas` until they are gone.
  return (
    status?.observedGeneration === deployment?.metadata?.generation &&
    status?.updatedReplicas === wanted &&
    status.availableReplicas === wanted &&
    status.replicas === wanted
  );
}

interface PodState {
  readonly status?: {
    readonly containerStatuses?: readonly { readonly state?: { readonly waiting?: { readonly reason?: string } } }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  };
}

/** `ImagePullBackOff`, `CrashLoopBackOff`, `Unschedulable`: what to look for. Text of the cluster itself, not of a peer. */
async function waitingReasons(cluster: Cluster): Promise<string> {
  const pods = await cluster.list(resourceOf('Pod'), {
    namespace: SYSTEM_NAMESPACE,
    labelSelector: `${PART_OF.key}=${PART_OF.value}`,
  });
  const reasons = pods.flatMap((pod) => {
    const { containerStatuses = [], conditions = [] } = (pod as PodState).status ?? {};
    const scheduled = conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
    const found = [scheduled?.reason, ...containerStatuses.map(({ state }) => state?.waiting?.reason)];
    return found.filter((reason) => reason !== undefined);
  });
  return reasons.length === 0 ? '' : ` (${[...new Set(reasons)].join(', ')})`;
}
