/** Reads what `check --context CONTEXT` judges: CRDs, Deployments, pods, and what gateways say of themselves. */
import { AppError } from '../api/errors.ts';
import type { IPod } from '../api/generated/Pod.ts';
import { LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../api/names.ts';
import { isReady, readyGateways } from '../controllers/endpoints/gateways.ts';
import type { ApiTransport } from '../store/kubernetes/access.ts';
import type { ClusterObservation, ObservedComponent, ObservedCrd, ObservedGateway } from './check-cluster.ts';
import { makeCluster, type Cluster } from './deploy/cluster.ts';
import { readCrds } from './deploy/manifests.ts';
import { resourceOf } from './deploy/resources.ts';
import { parseClientAddresses } from './run/cluster/client-addresses.ts';

/** One request: reads wait for no webhook. Through the API server to a pod is one more way to go. */
const CHECK_REQUEST_TIMEOUT_MS = 10_000;
/** Gateways that are asked; what the network does to clients is the same for all others. */
const GATEWAYS_ASKED_MAX = 20;
/** `metrics` in the manifests. */
const HTTP_PORT = 9090;
const COMPONENTS = ['gateway', 'controller', 'dns'] as const;

type Transport = Pick<ApiTransport, 'request'>;

/** @throws {AppError} `ERR_STORE_UNAVAILABLE`, `ERR_TIMEOUT`, `ERR_FORBIDDEN`. */
export async function observeCluster(access: Transport): Promise<ClusterObservation> {
  const transport: Transport = {
    request: (request) => access.request({ ...request, timeoutMs: CHECK_REQUEST_TIMEOUT_MS }),
  };
  const cluster = makeCluster(transport);
  const crds: ObservedCrd[] = [];
  for (const wanted of await readCrds()) crds.push({ wanted, present: await cluster.get(wanted) });
  const pods = (await cluster.list(resourceOf('Pod'), {
    namespace: SYSTEM_NAMESPACE,
    labelSelector: `${LABELS.appName}=${MANAGED_BY}`,
  })) as IPod[];
  const components: ObservedComponent[] = [];
  for (const name of COMPONENTS) components.push(await observeComponent(cluster, name, pods));
  const asked = readyGateways(pods).slice(0, GATEWAYS_ASKED_MAX);
  const gateways = await Promise.all(asked.map(({ name }) => askGateway(transport, name)));
  return { crds, components, gateways };
}

async function observeComponent(cluster: Cluster, name: string, pods: readonly IPod[]): Promise<ObservedComponent> {
  const metadata = { namespace: SYSTEM_NAMESPACE, name: `${MANAGED_BY}-${name}` };
  const deployment = await cluster.get({ apiVersion: 'apps/v1', kind: 'Deployment', metadata });
  const { replicas = 1 } = (deployment?.['spec'] ?? {}) as { readonly replicas?: number };
  const ready = pods.filter((pod) => pod.metadata?.labels?.[LABELS.component] === name && isReady(pod));
  return { name, replicas: deployment === undefined ? undefined : replicas, readyPods: ready.length };
}

/** The way to a pod may be closed to the API server, by a network policy or a firewall: that is no fault of the pod. */
async function askGateway(transport: Transport, pod: string): Promise<ObservedGateway> {
  const path = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/pods/${encodeURIComponent(pod)}:${HTTP_PORT}/proxy/client`;
  try {
    const { status, body } = await transport.request({ method: 'GET', path, timeoutMs: CHECK_REQUEST_TIMEOUT_MS });
    if (status !== 200) return { pod, clients: { unread: reasonOf(status) } };
    return { pod, clients: parseClientAddresses(body) ?? { unread: 'it does not say; an older version may run' } };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { pod, clients: { unread: error.message } };
  }
}

function reasonOf(status: number): string {
  if (status === 403) return 'this user may not get pods/proxy';
  if (status === 404) return 'it does not say; an older version may run';
  return `the API server answers ${status} for it`;
}
