/** The objects of one peer: what manifests/base says, with the words of the command line. Pure. */
import { createHash } from 'node:crypto';
import { parseDocument } from 'yaml';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { formatHostPort } from '../../runtime/host-port.ts';
import { parseProxyUrl } from '../../runtime/proxy-url.ts';
import type { Manifest } from './manifests.ts';

/** The Service of the gateway. */
export interface Ingress {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer';
  /** Of a NodePort: the node's; absent: the cluster chooses. Of a LoadBalancer: its own; absent: as the manifests have it. */
  readonly port?: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Identity {
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
  /** Revocation lists of the fabric; absent: nobody was revoked. */
  readonly crlPem?: string;
}

export interface PeerIntent {
  readonly base: readonly Manifest[];
  readonly peer: string;
  readonly fabric: string;
  readonly ingress: Ingress;
  /** Absent: as the manifests have it, as are the next two. */
  readonly replicas?: Readonly<Partial<Record<'gateway' | 'controller', number>>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly logLevel?: string;
  /** Absent: as the manifests have it. */
  readonly image?: string;
  readonly identity: Identity;
  /** The URL of the HTTP proxy through which peers are dialled; may hold a password. */
  readonly proxy?: string;
  /** As the configuration's `proxyExcept`. */
  readonly proxyExcept?: readonly string[];
}

/** On every object that an installation consists of, by whichever way it came. */
export const PART_OF = { key: 'app.kubernetes.io/part-of', value: 'clusterlink-mcs' } as const;

export const CONFIGURATION = 'clusterlink-mcs';
const IDENTITY = 'clusterlink-mcs-peer';
const PART_PREFIX = 'clusterlink-mcs-';
const GATEWAY = `${PART_PREFIX}gateway`;

/** In the order in which they have to be applied: what pods need comes before their Deployments. */
export function peerObjects(intent: PeerIntent): Manifest[] {
  const { base, identity, proxy } = intent;
  const configured = base.map((object) => configure(object, intent));
  const configuration = configured.find((object) => isNamed(object, 'ConfigMap', CONFIGURATION));
  const digests = {
    configuration: digestOf(JSON.stringify(configuration?.['data'])),
    // Of what everybody may know: the digest of a key, or of a password, would be a hint at it.
    identity: digestOf(identity.caPem + identity.certPem + addressOfProxy(proxy)),
  };
  const objects = configured.map((object) => (object.kind === 'Deployment' ? withDigests(object, digests) : object));
  const firstDeployment = objects.findIndex(({ kind }) => kind === 'Deployment');
  return objects.toSpliced(firstDeployment, 0, identitySecret(identity, proxy));
}

/** The one object that holds a secret: it is written to the API server, and printed nowhere. */
export function isIdentitySecret(object: Manifest): boolean {
  return isNamed(object, 'Secret', IDENTITY);
}

function configure(object: Manifest, intent: PeerIntent): Manifest {
  if (isNamed(object, 'ConfigMap', CONFIGURATION)) return withPeer(object, intent);
  if (isNamed(object, 'Service', GATEWAY)) return withIngress(object, intent);
  return object.kind === 'Deployment' ? withReplicas(withImage(object, intent), intent) : object;
}

/** The file keeps its comments: people read it. */
function withPeer(object: Manifest, { peer, fabric, proxyExcept, labels, logLevel }: PeerIntent): Manifest {
  const data = object['data'] as Readonly<Record<string, string>>;
  const file = parseDocument(data['peer.yaml'] ?? '');
  file.set('peer', peer);
  file.setIn(['fabric', 'name'], fabric);
  if (proxyExcept !== undefined) file.set('proxyExcept', proxyExcept);
  if (labels !== undefined) file.set('labels', labels);
  if (logLevel !== undefined) file.setIn(['log', 'level'], logLevel);
  return { ...object, data: { ...data, 'peer.yaml': file.toString({ lineWidth: 0 }) } };
}

interface ServiceSpec {
  readonly ports: readonly { readonly name: string }[];
}

function withIngress(object: Manifest, { ingress: { type, port, annotations } }: PeerIntent): Manifest {
  const spec = object['spec'] as ServiceSpec;
  const chosen = port === undefined ? {} : { [type === 'NodePort' ? 'nodePort' : 'port']: port };
  const ports = spec.ports.map((each) => ({ ...each, ...chosen }));
  const metadata = annotations === undefined ? {} : { metadata: { ...object.metadata, annotations } };
  return { ...object, ...metadata, spec: { ...spec, type, ports } };
}

interface DeploymentSpec {
  readonly replicas: number;
  readonly template: {
    readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
    readonly spec: { readonly containers: readonly object[]; readonly volumes?: readonly { readonly name: string }[] };
  };
}

function withReplicas(object: Manifest, { replicas = {} }: PeerIntent): Manifest {
  const part = object.metadata?.name?.slice(PART_PREFIX.length) as keyof typeof replicas;
  const count = replicas[part];
  return count === undefined ? object : { ...object, spec: { ...(object['spec'] as DeploymentSpec), replicas: count } };
}

function withImage(object: Manifest, { image }: PeerIntent): Manifest {
  if (image === undefined) return object;
  const spec = object['spec'] as DeploymentSpec;
  const containers = spec.template.spec.containers.map((container) => ({ ...container, image }));
  const template = { ...spec.template, spec: { ...spec.template.spec, containers } };
  return { ...object, spec: { ...spec, template } };
}

/** A process reads its configuration at its start only: another one means other pods. Only gateways have the identity. */
function withDigests(object: Manifest, digests: Readonly<Record<'configuration' | 'identity', string>>): Manifest {
  const spec = object['spec'] as DeploymentSpec;
  const annotations = {
    ...spec.template.metadata.annotations,
    'checksum/configuration': digests.configuration,
    ...(object.metadata?.name === GATEWAY ? { 'checksum/identity': digests.identity } : {}),
  };
  const template = { ...spec.template, metadata: { ...spec.template.metadata, annotations } };
  return { ...object, spec: { ...spec, template } };
}

function identitySecret({ caPem, certPem, keyPem, crlPem }: Identity, proxy: string | undefined): Manifest {
  const files = {
    'ca.pem': caPem,
    'cert.pem': certPem,
    'key.pem': keyPem,
    ...(crlPem === undefined ? {} : { 'crl.pem': crlPem }),
    ...(proxy === undefined ? {} : { proxy }),
  };
  // Not stringData: what was applied so is never compared, and a second apply would count as a change.
  const data = Object.entries(files).map(([name, text]) => [name, Buffer.from(text).toString('base64')]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: IDENTITY,
      namespace: SYSTEM_NAMESPACE,
      labels: { 'app.kubernetes.io/name': 'clusterlink-mcs', [PART_OF.key]: PART_OF.value },
    },
    type: 'Opaque',
    data: Object.fromEntries(data) as Record<string, string>,
  };
}

/** `host:port`; other credentials alone make no other pods. */
function addressOfProxy(url: string | undefined): string {
  const parsed = url === undefined ? undefined : parseProxyUrl(url);
  return parsed?.ok === true ? formatHostPort(parsed.proxy) : '';
}

function isNamed(object: Manifest, kind: string, name: string): boolean {
  return object.kind === kind && object.metadata?.name === name;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
