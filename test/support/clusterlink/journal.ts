/** What an emulated peer was asked and what it tried, in order, for a test to look at. */
import type { TLSSocket } from 'node:tls';
import { KEPT_BYTES_MAX, KEPT_MAX } from './limits.ts';
import type { ImportSource } from './types.ts';

/** One request to a gateway of the peer. */
export interface RequestRecord {
  readonly method: string;
  readonly target: string;
  /** Head and body as they came; of long ones the beginning. */
  readonly raw: Buffer;
  readonly body: Buffer;
  /** CONNECT: bytes that stood in the TLS record of the head's end, whether they were lost or not. */
  readonly beside: Buffer;
  /** First DNS name of the caller's certificate. */
  readonly caller: string | undefined;
  /** Number of the connection, from 1: requests with the same one came over the same connection. */
  readonly connection: number;
  readonly gateway: number;
  readonly tls: ConnectionFacts;
  /** Undefined until it is answered, and for good where it was closed without an answer. */
  status: number | undefined;
}

export interface ConnectionFacts {
  readonly protocol: string | null;
  readonly servername: string | undefined;
  /** What was agreed: none, whatever was offered (§3.1). */
  readonly alpn: string | false;
  readonly resumed: boolean;
}

/** One client of an import, and how far its connection came. */
export interface AttemptRecord {
  readonly import: string;
  outcome: 'waiting' | 'egress-failed' | 'unreachable' | 'refused' | 'open' | 'ended';
  source: ImportSource | undefined;
  /** The answer to CONNECT, its head as it came. */
  head: Buffer | undefined;
  status: number | undefined;
  /** Bytes of the exporter that stood beside its 200, and that a Go importer never sees (§3.6, 3). */
  lostBytes: number;
}

export interface Journal<T> {
  add(entry: T): T;
  entries(): readonly T[];
}

export function makeJournal<T>(): Journal<T> {
  const kept: T[] = [];
  return {
    add(entry) {
      if (kept.length >= KEPT_MAX) kept.shift();
      kept.push(entry);
      return entry;
    },
    entries: () => [...kept],
  };
}

export function clip(bytes: Buffer): Buffer {
  return Buffer.from(bytes.subarray(0, KEPT_BYTES_MAX));
}

export function factsOf(socket: TLSSocket): ConnectionFacts {
  return {
    protocol: socket.getProtocol(),
    // Typed as text or null; `false` is what Node says of a client that sent none.
    servername: (socket as { servername?: string | false | null }).servername || undefined,
    alpn: socket.alpnProtocol ?? false,
    resumed: socket.isSessionReused(),
  };
}

/** The first name only, as the Go data plane takes it (§3.1); there may be more. */
export function firstDnsName(socket: TLSSocket): string | undefined {
  // Without a certificate Node gives `{}`, whatever the type says.
  const { subjectaltname } = socket.getPeerCertificate() as { subjectaltname?: string };
  return /(?:^|, )DNS:([^",]+)/.exec(subjectaltname ?? '')?.[1];
}
