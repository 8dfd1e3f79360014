/** Names and keys that this product gives meaning to. */
import { hash } from 'node:crypto';

/** Prefix of all annotations and labels of ours; an unknown annotation below it makes an object invalid (fail closed). */
export const OUR_PREFIX = 'mcs.clusterlink.net/';

export const ANNOTATIONS = {
  /** On a Service, standalone: where it listens, `[port=]host:port[,host:port...][;port=...]`. */
  endpoints: `${OUR_PREFIX}endpoints`,
  /** On a ServiceExport or an Export: comma-separated peers that alone may use it. */
  exportTo: `${OUR_PREFIX}export-to`,
  /** On a ServiceExport: name or number of the TCP port that ClusterLink peers get who ask for the export by its name alone. */
  port: `${OUR_PREFIX}port`,
  /** On a ServiceExport, written by the controller: the number of the first TCP port when it was first seen. */
  firstPort: `${OUR_PREFIX}first-port`,
  /** On a ServiceExport or an Export: `v2`, or `v2:` and ports: its endpoints are told of each connection by a PROXY header. */
  proxyProtocol: `${OUR_PREFIX}proxy-protocol`,
  /** On a Peer: comma-separated attributes it may assert about its workloads: namespace, service-account, labels. */
  mayAssert: `${OUR_PREFIX}may-assert`,
  /** On a Peer: the roots that alone vouch for it, in PEM; absent: those of the fabric. */
  roots: `${OUR_PREFIX}roots`,
  /** On a Peer: confirms that records which are held since then (RFC 3339) were meant to go. */
  acceptLoss: `${OUR_PREFIX}accept-loss`,
  /** On a Peer: comma-separated `namespace/name:port` of exports that it has and tells no records of. */
  exports: `${OUR_PREFIX}exports`,
  /** On a ServiceImport of a user: comma-separated `peer/namespace/name` of the exports that are to back it. */
  sources: `${OUR_PREFIX}sources`,
  /** On an import rule, a user's ServiceImport or an Import: `off`: nothing of a client is sent before its source has answered. */
  earlyData: `${OUR_PREFIX}early-data`,
  /** On a derived Service: `namespace/name` of its import. */
  import: `${OUR_PREFIX}import`,
  /** On a derived Service whose import is gone: since when (RFC 3339). */
  unusedSince: `${OUR_PREFIX}unused-since`,
  /** On a derived Service: target ports that its import gave up, and when: `20017@2026-11-20T12:00:00Z,...`. */
  restingPorts: `${OUR_PREFIX}resting-ports`,
} as const;

export const LABELS = {
  /** On everything this product writes. */
  managedBy: 'app.kubernetes.io/managed-by',
  /** On what is made of one import outside its namespace, or beside it. */
  importNamespace: `${OUR_PREFIX}import-namespace`,
  importName: `${OUR_PREFIX}import-name`,
  /** Of pods: which program, and which part of it. */
  appName: 'app.kubernetes.io/name',
  component: 'app.kubernetes.io/component',
} as const;
/** ClusterLink's, on an Import: `true` adds its endpoints to a Service that is there. */
export const IMPORT_MERGE_LABEL = 'import.clusterlink.net/merge';
export const MANAGED_BY = 'clusterlink-mcs';

/** Kubernetes bounds the names of field managers so. */
const MANAGER_NAME_CHARS_MAX = 128;

/**
 * The field manager under which one gateway pod writes its entry of `ImportBinding.status.gateways`. Whoever applies an
 * empty status under this name takes the entry back, as the controller does for pods that are gone.
 */
export function gatewayStatusManager(podName: string): string {
  const name = `clusterlink-mcs-gateway-${podName}`;
  if (name.length <= MANAGER_NAME_CHARS_MAX) return name;
  // A pod's name has up to 253 characters: its beginning for people, its hash for being one of a kind.
  const digest = hash('sha256', podName, 'hex').slice(0, 16);
  return `${name.slice(0, MANAGER_NAME_CHARS_MAX - digest.length - 1)}-${digest}`;
}

/** Attribute keys that access policies select on (ClusterLink's vocabulary). */
export const ATTRIBUTES = {
  clientNamespace: 'client.clusterlink.net/namespace',
  clientServiceAccount: 'client.clusterlink.net/service-account',
  /** Followed by the label's key. */
  clientLabelPrefix: 'client.clusterlink.net/labels.',
  peerName: 'peer.clusterlink.net/name',
  peerLabelPrefix: 'peer.clusterlink.net/labels.',
  exportName: 'export.clusterlink.net/name',
  exportNamespace: 'export.clusterlink.net/namespace',
  exportLabelPrefix: 'export.clusterlink.net/labels.',
} as const;

/** Where Peer, PeerRecords and ImportBinding objects live (the name ClusterLink uses). */
export const SYSTEM_NAMESPACE = 'clusterlink-system';

/** The Service whose EndpointSlice Kubernetes keeps for its API server. */
export const API_SERVER = 'default/kubernetes';

/** Namespaces that wildcards never reach unless an administrator lists them (DESIGN §5). */
export function isRestrictedNamespace(namespace: string): boolean {
  return /^(kube-.*|openshift.*|default|clusterlink-system)$/.test(namespace);
}

const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

/** An RFC 1123 label: at most 63 of a-z, 0-9 and '-', with a letter or digit at both ends. */
export function isLabel(text: string): boolean {
  return LABEL.test(text);
}

/** A DNS subdomain name as Kubernetes bounds object names: dot-separated labels, at most 253 characters. */
export function isSubdomain(text: string): boolean {
  return text.length <= 253 && SUBDOMAIN.test(text);
}
