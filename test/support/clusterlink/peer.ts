/**
 * A ClusterLink v0.4 peer of our own, for interop tests: exporter and importer in one process, written from the facts of
 * the reference on ClusterLink (§3 wire, §4 policy, §5 balancing, §8 weaknesses), of which it keeps the weaknesses. Beyond
 * the reference, answers of the real programs (commit 9f5aba5f; Envoy 1.36.4) were compared with its own, see
 * test/support/clusterlink/README.md.
 *
 * Where a fact is a race, it takes the end that is worse for its partner; where Node cannot do what Go or Envoy does (send
 * a TLS alert for a bad certificate), it closes the connection.
 */
import assert from 'node:assert/strict';
import type { PeerIdentity } from '#src/fabric/files.ts';
import type { TestFabric } from '#test/support/fabric.ts';
import { makePeerClient } from './client.ts';
import { makeControlPlane } from './control.ts';
import { makeDialler } from './dialler.ts';
import { authorizeEgress } from './egress.ts';
import { FLAVOURS, type FlavourName, type Timeouts } from './flavour.ts';
import { startGateway, type Counters, type Gateway } from './gateway.ts';
import type { PeerStatus } from './heartbeat.ts';
import { makeImports } from './imports.ts';
import { makeJournal, type AttemptRecord, type RequestRecord } from './journal.ts';
import { makePeers } from './peers.ts';
import { makePolicyTable } from './policy.ts';
import { makeSockets } from './sockets.ts';
import { makeTokenKey } from './token.ts';
import {
  type ControlPlaneState,
  type ExportObject,
  type ImportObject,
  type Labels,
  type PeerObject,
  type PolicyObject,
  type Workload,
} from './types.ts';

export interface ClusterLinkPeerOptions {
  readonly fabric: Pick<TestFabric, 'identity'>;
  readonly name: string;
  readonly flavour: FlavourName;
  /** Of the peer itself, told in heartbeats. */
  readonly labels?: Labels;
  readonly exports?: readonly ExportObject[];
  readonly imports?: readonly ImportObject[];
  readonly policies?: readonly PolicyObject[];
  readonly peers?: readonly PeerObject[];
  /** Whose pod a client's address is; none is known by default, which makes attributes `null`. */
  readonly workloads?: Readonly<Record<string, Workload>>;
  /** Instead of the flavour's own. */
  readonly timeouts?: Partial<Timeouts>;
  /** How many ports it listens on, each a gateway of its own; they share the key of tokens (§3.7). */
  readonly gateways?: number;
  /** 0, or none: any free port. */
  readonly gatewayPort?: number;
  /** Envoy: of so many tunnels the last has its 200 and the service's first bytes in one TLS record (§3.6, 8). */
  readonly coalesceEvery?: number;
  /** Of its tokens: a second installation of the same peer shares it. */
  readonly tokenKey?: Buffer;
  /** The clock of its tokens. */
  readonly nowMs?: () => number;
  /** In [0, 1): where `random` starts. */
  readonly random?: () => number;
}

export interface ClusterLinkPeer extends AsyncDisposable {
  readonly name: string;
  readonly flavour: FlavourName;
  /** The first gateway's. */
  readonly gatewayPort: number;
  readonly gatewayPorts: readonly number[];
  /** A client of this Import (`namespace/name`) connects to this port of 127.0.0.1. */
  importPort(key: string): number;
  reachable(peer: string): boolean;
  /** What heartbeats have told of a peer. */
  status(peer: string): PeerStatus;
  /** What was asked of its gateways, in order of arrival. */
  requests(): readonly RequestRecord[];
  /** What its imports' clients came to, in order of arrival. */
  attempts(): readonly AttemptRecord[];
  /** Tunnels that are open now, as exporter and as importer. */
  openTunnels(): number;
  setExports(exports: readonly ExportObject[]): void;
  /** An Import that stays keeps its listener; tunnels of one that goes live on (§1.4). */
  setImports(imports: readonly ImportObject[]): Promise<void>;
  /** @returns keys of the policies that it refused. */
  setPolicies(policies: readonly PolicyObject[]): readonly string[];
  /** A peer that is new or other than before is watched from the start. */
  setPeers(peers: readonly PeerObject[]): Promise<void>;
  /** Both roles, from the next connection on; open tunnels stay. */
  swapCertificate(identity: PeerIdentity): void;
  /** How its control plane fares, for the rows of table 3.8 that have no other cause. */
  setControlPlane(state: ControlPlaneState): void;
  /** Each decision as exporter takes so long: beyond two seconds a Go peer closes without an answer (§3.6, 7). */
  setDecisionMs(delayMs: number): void;
  /** Stops listening at one gateway; its open connections stay. */
  closeGateway(index: number): void;
  close(): Promise<void>;
}

/** The measured share was one to five in twenty. */
const COALESCE_EVERY = 5;
const UNKNOWN: PeerStatus = { reachable: false, labels: undefined };

export async function startClusterLinkPeer(options: ClusterLinkPeerOptions): Promise<ClusterLinkPeer> {
  const parts = makeParts(options, await options.fabric.identity(options.name));
  try {
    for (let index = 0; index < (options.gateways ?? 1); index++) await parts.openGateway(index);
    await parts.peers.set(options.peers ?? []);
    await parts.imports.set(options.imports ?? []);
  } catch (error) {
    await parts.close();
    throw error;
  }
  return toPeer(options, parts);
}

type Parts = ReturnType<typeof makeParts>;

function makeParts(options: ClusterLinkPeerOptions, identity: PeerIdentity) {
  const { name, labels, workloads = {}, nowMs = Date.now, random = Math.random, tokenKey = makeTokenKey() } = options;
  const { coalesceEvery = COALESCE_EVERY, gatewayPort = 0 } = options;
  const flavour = FLAVOURS[options.flavour];
  const timeouts = { ...flavour.timeouts, ...options.timeouts };
  const stopping = new AbortController();
  const sockets = makeSockets();
  const policies = makePolicyTable();
  policies.set(options.policies ?? []);
  const requests = makeJournal<RequestRecord>();
  const attempts = makeJournal<AttemptRecord>();
  const counters: Counters = { connections: 0, tunnels: 0, open: 0 };
  const dialler = makeDialler({ sockets, identity });
  const control = makeControlPlane({ name, labels, policies, tokenKey, nowMs, closing: stopping.signal });
  control.setExports(options.exports ?? []);
  const clientOf = (peer: PeerObject) => makePeerClient(peer, { dialler, requestMs: timeouts.requestMs });
  const peers = makePeers({ clientOf, timeouts });
  const shared = { flavour, timeouts, sockets, counters, closing: stopping.signal };
  const egress = { name, labels, policies, peers: peers.known };
  const imports = makeImports({
    ...shared,
    dialler,
    attempts,
    random,
    authorize: (asked, address) => authorizeEgress(egress, { ...asked, client: workloads[address] }),
  });
  const gateways: Gateway[] = [];
  return {
    ...{ policies, requests, attempts, counters, dialler, control, peers, imports, gateways },
    async openGateway(index: number) {
      const port = index === 0 ? gatewayPort : 0;
      gateways.push(await startGateway({ ...shared, identity, control, requests, index, port, coalesceEvery }));
    },
    async close() {
      stopping.abort();
      gateways.forEach((gateway) => gateway.close());
      imports.close();
      await peers.set([]);
      await sockets.close();
    },
  };
}

function toPeer({ name, flavour }: ClusterLinkPeerOptions, parts: Parts): ClusterLinkPeer {
  const { policies, requests, attempts, counters, dialler, control, peers, imports, gateways, close } = parts;
  const gatewayPorts = gateways.map(({ port }) => port);
  const status = (peer: string): PeerStatus => peers.known.get(peer)?.status() ?? UNKNOWN;
  return {
    name,
    flavour,
    gatewayPort: gatewayPorts[0] ?? 0,
    gatewayPorts,
    importPort: (key) => imports.port(key) ?? assert.fail(`${name} has no Import ${key}`),
    reachable: (peer) => status(peer).reachable,
    status,
    requests: requests.entries,
    attempts: attempts.entries,
    openTunnels: () => counters.open,
    setExports: control.setExports,
    setImports: imports.set,
    setPolicies: policies.set,
    setPeers: peers.set,
    swapCertificate(identity) {
      dialler.swapCertificate(identity);
      gateways.forEach((gateway) => gateway.swapCertificate(identity));
      peers.forgetConnections();
    },
    setControlPlane: control.setState,
    setDecisionMs: control.setDelayMs,
    closeGateway: (index) => gateways[index]?.close(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
