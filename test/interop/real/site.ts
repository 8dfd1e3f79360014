/** One real ClusterLink peer: etcd, kube-apiserver, cl-controlplane and a data plane, without nodes (reference §10). */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { findCondition } from '#src/api/conditions.ts';
import type { Condition } from '#src/api/object.ts';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { applyManifests, createNamespace } from '#test/support/api-server/manifests.ts';
import type { Manifest as ApiManifest, Rest } from '#test/support/api-server/rest.ts';
import type { FlavourName } from '#test/support/clusterlink/flavour.ts';
import { waitFor } from '#test/support/wait.ts';
import type { InteropFabric } from '../fabric.ts';
import { CLUSTERLINK, SYSTEM, toManifests, type Manifest } from '../manifests.ts';
import type { Manners, Side, SideObjects, SideOptions } from '../side.ts';
import type { Network } from './network.ts';
import { startProgram, whenReady, whenTrue } from './programs.ts';
import { LISTENING, startRelay } from './relay.ts';
import { writeSiteFiles, type SiteFiles } from './site-files.ts';

export interface SiteOptions extends SideOptions {
  readonly flavour: FlavourName;
  readonly fabric: InteropFabric;
  readonly network: Network;
  /** Folder of cl-controlplane, cl-go-dataplane and cl-dataplane. */
  readonly programs: string;
  readonly crds: string;
  readonly envoy: string | undefined;
  /** Of ClusterLink's programs; default `info`. */
  readonly logLevel?: 'info' | 'warn';
}

/** A real peer, and what only whoever measures it wants to know. */
export interface Site extends Side {
  /** Of its control plane and of its data plane. */
  readonly pids: readonly number[];
}

const API_PORT = 6_443;
const GATEWAY_PORT = 4_443;
const FIRST_TARGET_PORT = 20_000;
const CONDITION_WAIT_MS = 30_000;
const RELAY = join(import.meta.dirname, 'relay.ts');

const MANNERS: Readonly<Record<FlavourName, Manners>> = {
  go: { claimedName: 'believed', tokenOfAnother: 'taken', lateAnswer: 'lost', deadGateway: 'live-first', idleMs: 0 },
  envoy: {
    claimedName: 'believed',
    tokenOfAnother: 'taken',
    lateAnswer: 'lost',
    deadGateway: 'every-other-fails',
    idleMs: 300_000,
  },
};
let sites = 0;

export async function startSite(options: SiteOptions): Promise<Site> {
  const { name, fabric, network, crds } = options;
  await using failing = new AsyncDisposableStack();
  const folder = join(fabric.path, `site-${++sites}`);
  await mkdir(folder);
  await fabric.identity(name);
  const token = randomBytes(16).toString('hex');
  const tokens = join(folder, 'tokens.csv');
  await writeFile(tokens, `${token},interop,interop,"system:masters"\n`, { mode: 0o600 });
  const server = failing.use(
    await startApiServer({ crds: await crdFiles(crds), args: [`--token-auth-file=${tokens}`] }),
  );
  for (const namespace of [SYSTEM, 'shop', 'store']) await createNamespace(server.admin, namespace);
  await createClientPod(server.admin, network.host);
  const files = await writeSiteFiles({ folder, fabric, peer: name, token, caPem: await caOf(server) });
  const { gateway, pids } = await startPrograms({ ...options, folder, files, server, failing });
  const running = failing.move();
  const side = toSide({ options, server, files, gateway, close: () => running.disposeAsync() });
  return { ...side, pids };
}

/** Instances are for the operator, which is not here. */
async function crdFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /^clusterlink\.net_(?!instances).*\.yaml$/.test(name));
  return names.map((name) => join(folder, name));
}

async function caOf({ kubeconfig }: ApiServer): Promise<string> {
  const { clusters } = parse(await readFile(kubeconfig, 'utf8')) as {
    readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  };
  return Buffer.from(clusters[0]?.cluster['certificate-authority-data'] ?? '', 'base64').toString();
}

/** So that the address of our clients is a pod's: without attributes half of the policies refuse everybody (§4.4). */
async function createClientPod(admin: Rest, address: string): Promise<void> {
  await createNamespace(admin, 'clients');
  const metadata = { name: 'client', namespace: 'clients' };
  await applyManifests(admin, [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec: { serviceAccountName: 'front', containers: [{ name: 'client', image: 'none' }] },
    },
  ]);
  const status = { phase: 'Running', hostIP: '192.0.2.1', podIP: address, podIPs: [{ ip: address }] };
  await admin.request('PATCH', '/api/v1/namespaces/clients/pods/client/status', { body: { status } });
}

interface Parts extends SiteOptions {
  readonly folder: string;
  readonly files: SiteFiles;
  readonly server: ApiServer;
  readonly failing: AsyncDisposableStack;
}

/** @returns where its gateway is, and the ids of both planes. */
async function startPrograms(parts: Parts): Promise<Pick<Running, 'gateway'> & Pick<Site, 'pids'>> {
  const { name, flavour, labels = {}, network, programs, envoy, folder, files, server, failing } = parts;
  const { logLevel = 'info' } = parts;
  const socket = join(folder, 'api.sock');
  const relay = await startRelay({ path: socket }, { host: '127.0.0.1', port: Number(new URL(server.url).port) });
  failing.defer(() => void relay.close());
  const [control, data] = [await network.addNamespace(), await network.addNamespace()];
  failing.defer(() => control.close());
  failing.defer(() => data.close());
  const joint = startProgram({
    namespace: control,
    command: [process.execPath, RELAY, String(API_PORT), socket],
  });
  await whenTrue(joint, 'the way to the API server', () => joint.output().includes(LISTENING));
  const peerLabels = Object.entries(labels).flatMap(([key, value]) => ['--peer-label', `${key}=${value}`]);
  const controlPlane = startProgram({
    namespace: control,
    command: [join(programs, 'cl-controlplane'), '--log-level', logLevel, ...peerLabels],
    environment: { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(API_PORT) },
    files,
  });
  await whenReady(controlPlane, `the control plane of ${name}`);
  const dataPlane = startProgram({
    namespace: data,
    command: [
      join(programs, flavour === 'envoy' ? 'cl-dataplane' : 'cl-go-dataplane'),
      '--controlplane-host',
      control.address,
      '--log-level',
      logLevel,
    ],
    files,
    ...(flavour === 'envoy' && envoy !== undefined ? { envoy } : {}),
  });
  await whenReady(dataPlane, `the data plane of ${name}`);
  const pids = [controlPlane, dataPlane].map(({ pid }) => pid).filter((pid) => pid !== undefined);
  return { gateway: { host: data.address, port: GATEWAY_PORT }, pids };
}

interface Running {
  readonly options: SiteOptions;
  readonly server: ApiServer;
  readonly files: SiteFiles;
  readonly gateway: { readonly host: string; readonly port: number };
  close(): Promise<void>;
}

function toSide({ options, server, files, gateway, close }: Running): Side {
  const { name, flavour, labels, fabric } = options;
  const { admin } = server;
  let present: readonly Manifest[] = [];
  const conditionOf = async (object: Pick<ApiManifest, 'apiVersion' | 'kind' | 'metadata'>, type: string) => {
    const { body } = await admin.request<{ status?: { conditions?: Condition[] } }>('GET', await admin.pathOf(object));
    return findCondition(body.status?.conditions, type)?.status;
  };
  return {
    ...{ name, kind: flavour, labels, gateway, close },
    manners: MANNERS[flavour],
    async apply(objects) {
      const wanted = toManifests(withTargetPorts(objects));
      await applyManifests(
        admin,
        wanted.map((object): ApiManifest => ({ ...object })),
      );
      const keys = new Set(wanted.map(keyOf));
      for (const old of present.filter((object) => !keys.has(keyOf(object)))) {
        await admin.request('DELETE', await admin.pathOf(old));
      }
      present = wanted;
    },
    async importAddress(key) {
      const [namespace = '', importName = ''] = key.split('/');
      const object = { apiVersion: CLUSTERLINK, kind: 'Import', metadata: { namespace, name: importName } };
      const isLeased = async (): Promise<boolean> => (await conditionOf(object, 'ImportTargetPortValid')) === 'True';
      await waitFor(`import ${key} has its port`, isLeased, CONDITION_WAIT_MS);
      const found = present.find((each) => each.kind === 'Import' && each.metadata.name === importName);
      return { host: gateway.host, port: (found?.spec as { readonly targetPort: number }).targetPort };
    },
    async reachable(peer) {
      const object = { apiVersion: CLUSTERLINK, kind: 'Peer', metadata: { namespace: SYSTEM, name: peer } };
      return (await conditionOf(object, 'PeerReachable')) === 'True';
    },
    async swapCertificate() {
      await fabric.renew(name);
      await files.copyIdentity();
    },
  };
}

/** There is no kube-proxy here: clients connect to the data plane itself. Who only calls needs no Peer (§1.2). */
function withTargetPorts({ peers, imports, ...others }: SideObjects): SideObjects {
  return {
    ...others,
    peers: peers.filter(({ gateways }) => gateways.length > 0),
    imports: imports.map((each, index) => ({ ...each, targetPort: FIRST_TARGET_PORT + index })),
  };
}

function keyOf({ kind, metadata: { namespace = '', name } }: Manifest): string {
  return `${kind} ${namespace}/${name}`;
}
