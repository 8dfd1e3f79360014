/**
 * One end of the interop matrix, as cases see it: a peer that is given ClusterLink's objects. Ours as a process, the emulated
 * ClusterLink peer and the real programs all stand behind it, and each can be the exporter or the importer.
 */
import type { PeerIdentity } from '#src/fabric/files.ts';
import type {
  Address,
  ExportObject,
  ImportObject,
  Labels,
  PeerObject,
  PolicyObject,
} from '#test/support/clusterlink/types.ts';
import type { FlavourName } from '#test/support/clusterlink/flavour.ts';

export type Kind = 'ours' | FlavourName;

/** An Import with the port that clients dial, where the peer lets the Import say so. */
export interface InteropImport extends ImportObject {
  readonly port: number;
}

/** All that a side has: what is missing is taken away. */
export interface SideObjects {
  readonly peers: readonly PeerObject[];
  readonly exports: readonly ExportObject[];
  readonly imports: readonly InteropImport[];
  readonly policies: readonly PolicyObject[];
}

/**
 * Where ClusterLink and this product differ on purpose (docs/INTEROP.md), and ClusterLink's data planes among themselves: a
 * case expects what is right for the side that it looks at.
 */
export interface Manners {
  /** Exporter: an authorization that says another peer's name than the certificate. */
  readonly claimedName: 'refused' | 'believed';
  /** Exporter: a token in the hands of another peer than it was given to. */
  readonly tokenOfAnother: 'refused' | 'taken';
  /** Importer: an answer that comes after its client has ended its own direction. */
  readonly lateAnswer: 'delivered' | 'lost';
  /** Importer: with one gateway that refuses among two. `live-first`: only the first is ever used. */
  readonly deadGateway: 'passed-over' | 'live-first' | 'every-other-fails';
  /** Milliseconds of silence after which it ends a tunnel; 0: never. */
  readonly idleMs: number;
}

export interface Side {
  readonly name: string;
  readonly kind: Kind;
  readonly gateway: Address;
  /** What its heartbeats tell. */
  readonly labels: Labels | undefined;
  readonly manners: Manners;
  apply(objects: SideObjects): Promise<void>;
  /** Where a client of this Import (`namespace/name`) connects; waits until there is such a place. */
  importAddress(key: string): Promise<Address>;
  /** Whether it takes the other for reachable. */
  reachable(peer: string): Promise<boolean>;
  /** A new key and certificate of the same fabric, as an administrator replaces them; it may take effect later. */
  swapCertificate(): Promise<void>;
  close(): Promise<void>;
}

export interface Driver {
  readonly peer: 'emulated' | 'real';
  /** Where both sides reach what listens in this process. */
  readonly host: string;
  /** The silence that the case about idle tunnels lets pass; absent: too long to wait for. */
  readonly silenceMs?: number;
  identity(name: string): Promise<PeerIdentity>;
  start(kind: Kind, options: SideOptions): Promise<Side>;
  close(): Promise<void>;
}

export interface SideOptions {
  readonly name: string;
  readonly labels?: Labels;
}

/** Our own manners, in both roles. */
export const OUR_MANNERS: Manners = {
  claimedName: 'refused',
  tokenOfAnother: 'refused',
  lateAnswer: 'delivered',
  deadGateway: 'passed-over',
  idleMs: 0,
};
