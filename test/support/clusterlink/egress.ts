/** The importer's control plane: which source one connection may use, and with what token (§5, authorizeEgress). */
import type { PeerClient } from './client.ts';
import type { PeerStatus } from './heartbeat.ts';
import { clientAttributes, exportAttributes, type PolicyTable } from './policy.ts';
import type { Balancer } from './schemes.ts';
import type { Attributes, ImportObject, ImportSource, Labels, PeerObject, Workload } from './types.ts';

/** What is known of a remote peer. */
export interface RemotePeer {
  readonly object: PeerObject;
  readonly access: PeerClient;
  status(): PeerStatus;
  /** Counts tunnels to it, for who goes round its gateways. */
  turn(): number;
}

export interface EgressOptions {
  readonly name: string;
  readonly labels: Labels | undefined;
  readonly policies: PolicyTable;
  readonly peers: ReadonlyMap<string, RemotePeer>;
}

export interface Admission {
  readonly source: ImportSource;
  readonly peer: RemotePeer;
  /** Taken as it came; empty where the exporter forgot it, and then the tunnel fails. */
  readonly token: string;
}

export interface Asked {
  readonly object: ImportObject;
  readonly balancer: Balancer;
  /** Undefined: nobody knows whose address it is. */
  readonly client: Workload | undefined;
  readonly signal: AbortSignal;
}

/** @returns undefined when no source may be used: the data plane hears 500 whatever the cause (§8.3, 26). */
export async function authorizeEgress(options: EgressOptions, asked: Asked): Promise<Admission | undefined> {
  const { name, labels, policies, peers } = options;
  const { object, balancer, client, signal } = asked;
  // One policy of any namespace that asks something of clients ends all connections of unknown ones (§4.4).
  if (client === undefined && policies.dependsOnClients()) return undefined;
  const attributes = client && clientAttributes(client, name, labels ?? {});
  const order = balancer.start({ scheme: object.lbScheme ?? 'round-robin', count: object.sources.length });
  for (let index = order.select(); index !== undefined && !signal.aborted; index = order.select()) {
    const source = object.sources[index];
    const peer = source && peers.get(source.peer);
    // No failover where a Peer object is missing (§5, 4).
    if (source === undefined || peer === undefined) return undefined;
    const { reachable, labels: peerLabels } = peer.status();
    if (!reachable && !order.lastResort()) {
      order.delay();
      continue;
    }
    const to = exportAttributes({
      namespace: source.exportNamespace,
      name: source.exportName,
      labels: object.labels,
      peer: source.peer,
      peerLabels,
    });
    if (!policies.allows({ namespace: object.namespace, from: attributes ?? {}, to })) continue;
    const token = await askAccess(peer, { object, source, attributes, signal });
    if (token !== undefined) return { source, peer, token };
  }
  return undefined;
}

async function askAccess(
  { access }: RemotePeer,
  options: {
    readonly object: ImportObject;
    readonly source: ImportSource;
    readonly attributes: Attributes | undefined;
    readonly signal: AbortSignal;
  },
): Promise<string | undefined> {
  const { object, source, attributes, signal } = options;
  const body = JSON.stringify({
    ServiceName: source.exportName || object.name,
    ServiceNamespace: source.exportNamespace || object.namespace,
    // Go writes the keys of a map in their order.
    SrcAttributes: attributes === undefined ? null : Object.fromEntries(Object.entries(attributes).sort()),
  });
  const answer = await access.ask({ method: 'POST', path: '/authz', body }, signal);
  return answer?.status === 200 ? (answer.fields.get('x-access-token') ?? '') : undefined;
}
