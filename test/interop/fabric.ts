/** The fabric of one run, as files: what the processes of both sides read. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createFabricFiles,
  createPeerCertFiles,
  loadIdentity,
  type IdentityFiles,
  type PeerIdentity,
} from '#src/fabric/files.ts';
import { renewPeerCertFiles } from '#src/fabric/renew.ts';

const FABRIC = 'interop';

export interface InteropFabric {
  /** A folder that goes with the fabric. */
  readonly path: string;
  /** Made at the first call. */
  identity(peer: string): Promise<PeerIdentity>;
  files(peer: string): IdentityFiles;
  /** A new key and certificate in the place of the old ones. */
  renew(peer: string): Promise<PeerIdentity>;
  close(): Promise<void>;
}

export async function makeFabric(): Promise<InteropFabric> {
  const path = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-interop-'));
  const { cert: ca } = await createFabricFiles({ path, fabric: FABRIC });
  const made = new Map<string, Promise<unknown>>();
  const files = (peer: string): IdentityFiles => {
    const folder = join(path, FABRIC, peer);
    return { ca, cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  };
  return {
    path,
    files,
    async identity(peer) {
      const making = made.get(peer) ?? createPeerCertFiles({ path, fabric: FABRIC, peer });
      made.set(peer, making);
      await making;
      return await loadIdentity(files(peer));
    },
    async renew(peer) {
      await renewPeerCertFiles({ path, fabric: FABRIC, peer, key: 'new' });
      return await loadIdentity(files(peer));
    },
    close: () => rm(path, { recursive: true, force: true }),
  };
}
