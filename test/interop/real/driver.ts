/** The matrix against ClusterLink's real programs: needs root, iproute2, and etcd and kube-apiserver as other tests do. */
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeFabric } from '../fabric.ts';
import { startOurs } from '../ours.ts';
import type { Driver } from '../side.ts';
import { makeNetwork } from './network.ts';
import { startSite } from './site.ts';

const OUR_CRDS = join(import.meta.dirname, '../../../crds');
/** Envoy's stream_idle_timeout is five minutes (§3.6). */
const SILENCE_MS = 330_000;

export interface RealOptions {
  /** Folder of cl-controlplane, cl-go-dataplane and cl-dataplane. */
  readonly programs: string;
  /** Folder of ClusterLink's CRD manifests; without it ours of the same kinds. */
  readonly crds: string | undefined;
  /** The program; without it only the Go data plane is tried. */
  readonly envoy: string | undefined;
  readonly silence: 'waited-for' | 'left-out';
}

export async function makeRealDriver({ programs, crds, envoy, silence }: RealOptions): Promise<Driver> {
  const folder = resolve(programs);
  for (const name of ['cl-controlplane', 'cl-go-dataplane']) await access(join(folder, name));
  const fabric = await makeFabric();
  const network = await makeNetwork();
  const where = {
    fabric,
    network,
    programs: folder,
    crds: crds === undefined ? OUR_CRDS : resolve(crds),
    envoy: envoy && resolve(envoy),
  };
  return {
    peer: 'real',
    host: network.host,
    ...(silence === 'waited-for' ? { silenceMs: SILENCE_MS } : {}),
    identity: fabric.identity,
    start: (kind, options) =>
      kind === 'ours'
        ? startOurs({ ...options, fabric, host: network.host })
        : startSite({ ...options, ...where, flavour: kind }),
    async close() {
      await network.close();
      await fabric.close();
    },
  };
}
