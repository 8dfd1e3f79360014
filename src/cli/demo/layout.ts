/** The folders of the demo: one fabric, some peers, each with a configuration, manifests of its own and a state. */
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { createFabricFiles, createPeerCertFiles } from '../../fabric/files.ts';

export interface PeerPlan<Name extends string> {
  readonly name: Name;
  /** `dials-out`: has no address that anybody could dial. */
  readonly gateway: 'listens' | 'dials-out';
  /** Settings of its configuration, beside those that every peer has here. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface PeerLayout<Name extends string = string> {
  readonly name: Name;
  readonly manifests: string;
  readonly state: string;
  readonly config: string;
  readonly certificates: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Undefined: has no address that anybody could dial. */
  readonly gatewayPort: number | undefined;
  readonly dnsPort: number;
}

export interface DemoLayout<Name extends string> {
  readonly root: string;
  readonly peers: Readonly<Record<Name, PeerLayout<Name>>>;
}

const FABRIC = 'demo-fabric';

/** Makes fabric, certificates and configurations below `root`. Ports are free ones of this machine. */
export async function makeLayout<Name extends string>(
  root: string,
  plans: readonly PeerPlan<Name>[],
): Promise<DemoLayout<Name>> {
  await createFabricFiles({ path: root, fabric: FABRIC });
  const peers: Partial<Record<Name, PeerLayout<Name>>> = {};
  for (const plan of plans) {
    await createPeerCertFiles({ path: root, fabric: FABRIC, peer: plan.name });
    peers[plan.name] = await makePeer(root, plan);
  }
  return { root, peers: peers as Record<Name, PeerLayout<Name>> };
}

async function makePeer<Name extends string>(
  root: string,
  { name, gateway, settings = {} }: PeerPlan<Name>,
): Promise<PeerLayout<Name>> {
  const folder = join(root, name);
  const certificates = join(root, FABRIC, name);
  const layout: PeerLayout<Name> = {
    name,
    manifests: join(folder, 'manifests'),
    state: join(folder, 'state'),
    config: join(folder, 'peer.yaml'),
    certificates: {
      ca: join(root, FABRIC, 'cert.pem'),
      cert: join(certificates, 'cert.pem'),
      key: join(certificates, 'key.pem'),
    },
    gatewayPort: gateway === 'listens' ? await freePort() : undefined,
    dnsPort: await freePort(),
  };
  await mkdir(layout.manifests, { recursive: true });
  await writeFile(
    layout.config,
    stringify({
      peer: name,
      fabric: layout.certificates,
      ...(layout.gatewayPort === undefined ? {} : { gateway: { listen: `127.0.0.1:${layout.gatewayPort}` } }),
      dns: { listen: `127.0.0.1:${layout.dnsPort}` },
      metrics: `127.0.0.1:${await freePort()}`,
      exports: { targets: ['127.0.0.1:*'] },
      ...settings,
    }),
  );
  return layout;
}

/** Settings that are known only when the folders are there already; none that the configuration has. */
export async function addSettings({ config }: PeerLayout, settings: Readonly<Record<string, unknown>>): Promise<void> {
  await appendFile(config, stringify(settings));
}

/** What a peer says of another: its name, and where its gateway is. None: it dials. */
export function peerManifest(name: string, gatewayPort: number | undefined): string {
  return stringify({
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Peer',
    metadata: { name, namespace: SYSTEM_NAMESPACE },
    spec: { gateways: gatewayPort === undefined ? [] : [{ host: '127.0.0.1', port: gatewayPort }] },
  });
}

/** A port that nobody has now. Another process may take it before it is used; the demo then says which port it was. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
