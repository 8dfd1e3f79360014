/** The DNS numbers that this responder gives meaning to, and its records. */

/** Types (IANA, DNS parameters). */
export const TYPE = {
  A: 1,
  NS: 2,
  SOA: 6,
  HINFO: 13,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

/** Classes: the only one that has names here. */
export const CLASS_IN = 1;

/** Response codes (RFC 1035 §4.1.1, RFC 6891 §9). */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;
export type Rcode = (typeof RCODE)[keyof typeof RCODE];

/** Why, for people who read `dig` (extended errors, RFC 8914 §4). */
export const EXTENDED_ERROR = { NOT_READY: 14, NOT_AUTHORITATIVE: 20, NOT_SUPPORTED: 21 } as const;
export type ExtendedError = (typeof EXTENDED_ERROR)[keyof typeof EXTENDED_ERROR];

interface RecordBase {
  /** Absolute, in lower case, without the trailing dot. On the wire it has the case of the question (DNS-18). */
  readonly name: string;
  readonly ttlSeconds: number;
}
export interface AddressRecord extends RecordBase {
  readonly type: 'A' | 'AAAA';
  /** Canonical, see `address.ts`. */
  readonly address: string;
}
export interface SrvRecord extends RecordBase {
  readonly type: 'SRV';
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}
export interface TxtRecord extends RecordBase {
  readonly type: 'TXT';
  readonly text: string;
}
export interface SoaRecord extends RecordBase {
  readonly type: 'SOA';
  readonly primary: string;
  readonly mailbox: string;
  readonly serial: number;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  /** How long a negative answer is kept (RFC 2308 §4). */
  readonly minimumSeconds: number;
}
export interface NsRecord extends RecordBase {
  readonly type: 'NS';
  readonly server: string;
}
export interface HinfoRecord extends RecordBase {
  readonly type: 'HINFO';
  readonly cpu: string;
  readonly os: string;
}
export type DnsRecord = AddressRecord | SrvRecord | TxtRecord | SoaRecord | NsRecord | HinfoRecord;
