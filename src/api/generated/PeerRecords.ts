// Generated from crds/mcs.clusterlink.net_peerrecords.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface PeerRecordsSpecRecordRecordPort {
  name: string;
  protocol: 'TCP' | 'UDP' | 'SCTP';
  port: number;
  appProtocol?: string;
}

export interface PeerRecordsSpecRecordRecord {
  namespace: string;
  name: string;
  uid: string;
  type: 'ClusterSetIP' | 'Headless';
  ports: PeerRecordsSpecRecordRecordPort[];
  ipFamilies?: ('IPv4' | 'IPv6')[];
  sessionAffinity?: 'None' | 'ClientIP';
  sessionAffinityTimeoutSeconds?: number;
  internalTrafficPolicy?: 'Cluster' | 'Local';
  trafficDistribution?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  /** The TCP port that an Import of one port gets. Absent: the first one. */
  defaultPort?: number;
  createdAt: string;
  readyEndpoints: number;
  hostnames?: string[];
  requires?: string[];
}

export interface PeerRecordsSpecRecord {
  firstSeen: string;
  /** Since when the peer names it no more, and it is kept all the same: it went with many others. */
  heldSince?: string;
  record: PeerRecordsSpecRecordRecord;
}

export interface PeerRecordsSpecReportConflict {
  namespace: string;
  name: string;
  reasons: string[];
  loses: boolean;
}

export interface PeerRecordsSpecReportImport {
  namespace: string;
  name: string;
}

export interface PeerRecordsSpecReport {
  receivedAt: string;
  conflicts: PeerRecordsSpecReportConflict[];
  imports: PeerRecordsSpecReportImport[];
}

export interface PeerRecordsSpec {
  peer: string;
  /** The uid of the installation that speaks for the peer. */
  epoch: string;
  /** SHA-256 over the records of the last complete snapshot, as the peer announced it. */
  digest: string;
  records: PeerRecordsSpecRecord[];
  /** Since when there is no Peer object: nothing here counts, and it is forgotten soon. */
  peerGoneSince?: string;
  /** Revocation lists as the peer last said them; whoever uses one verifies its signature. */
  revocations?: string[];
  /** What the peer last said of our exports; replaced as a whole. */
  report?: PeerRecordsSpecReport;
}

export interface PeerRecordsStatus {
  conditions?: Condition[];
}

/** What a peer last said of its exports. Written by the gateway alone. */
export interface IPeerRecords {
  apiVersion: 'mcs.clusterlink.net/v1alpha1';
  kind: 'PeerRecords';
  metadata?: ObjectMeta;
  spec: PeerRecordsSpec;
  status?: PeerRecordsStatus;
}

export interface PeerRecords extends IPeerRecords {}
export class PeerRecords extends Model<IPeerRecords> {
  static readonly apiVersion = 'mcs.clusterlink.net/v1alpha1' as const;
  static readonly kind = 'PeerRecords' as const;
  static readonly is = createTypeMetaGuard<IPeerRecords>(PeerRecords);

  constructor(data?: ModelData<IPeerRecords>) {
    super();
    this.setDefinedProps({
      apiVersion: PeerRecords.apiVersion,
      kind: PeerRecords.kind,
      ...data,
    } as ModelData<IPeerRecords>);
  }
}
setValidateFunc(PeerRecords, validateModel(PeerRecords));
