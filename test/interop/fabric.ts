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
  await createFabricFiles({ path, fabric: FABRIC });
  return openFabric({ path, fabric: FABRIC });
}

/** One whose files are there. @param peers - of which there are files too. */
export function openFabric({
  path,
  fabric,
  peers = [],
}: {
  readonly path: string;
  readonly fabric: string;
  readonly peers?: readonly string[];
}): InteropFabric {
  const made = new Map<string, Promise<unknown>>(peers.map((peer) => [peer, Promise.resolve()]));
  const files = (peer: string): IdentityFiles => {
    const folder = join(path, fabric, peer);
    return { ca: join(path, fabric, 'cert.pem'), cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  };
  return {
    path,
    files,
    async identity(peer) {
      const making = made.get(peer) ?? createPeerCertFiles({ path, fabric, peer });
      made.set(peer, making);
      await making;
      return await loadIdentity(files(peer));
    },
    async renew(peer) {
      await renewPeerCertFiles({ path, fabric, peer, key: 'new' });
      return await loadIdentity(files(peer));
    },
    close: () => rm(path, { recursive: true, force: true }),
  };
}
