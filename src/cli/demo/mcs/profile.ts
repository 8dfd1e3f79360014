/** The demo without a profile: three peers of different owners and standard MCS manifests. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { peerManifest, type DemoLayout, type PeerLayout } from '../layout.ts';
import type { Profile } from '../profile.ts';
import type { McsPeer } from './peers.ts';
import { STEPS } from './steps.ts';

export const MCS: Profile<McsPeer> = {
  peers: [
    { name: 'east', gateway: 'listens' },
    { name: 'west', gateway: 'listens' },
    { name: 'south', gateway: 'dials-out' },
  ],
  clientsAt: 'west',
  prepare: ({ layout }) => writePeerObjects(layout),
  steps: STEPS,
  commandsToTry: ({ peers: { west, east } }) => [
    `npx clusterlink-mcs status --state ${west.state}`,
    `npx clusterlink-mcs explain --state ${west.state} host web.store.svc.clusterset.local:80`,
    `dig @127.0.0.1 -p ${west.dnsPort} web.store.svc.clusterset.local SRV`,
    `ls ${east.manifests} ${west.manifests}`,
  ],
};

/** What each peer says of the others. South dials east and west; they know it by name and have no address of it. */
async function writePeerObjects({ peers }: DemoLayout<McsPeer>): Promise<void> {
  const all: readonly PeerLayout[] = Object.values(peers);
  for (const layout of all) {
    const others = all.filter(({ name }) => name !== layout.name);
    const documents = others.map(({ name, gatewayPort }) => peerManifest(name, gatewayPort));
    await writeFile(join(layout.manifests, 'peers.yaml'), documents.join('---\n'));
  }
}
