/** Sides for the matrix without ClusterLink's programs: the emulated peer of test/support/clusterlink, and ours. */
import type { FlavourName } from '#test/support/clusterlink/flavour.ts';
import { startClusterLinkPeer, type ClusterLinkPeer } from '#test/support/clusterlink/peer.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeFabric, type InteropFabric } from './fabric.ts';
import { startOurs } from './ours.ts';
import type { Driver, Manners, Side, SideOptions } from './side.ts';

const HOST = '127.0.0.1';
/** Theirs is five minutes. Longer than one of a thousand talking connections is silent on a busy machine, and below the silence of the case. */
const ENVOY_IDLE_MS = 9_000;
const SILENCE_MS = 10_500;
/** A fifth of theirs. */
const HEARTBEATS = { heartbeatHealthyMs: 200, heartbeatUnhealthyMs: 500 };
/** One process here is both ends, thousand clients and all services: 200 ms of this machine are less than those of a gateway. */
const EGRESS_MS = 5_000;
const ENVOY_TIMEOUTS = { tunnelIdleMs: ENVOY_IDLE_MS, egressMs: EGRESS_MS };
const CLIENT = { namespace: 'default', serviceAccount: 'front' };

const MANNERS: Readonly<Record<FlavourName, Manners>> = {
  go: {
    claimedName: 'believed',
    tokenOfAnother: 'taken',
    lateAnswer: 'lost',
    deadGateway: 'live-first',
    idleMs: 0,
  },
  envoy: {
    claimedName: 'believed',
    tokenOfAnother: 'taken',
    lateAnswer: 'lost',
    deadGateway: 'every-other-fails',
    idleMs: ENVOY_IDLE_MS,
  },
};

export async function makeEmulatedDriver(): Promise<Driver> {
  const fabric = await makeFabric();
  return {
    peer: 'emulated',
    host: HOST,
    silenceMs: SILENCE_MS,
    identity: fabric.identity,
    start: (kind, options) =>
      kind === 'ours' ? startOurs({ ...options, fabric, host: HOST }) : startEmulated(fabric, kind, options),
    close: fabric.close,
  };
}

async function startEmulated(
  fabric: InteropFabric,
  flavour: FlavourName,
  { name, labels }: SideOptions,
): Promise<Side> {
  const peer = await startClusterLinkPeer({
    fabric,
    name,
    flavour,
    ...(labels === undefined ? {} : { labels }),
    workloads: { [HOST]: CLIENT },
    timeouts: { ...HEARTBEATS, ...(flavour === 'envoy' ? ENVOY_TIMEOUTS : {}) },
  });
  return toSide(peer, { fabric, labels });
}

function toSide(
  peer: ClusterLinkPeer,
  { fabric, labels }: { readonly fabric: InteropFabric; readonly labels: SideOptions['labels'] },
): Side {
  const { name, flavour } = peer;
  return {
    name,
    kind: flavour,
    labels,
    gateway: { host: HOST, port: peer.gatewayPort },
    manners: MANNERS[flavour],
    async apply({ peers, exports, imports, policies }) {
      peer.setExports(exports);
      peer.setPolicies(policies);
      // Theirs need no object for those who only call (§1.2).
      await peer.setPeers(peers.filter(({ gateways }) => gateways.length > 0));
      await peer.setImports(imports);
    },
    importAddress: (key) => waitFor(`import ${key}`, () => Promise.resolve({ host: HOST, port: peer.importPort(key) })),
    reachable: (other) => Promise.resolve(peer.reachable(other)),
    async swapCertificate() {
      peer.swapCertificate(await fabric.renew(name));
    },
    close: peer.close,
  };
}
