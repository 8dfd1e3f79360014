/** `demo --profile clusterlink`: ClusterLink's sample manifests, unchanged, between two peers, and a third that may not. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addSettings, peerManifest } from '../layout.ts';
import type { DemoContext, Profile } from '../profile.ts';
import { startInternet } from './internet.ts';
import type { ClusterlinkPeer } from './peers.ts';
import { noTesting, peerWest } from './sample.ts';
import { STEPS } from './steps.ts';

export const CLUSTERLINK: Profile<ClusterlinkPeer> = {
  peers: [
    // One host is one identity: its clients are who the sample's policy allows.
    {
      name: 'east',
      gateway: 'dials-out',
      settings: { client: { namespace: 'web', serviceAccount: 'front' } },
    },
    { name: 'west', gateway: 'listens', settings: { labels: { region: 'eu' } } },
    { name: 'testing', gateway: 'dials-out' },
  ],
  clientsAt: 'east',
  prepare,
  steps: STEPS,
  commandsToTry: ({ peers: { west, east } }) => [
    `npx clusterlink-mcs status --state ${east.state}`,
    `npx clusterlink-mcs explain --state ${east.state} host cart.shop.svc.clusterset.local:80`,
    `npx clusterlink-mcs get Import shop/cart --state ${east.state}`,
    `npx clusterlink-mcs test policy ingress --peer testing --export prod/cart-api --state ${west.state}`,
    `ls ${east.manifests} ${west.manifests}`,
  ],
};

/** Who knows whom. East dials; at west the two others have a Peer object without gateways, as whoever calls it must. */
async function prepare({ layout: { peers }, closers }: DemoContext<ClusterlinkPeer>): Promise<void> {
  const internet = await startInternet(new Map([['192.0.2.10:443', peers.west.gatewayPort ?? 0]]));
  closers.push(() => internet.close());
  await addSettings(peers.east, { proxy: internet.url });
  await writeFile(join(peers.east.manifests, 'peers.yaml'), peerWest);
  const callers = ['east', 'testing'].map((name) => peerManifest(name, undefined));
  await writeFile(join(peers.west.manifests, 'peers.yaml'), callers.join('---\n'));
  for (const { manifests } of [peers.east, peers.west]) await writeFile(join(manifests, 'no-testing.yaml'), noTesting);
}
