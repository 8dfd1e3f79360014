/** The folders of the demo: one fabric, three peers, each with a configuration, manifests of its own and a state. */
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { createFabricFiles, createPeerCertFiles } from '../../fabric/files.ts';

export const PEERS = ['east', 'west', 'south'] as const;
export type PeerName = (typeof PEERS)[number];

export interface PeerLayout {
  readonly name: PeerName;
  readonly manifests: string;
  readonly state: string;
  readonly config: string;
  readonly certificates: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Undefined: has no address that anybody could dial. */
  readonly gatewayPort: number | undefined;
  readonly dnsPort: number;
  readonly metricsPort: number;
}

export interface DemoLayout {
  readonly root: string;
  readonly peers: Readonly<Record<PeerName, PeerLayout>>;
}

const FABRIC = 'demo-fabric';

/** Makes fabric, certificates and configurations below `root`. Ports are free ones of this machine. */
export async function makeLayout(root: string): Promise<DemoLayout> {
  await createFabricFiles({ path: root, fabric: FABRIC });
  const layouts: PeerLayout[] = [];
  for (const name of PEERS) {
    await createPeerCertFiles({ path: root, fabric: FABRIC, peer: name });
    layouts.push(await makePeer(root, name));
  }
  const [east, west, south] = layouts as [PeerLayout, PeerLayout, PeerLayout];
  await writePeerObjects({ east, west, south });
  return { root, peers: { east, west, south } };
}

async function makePeer(root: string, name: PeerName): Promise<PeerLayout> {
  const folder = join(root, name);
  const certificates = join(root, FABRIC, name);
  const layout: PeerLayout = {
    name,
    manifests: join(folder, 'manifests'),
    state: join(folder, 'state'),
    config: join(folder, 'peer.yaml'),
    certificates: {
      ca: join(root, FABRIC, 'cert.pem'),
      cert: join(certificates, 'cert.pem'),
      key: join(certificates, 'key.pem'),
    },
    gatewayPort: name === 'south' ? undefined : await freePort(),
    dnsPort: await freePort(),
    metricsPort: await freePort(),
  };
  await mkdir(layout.manifests, { recursive: true });
  await writeFile(
    layout.config,
    stringify({
      peer: name,
      fabric: layout.certificates,
      ...(layout.gatewayPort === undefined ? {} : { gateway: { listen: `127.0.0.1:${layout.gatewayPort}` } }),
      dns: { listen: `127.0.0.1:${layout.dnsPort}` },
      metrics: `127.0.0.1:${layout.metricsPort}`,
      exports: { targets: ['127.0.0.1:*'] },
    }),
  );
  return layout;
}

/** What each peer says of the others. South dials east and west; they know it by name and have no address of it. */
async function writePeerObjects(peers: Readonly<Record<PeerName, PeerLayout>>): Promise<void> {
  for (const layout of Object.values(peers)) {
    const others = Object.values(peers).filter(({ name }) => name !== layout.name);
    const documents = others.map(({ name, gatewayPort }) =>
      stringify({
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'Peer',
        metadata: { name, namespace: SYSTEM_NAMESPACE },
        spec: { gateways: gatewayPort === undefined ? [] : [{ host: '127.0.0.1', port: gatewayPort }] },
      }),
    );
    await writeFile(join(layout.manifests, 'peers.yaml'), documents.join('---\n'));
  }
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
