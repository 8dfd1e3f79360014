/** Why a connection was refused, failed or cut: one list for code, metrics, closing records, `explain` and docs/ERRORS.md. */

/** Fine reasons: they stay with the peer that decided. */
export const REASONS = {
  /** Ended well: both directions saw their end of file. */
  Done: 'DONE',
  /** The client or the service reset or abandoned the connection itself. */
  Aborted: 'ABORTED',
  EgressDenied: 'EGRESS_DENIED',
  IngressDenied: 'INGRESS_DENIED',
  NothingOffered: 'NOTHING_OFFERED',
  NoUsableSource: 'NO_USABLE_SOURCE',
  PeerUnreachable: 'PEER_UNREACHABLE',
  PeerUnknown: 'PEER_UNKNOWN',
  PeerNameMismatch: 'PEER_NAME_MISMATCH',
  PeerRootMismatch: 'PEER_ROOT_MISMATCH',
  Revoked: 'REVOKED',
  CertExpired: 'CERT_EXPIRED',
  ProtocolMismatch: 'PROTOCOL_MISMATCH',
  HandshakeTimeout: 'HANDSHAKE_TIMEOUT',
  Malformed: 'MALFORMED',
  TargetForbidden: 'TARGET_FORBIDDEN',
  DialFailed: 'DIAL_FAILED',
  Overloaded: 'OVERLOADED',
  Loop: 'LOOP',
  Drained: 'DRAINED',
  PolicyChanged: 'POLICY_CHANGED',
  ExportDeleted: 'EXPORT_DELETED',
  ImportDeleted: 'IMPORT_DELETED',
  SessionLost: 'SESSION_LOST',
  /** What a client sent at once went with the request, and may have been delivered, or not: nobody else gets it. */
  EarlyBytesSpent: 'EARLY_BYTES_SPENT',
  /** The worker process of this gateway that carried it has ended. */
  WorkerLost: 'WORKER_LOST',
  ClientUnknown: 'CLIENT_UNKNOWN',
  NameTaken: 'NAME_TAKEN',
  PortRemapped: 'PORT_REMAPPED',
} as const;
export type Reason = (typeof REASONS)[keyof typeof REASONS];

/** Coarse reasons: all that another peer is told (DESIGN §6). */
export const WIRE_REASONS = ['denied', 'unavailable', 'overloaded', 'loop', 'drained', 'malformed'] as const;
export type WireReason = (typeof WIRE_REASONS)[number];
