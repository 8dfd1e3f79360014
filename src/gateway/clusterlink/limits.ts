/** Bounds of ClusterLink's form of the wire, on both sides; docs/LIMITS.md lists them for users. */

/** Importer: between a heartbeat's answer and the next heartbeat, as ClusterLink has it (reference §3.3). */
export const HEARTBEAT_INTERVAL_MS = 1_000;
/** A heartbeat that is not answered by then is sent again over another connection: the first may be dead, its gateway not. */
export const HEARTBEAT_RETRY_MS = 400;
/**
 * No good answer for this long after the first such heartbeat: the gateway is out of use. With the interval it makes 1.9 s;
 * ClusterLink takes 5 s, and up to 30 s where all is silent.
 */
export const HEARTBEAT_LOST_MS = 900;
/** A long path gets this many round trips instead. */
export const HEARTBEAT_LOST_ROUND_TRIPS = 4;
/** The most that a path, or a gateway that delays its answers, can gain by that. */
export const HEARTBEAT_LOST_MS_MAX = 10_000;
/** Heartbeats in a row that can have no connection: the gateway is out of use. */
export const DIAL_FAILURES_MAX = 2;
/** Connections to one gateway that wait for use: heartbeats take turns over them, so that none is idle for more than 4 s. */
export const KEPT_CONNECTIONS_MAX = 4;
/** Of these, those that are made ahead of use: one for the next connection, one for the next heartbeat. */
export const KEPT_CONNECTIONS_MIN = 2;
/** A connection that was idle for longer is not used: Go closes its own after 120 s (reference §3.6). */
export const KEPT_IDLE_MS_MAX = 100_000;
/** Connections to one gateway that are being opened at once, handshakes above all: RSA-4096 takes some 5 ms at either end. */
export const OPENING_PER_GATEWAY_MAX = 64;
/** Those that wait for a turn: beyond it a connection goes to another gateway or source, or is refused. 1 KiB each. */
export const WAITING_PER_GATEWAY_MAX = 4_096;
/**
 * From a full handshake on, its TLS session may be resumed: a minute, so that whoever has come by a gateway's ticket keys can play
 * its part no longer, and a gateway that is asked often signs once a minute.
 */
export const RESUMED_MS_MAX = 60_000;
/** The body of an answer, a text for people that is skipped; the real ones have some 50 bytes. */
export const ANSWER_BODY_BYTES_MAX = 8 * 1024;
/** A token: opaque here, some 200 bytes from ClusterLink; a Go gateway takes 10 KiB of heads altogether (reference §3.5). */
export const TOKEN_CHARACTERS_MAX = 4_096;
/** Labels of a peer that go into its Peer's status: more, or larger ones, are no labels of a peer. */
export const PEER_LABELS_MAX = 64;
/** `ClusterLinkPeerLabels`, as base64. */
export const PEER_LABELS_CHARACTERS_MAX = 8 * 1024;
/** How long silence lasts before a client's end of file is passed on, where the service has said nothing since the client spoke. */
export const END_UNANSWERED_MS = 60_000;
/** The same where the service has answered: most likely that was all, and the client has left. */
export const END_ANSWERED_MS = 5_000;
/**
 * How long bytes of a tunnel go unanswered through a gateway that answers neither heartbeats nor handshakes, until it is reset; and
 * how often that is looked at. A path that is back within it has lost nothing; TCP alone takes 15 minutes.
 */
export const STALLED_MS = 15_000;
/** From the passing on of the client's end of file to the end of the connection: ClusterLink's gateways take some 10 ms. */
export const END_LINGER_MS = 5_000;
/** After the peer has ended both directions: how long the client has to end its own before its connection is closed. */
export const PEER_END_LINGER_MS = 1_000;
/** Exporter: the body of `POST /authz`, as Envoy has it. ClusterLink's Go gateway reads whatever comes. */
export const REQUEST_BODY_BYTES_MAX = 64 * 1024;
/** From the first byte of a head to its last, from the handshake to the first head, and for a body. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** Between two requests on one connection: longer than the 120 s after which Go's gateways and ours give up theirs. */
export const REQUEST_IDLE_MS = 150_000;
/** Of one peer: connections between two requests; Go keeps two for each of its processes. The one that is idle longest goes. */
export const IDLE_CONNECTIONS_PER_PEER_MAX = 64;
/** Of one peer, over all its connections: 100 µs each, so a fifth of a core. */
export const REQUESTS_PER_SECOND_MAX = 2_000;
/** For an answer to be taken by the connection: whoever asks and does not read is cut. */
export const ANSWER_WRITE_TIMEOUT_MS = 10_000;
/** What a connection of either side costs before it holds a byte: TLS, two sockets, timers. Counted as memory held. */
export const CONNECTION_BYTES = 48 * 1024;
/** From `/authz` to CONNECT, as ClusterLink has it: its importers connect within a round trip or two. */
export const ACCESS_TOKEN_MS = 5_000;
/** By how much the clock of the gateway that sealed a token may be ahead: as long as it lives, since one behind is worth as much. */
export const ACCESS_TOKEN_SKEW_MS = 5_000;
/** Go's gateways take 10 KiB of heads altogether, ours a token of this. */
export const ACCESS_TOKEN_CHARS_MAX = 4_096;
/** Labels of a client as JSON, in a token: with the longest names of everything else it is below its bound. */
export const ASSERTED_BYTES_MAX = 1_900;
