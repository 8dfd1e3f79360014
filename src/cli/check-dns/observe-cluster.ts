/** Reads what `check dns` judges, with the rights of the user: what they do not reach is said to be unknown. */
import { AppError } from '../../api/errors.ts';
import { LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { ApiTransport } from '../../store/kubernetes/access.ts';
import { makeCluster, type Cluster } from '../deploy/cluster.ts';
import type { Manifest } from '../deploy/manifests.ts';
import { resourceOf } from '../deploy/resources.ts';
import { distributionOf } from './distribution.ts';
import { CHECK_DNS_REQUEST_TIMEOUT_MS } from './limits.ts';
import {
  isUnread,
  type Asker,
  type ClusterDns,
  type ClusterObservation,
  type NodeLocal,
  type ResponderService,
  type Unread,
} from './observation.ts';
import { dataOf } from './other-dns.ts';
import { groupsOf, isAllowed, type Wanted } from './rights.ts';
import { settingsOf } from './responder-settings.ts';

const DNS_NAMESPACE = 'kube-system';
/** Of the pods and the Service, whatever server it is. */
const DNS_LABELS = 'k8s-app=kube-dns';
const RESPONDER = `${MANAGED_BY}-dns`;
const DNS_PORT = 53;
/** What `multicluster` needs beyond CoreDNS' own role. */
const READ_IMPORTS = { group: 'multicluster.x-k8s.io', resource: 'serviceimports', verbs: ['list', 'watch'] };

type Transport = Pick<ApiTransport, 'request'>;

/** Of the built-in kinds what is looked at here; the models of this project have what the product itself reads. */
type NodeBody = Manifest & {
  readonly spec?: { readonly podCIDRs?: readonly string[]; readonly podCIDR?: string };
  readonly status?: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] };
};
type PodBody = Manifest & {
  readonly spec?: {
    readonly containers?: readonly { readonly name: string }[];
    readonly volumes?: readonly { readonly configMap?: { readonly name?: string } }[];
    readonly hostNetwork?: boolean;
    readonly serviceAccountName?: string;
  };
  readonly status?: { readonly podIP?: string };
};
type ServiceBody = Manifest & {
  readonly spec?: {
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly externalIPs?: readonly string[];
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly protocol?: string; readonly port: number }[];
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
};
type EndpointSliceBody = Manifest & {
  readonly endpoints?: readonly { readonly conditions?: { readonly ready?: boolean } }[] | null;
};

/** @throws {AppError} `ERR_STORE_UNAVAILABLE`, `ERR_TIMEOUT`; `ERR_FORBIDDEN` for what cannot be done without. */
export async function observeDns(access: Transport): Promise<ClusterObservation> {
  const transport: Transport = {
    request: (request) => access.request({ ...request, timeoutMs: CHECK_DNS_REQUEST_TIMEOUT_MS }),
  };
  const cluster = makeCluster(transport);
  const services = await cluster.list(resourceOf('Service'), { namespace: SYSTEM_NAMESPACE });
  const nodes = (await orElse(cluster.list(resourceOf('Node')), [])) as NodeBody[];
  const pods = (await orElse(
    cluster.list(resourceOf('Pod'), { namespace: DNS_NAMESPACE, labelSelector: DNS_LABELS }),
    [],
  )) as PodBody[];
  const dns = await readDns(transport, cluster, pods);
  const [configMap, deployment] = await Promise.all([
    orUnread(cluster.get(configMapAt(SYSTEM_NAMESPACE, MANAGED_BY))),
    orElse(cluster.get(objectAt('apps/v1', 'Deployment', SYSTEM_NAMESPACE, RESPONDER)), undefined),
  ]);
  return {
    distribution: distributionOf({ dns, nodes }),
    responder: responderOf(services),
    readyEndpoints: await countReady(cluster),
    settings: settingsOf(configMap, deployment),
    dns,
    nodeLocal: await readNodeLocal(transport, cluster),
    podRanges: [...new Set(nodes.flatMap(({ spec }) => spec?.podCIDRs ?? spec?.podCIDR ?? []))],
    nodeAddresses: nodes.flatMap(({ status }) =>
      (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
    ),
  };
}

function responderOf(services: readonly ServiceBody[]): ResponderService | undefined {
  const main = services.find(({ metadata }) => metadata?.name === RESPONDER);
  if (main === undefined) return undefined;
  const leading = services.filter(
    (service) => service !== main && service.spec?.selector?.[LABELS.component] === 'dns',
  );
  const port = main.spec?.ports?.find(({ protocol }) => protocol === 'UDP')?.port ?? DNS_PORT;
  const beside = [...leading.flatMap(clusterIpsOf), ...[main, ...leading].flatMap(outerAddressesOf)];
  return { addresses: clusterIpsOf(main), port, others: beside };
}

function clusterIpsOf({ spec }: ServiceBody): string[] {
  const all = spec?.clusterIPs ?? (spec?.clusterIP === undefined ? [] : [spec.clusterIP]);
  return all.filter((address) => address !== 'None' && address !== '');
}

function outerAddressesOf({ spec, status }: ServiceBody): string[] {
  return [...(spec?.externalIPs ?? []), ...(status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? [])];
}

async function countReady(cluster: Cluster): Promise<number | Unread> {
  const slices = await orUnread(
    cluster.list(resourceOf('EndpointSlice'), {
      namespace: SYSTEM_NAMESPACE,
      labelSelector: `kubernetes.io/service-name=${RESPONDER}`,
    }),
  );
  if (isUnread(slices)) return slices;
  const endpoints = (slices as EndpointSliceBody[]).flatMap((slice) => slice.endpoints ?? []);
  // Not said is ready (EndpointConditions).
  return endpoints.filter(({ conditions }) => conditions?.ready !== false).length;
}

async function readDns(transport: Transport, cluster: Cluster, pods: readonly PodBody[]): Promise<ClusterDns> {
  const operator = await getUnlisted(transport, '/apis/operator.openshift.io/v1/dnses/default');
  if (operator !== undefined) return { kind: 'operator', object: operator };
  const askers = pods.flatMap(askerOf);
  const isKubeDns = pods.some(({ spec }) => (spec?.containers ?? []).some(({ name }) => name === 'kubedns'));
  if (isKubeDns) {
    const configMap = await cluster.get(configMapAt(DNS_NAMESPACE, 'kube-dns'));
    return { kind: 'kube-dns', configMap, askers };
  }
  const configMap = await readCorefile(cluster, pods);
  if (configMap === undefined) {
    const why = `neither CoreDNS with a ConfigMap in ${DNS_NAMESPACE}, nor kube-dns, nor OpenShift's operator was found`;
    return { kind: 'unknown', why };
  }
  const custom = await cluster.get(configMapAt(DNS_NAMESPACE, 'coredns-custom'));
  const services = (await orElse(
    cluster.list(resourceOf('Service'), { namespace: DNS_NAMESPACE, labelSelector: DNS_LABELS }),
    [],
  )) as ServiceBody[];
  const serviceAccount = pods.map(({ spec }) => spec?.serviceAccountName).find(Boolean) ?? 'coredns';
  return {
    kind: 'coredns',
    configMap,
    custom,
    serviceAddresses: services.flatMap(clusterIpsOf),
    askers,
    serviceAccount,
    mayReadImports: await mayReadImports(transport, cluster, serviceAccount),
  };
}

/** The one that the pods of CoreDNS have; its usual name where no pod is seen. */
async function readCorefile(cluster: Cluster, pods: readonly PodBody[]): Promise<Manifest | undefined> {
  const mounted = pods.flatMap(({ spec }) => (spec?.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? []));
  for (const name of new Set([...mounted, 'coredns'])) {
    const configMap = await cluster.get(configMapAt(DNS_NAMESPACE, name));
    if (configMap !== undefined && dataOf(configMap)['Corefile'] !== undefined) return configMap;
  }
  return undefined;
}

function askerOf({ metadata, spec, status }: PodBody): Asker[] {
  const name = `pod ${metadata?.namespace}/${metadata?.name}`;
  if (status?.podIP === undefined) return [];
  return [{ name, address: status.podIP, isOnHostNetwork: spec?.hostNetwork === true }];
}

/** As the API server would decide; who may not ask it that reads the roles, which is all of it where no other authorizer decides. */
async function mayReadImports(
  transport: Transport,
  cluster: Cluster,
  serviceAccount: string,
): Promise<boolean | Unread> {
  const wanted = { ...READ_IMPORTS, namespace: DNS_NAMESPACE, serviceAccount };
  for (const verb of wanted.verbs) {
    const allowed = await askAccess(transport, wanted, verb);
    if (allowed === undefined) {
      const roles = await orUnread(cluster.list(resourceOf('ClusterRole')));
      const bindings = await orUnread(cluster.list(resourceOf('ClusterRoleBinding')));
      if (isUnread(roles)) return roles;
      return isUnread(bindings) ? bindings : isAllowed(wanted, roles, bindings);
    }
    if (!allowed) return false;
  }
  return true;
}

/** undefined where this user may not ask. */
async function askAccess(transport: Transport, wanted: Wanted, verb: string): Promise<boolean | undefined> {
  const { group, resource, namespace, serviceAccount } = wanted;
  const { status, body } = await transport.request({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: `system:serviceaccount:${namespace}:${serviceAccount}`,
        groups: groupsOf(wanted),
        resourceAttributes: { group, resource, verb },
      },
    },
    timeoutMs: CHECK_DNS_REQUEST_TIMEOUT_MS,
  });
  if (status !== 201) return undefined;
  return (body as { readonly status?: { readonly allowed?: boolean } }).status?.allowed === true;
}

async function readNodeLocal(transport: Transport, cluster: Cluster): Promise<NodeLocal | undefined> {
  const path = `/apis/apps/v1/namespaces/${DNS_NAMESPACE}/daemonsets/node-local-dns`;
  if ((await getUnlisted(transport, path)) === undefined) return undefined;
  const configMap = await orUnread(cluster.get(configMapAt(DNS_NAMESPACE, 'node-local-dns')));
  const stubDomains = await orElse(cluster.get(configMapAt(DNS_NAMESPACE, 'kube-dns')), undefined);
  return { configMap: configMap ?? { unread: 'it is not there' }, stubDomains };
}

/** Of a kind that an installation of ours does not have; undefined where it is not there, or may not be seen. */
async function getUnlisted(transport: Transport, path: string): Promise<Manifest | undefined> {
  const { status, body } = await transport.request({ method: 'GET', path, timeoutMs: CHECK_DNS_REQUEST_TIMEOUT_MS });
  return status === 200 ? (body as Manifest) : undefined;
}

function configMapAt(namespace: string, name: string): Manifest {
  return objectAt('v1', 'ConfigMap', namespace, name);
}

function objectAt(apiVersion: string, kind: string, namespace: string, name: string): Manifest {
  return { apiVersion, kind, metadata: { namespace, name } };
}

/** For what the user may not see. */
async function orUnread<T>(read: Promise<T>): Promise<T | Unread> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof AppError && error.code === 'ERR_FORBIDDEN') return { unread: error.message };
    throw error;
  }
}

async function orElse<T>(read: Promise<T>, otherwise: T): Promise<T> {
  const found = await orUnread(read);
  return isUnread(found) ? otherwise : found;
}
