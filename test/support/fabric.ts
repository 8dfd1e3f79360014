/** A throw-away fabric for tests: a folder with a CA and certificates, removed at the end. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFabricFiles, createPeerCertFiles, loadIdentity, type PeerIdentity } from '#src/fabric/files.ts';

export interface TestFabric {
  readonly path: string;
  identity(peer: string): Promise<PeerIdentity>;
  remove(): Promise<void>;
}

export async function makeTestFabric(): Promise<TestFabric> {
  const path = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-test-'));
  await createFabricFiles({ path, fabric: 'test' });
  const identities = new Map<string, PeerIdentity>();
  return {
    path,
    async identity(peer) {
      const present = identities.get(peer);
      if (present !== undefined) return present;
      await createPeerCertFiles({ path, fabric: 'test', peer });
      const folder = join(path, 'test');
      const identity = await loadIdentity({
        ca: join(folder, 'cert.pem'),
        cert: join(folder, peer, 'cert.pem'),
        key: join(folder, peer, 'key.pem'),
      });
      identities.set(peer, identity);
      return identity;
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
