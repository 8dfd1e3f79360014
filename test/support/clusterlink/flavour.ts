/**
 * The two data planes as tables: which status for what (§3.8), how heads are spelled (§3.2-3.6), how long each waits.
 * Where the reference marks a fact [E], it follows from Envoy's documented defaults; the rest was measured on Go.
 */
import { ENVOY_HANDSHAKE_MS, GO_TUNNEL_OPEN_MS } from './limits.ts';

export type FlavourName = 'go' | 'envoy';

/** What can come of a request, in the rows of table 3.8. */
export type Situation =
  | 'ok'
  | 'export-not-found'
  | 'denied'
  | 'malformed'
  | 'internal'
  | 'other-request'
  | 'no-authorization'
  | 'bad-token'
  | 'unknown-to-data-plane'
  | 'dial-failed'
  | 'no-control-plane'
  | 'no-dns-name';

/** All in milliseconds; real ones unless a test says otherwise. */
export interface Timeouts {
  /** For a TLS handshake that was accepted. */
  readonly handshakeMs: number;
  /** From the handshake, or the first byte of a later request, to the end of the head. */
  readonly headMs: number;
  /** Between requests on one connection. */
  readonly keepAliveMs: number;
  /** From the end of a head to its answer, CONNECT aside; then the connection is closed without one. */
  readonly writeMs: number;
  /** For the TCP connection to an exported service. */
  readonly dialMs: number;
  /** A tunnel without a byte in either direction; 0 = as long as it likes. */
  readonly tunnelIdleMs: number;
  /** Importer: one try of a heartbeat or of `/authz`. */
  readonly requestMs: number;
  /** Importer: all of the egress authorization of one connection; 0 = as long as it takes. */
  readonly egressMs: number;
  /** Importer: the connection to the other gateway and its answer to CONNECT. */
  readonly tunnelOpenMs: number;
  readonly heartbeatHealthyMs: number;
  readonly heartbeatUnhealthyMs: number;
}

export interface Flavour {
  readonly name: FlavourName;
  readonly statuses: Readonly<Record<Situation, number>>;
  readonly timeouts: Timeouts;
  readonly headBytesMax: number;
  readonly bodyBytesMax: number;
  /** As client of a tunnel (§3.1); its control plane is a Go client in both. */
  readonly tunnelTlsMax: 'TLSv1.2' | 'TLSv1.3';
  /** Whether a tunnel is refused to a server with another name than the peer's (§3.1, §8.1, 4). */
  readonly tunnelChecksName: 'yes' | 'no';
  /** Which gateway of a peer a tunnel goes to (§3.7). */
  readonly tunnelGateway: 'first' | 'each-in-turn';
  /** Whether the next client of an import waits for the decision about this one (§8.4, 37). */
  readonly accepts: 'one-by-one' | 'at-once';
  /** What reads heads takes so many bytes: those behind the head of a CONNECT or its 200 are lost (§3.6, 3 and 5). */
  readonly headBufferBytes: number;
}

/** Of Go's buffered readers: what is in the buffer beside the head is lost, what is still in the TLS record is not. */
const GO_BUFFER_BYTES = 4_096;

const HEARTBEATS = { heartbeatHealthyMs: 1_000, heartbeatUnhealthyMs: 10_000 };

const GO: Flavour = {
  name: 'go',
  statuses: {
    ok: 200,
    'export-not-found': 403,
    denied: 403,
    malformed: 403,
    internal: 403,
    'other-request': 403,
    'no-authorization': 403,
    'bad-token': 403,
    'unknown-to-data-plane': 500,
    'dial-failed': 500,
    'no-control-plane': 500,
    'no-dns-name': 400,
  },
  timeouts: {
    ...HEARTBEATS,
    handshakeMs: 2_000,
    headMs: 2_000,
    keepAliveMs: 120_000,
    writeMs: 2_000,
    dialMs: 1_000,
    tunnelIdleMs: 0,
    requestMs: 3_000,
    egressMs: 0,
    tunnelOpenMs: GO_TUNNEL_OPEN_MS,
  },
  // MaxHeaderBytes, to which Go's server adds the size of its buffer.
  headBytesMax: 10_240 + GO_BUFFER_BYTES,
  bodyBytesMax: Infinity,
  tunnelTlsMax: 'TLSv1.3',
  tunnelChecksName: 'yes',
  tunnelGateway: 'first',
  accepts: 'one-by-one',
  headBufferBytes: GO_BUFFER_BYTES,
};

const ENVOY: Flavour = {
  name: 'envoy',
  statuses: {
    ...GO.statuses,
    'export-not-found': 404,
    malformed: 400,
    internal: 500,
    'other-request': 400,
    'no-authorization': 400,
    'unknown-to-data-plane': 503,
    'dial-failed': 503,
    'no-control-plane': 403,
  },
  timeouts: {
    ...HEARTBEATS,
    handshakeMs: ENVOY_HANDSHAKE_MS,
    headMs: 3_600_000,
    keepAliveMs: 3_600_000,
    // The route's: Envoy says so itself in x-envoy-expected-rq-timeout-ms.
    writeMs: 15_000,
    dialMs: 1_000,
    tunnelIdleMs: 300_000,
    requestMs: 3_000,
    egressMs: 200,
    tunnelOpenMs: 15_000,
  },
  headBytesMax: 61_440,
  bodyBytesMax: 65_536,
  tunnelTlsMax: 'TLSv1.2',
  tunnelChecksName: 'no',
  tunnelGateway: 'each-in-turn',
  accepts: 'at-once',
  headBufferBytes: 0,
};

export const FLAVOURS: Readonly<Record<FlavourName, Flavour>> = { go: GO, envoy: ENVOY };

/** What is not lost of the bytes behind a head. */
export function keptBeside({ headBufferBytes }: Flavour, head: Buffer, beside: Buffer): Buffer {
  return beside.subarray(Math.max(0, headBufferBytes - head.length));
}
