/** The two ends of a connection as attributes: ClusterLink's keys, and what nobody has verified marked unknown. */
import { ATTRIBUTES } from '../api/names.ts';
import type { Attributes } from './types.ts';

type Labels = Readonly<Record<string, string>>;

/** A peer as the local Peer object describes it (self: as its configuration does); what it says of itself never counts. */
export interface PeerAttributes {
  readonly peer: string;
  readonly peerLabels: Labels;
}

export interface ClientAttributes extends PeerAttributes {
  /** Each of these is unknown, not absent, when it is left out. */
  readonly namespace?: string;
  readonly serviceAccount?: string;
  /** All labels of the workload: with this given, a label that is not in it is known to be absent. */
  readonly labels?: Labels;
}

/** A client of a peer. The peer's name is known always: it comes from a certificate, or is our own. */
export function clientAttributes(client: ClientAttributes): Attributes {
  const { namespace, serviceAccount, labels } = client;
  const known = new Map(peerEntries(client));
  const unknown: string[] = [];
  const note = (key: string, value: string | undefined): void => {
    if (value === undefined) unknown.push(key);
    else known.set(key, value);
  };
  note(ATTRIBUTES.clientNamespace, namespace);
  note(ATTRIBUTES.clientServiceAccount, serviceAccount);
  if (labels === undefined) unknown.push(ATTRIBUTES.clientLabelPrefix);
  else for (const [key, value] of Object.entries(labels)) known.set(`${ATTRIBUTES.clientLabelPrefix}${key}`, value);
  return { known: Object.fromEntries(known), unknown };
}

/** Any workload of a peer: what disclosure asks about, and what a peer that may assert nothing is. */
export function workloadAttributes({ peer, peerLabels }: PeerAttributes): Attributes {
  return clientAttributes({ peer, peerLabels });
}

export interface ExportAttributes extends PeerAttributes {
  readonly namespace: string;
  readonly name: string;
  /** Egress: of the import, as the importer keeps them; ingress: of the export object. */
  readonly labels: Labels;
}

/** An export of a peer: nothing about it is unknown. */
export function exportAttributes(target: ExportAttributes): Attributes {
  const { namespace, name, labels } = target;
  return {
    known: Object.fromEntries([
      ...peerEntries(target),
      [ATTRIBUTES.exportNamespace, namespace],
      [ATTRIBUTES.exportName, name],
      ...prefixed(ATTRIBUTES.exportLabelPrefix, labels),
    ]),
    unknown: [],
  };
}

function peerEntries({ peer, peerLabels }: PeerAttributes): [string, string][] {
  return [[ATTRIBUTES.peerName, peer], ...prefixed(ATTRIBUTES.peerLabelPrefix, peerLabels)];
}

function prefixed(prefix: string, labels: Labels): [string, string][] {
  return Object.entries(labels).map(([key, value]) => [`${prefix}${key}`, value]);
}
