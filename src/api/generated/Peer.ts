// Generated from crds/clusterlink.net_peers.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface PeerSpecGateway {
  /** A DNS name or an IP address. */
  host: string;
  port: number;
}

export interface PeerSpec {
  /** Where its gateways listen, in the order in which they are dialled. Empty means that it dials us. */
  gateways: PeerSpecGateway[];
}

export interface PeerStatus {
  conditions?: Condition[];
  /** What the peer says of itself. Never used in a decision. */
  labels?: Record<string, string>;
  /** How many sessions are open to it. */
  sessions?: number;
  /** The version that its gateway runs. */
  version?: string;
}

/** Another member of the fabric as this one knows it. */
export interface IPeer {
  apiVersion: 'clusterlink.net/v1alpha1';
  kind: 'Peer';
  metadata?: ObjectMeta;
  spec: PeerSpec;
  status?: PeerStatus;
}

export interface Peer extends IPeer {}
export class Peer extends Model<IPeer> {
  static readonly apiVersion = 'clusterlink.net/v1alpha1' as const;
  static readonly kind = 'Peer' as const;
  static readonly is = createTypeMetaGuard<IPeer>(Peer);

  constructor(data?: ModelData<IPeer>) {
    super();
    this.setDefinedProps({ apiVersion: Peer.apiVersion, kind: Peer.kind, ...data } as ModelData<IPeer>);
  }
}
setValidateFunc(Peer, validateModel(Peer));
