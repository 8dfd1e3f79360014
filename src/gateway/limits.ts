/** Bounds of the data plane; docs/LIMITS.md lists them for users. */

/** A TLS handshake and the hellos after it, on both sides: longer is a slow loris or a dead path. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;
/** Handshakes in flight: each costs about 2 ms of CPU and 60 KiB, and nothing is known of the caller yet. */
export const HANDSHAKES_MAX = 64;
/** Streams that one session may have open (also told in the hello): at worst 2,000 x 256 KiB of unread window, 500 MiB. */
export const STREAMS_PER_SESSION_MAX = 2_000;
/** Sessions that one peer may have open with this gateway: ten replicas, and some of them while they are replaced. */
export const SESSIONS_PER_PEER_MAX = 16;
/** Those of one instance of it: one each way, and one each way while they are replaced. */
export const SESSIONS_PER_INSTANCE_MAX = 4;
/** Instances of a peer with replicas to which a session is kept through each of its addresses: one, and one to fall back on. */
export const INSTANCES_PER_ADDRESS = 2;
/** From accepting a stream to its complete head. */
export const HEAD_TIMEOUT_MS = 5_000;
/** From a refusal to the reset of its stream: the answer is read within a round trip. */
export const REFUSAL_LINGER_MS = 2_000;
/** Streams that a session may open in a second: beyond it they are reset, so that nobody floods log, metrics and channel. */
export const STREAMS_PER_SECOND_MAX = 10_000;
/** From opening a stream to the peer's answer: its dial and one round trip. */
export const ANSWER_TIMEOUT_MS = 10_000;
/** The same while another source is left to try: a peer that takes streams and answers none costs a client no more than this. */
export const SWITCH_AFTER_MS = 1_000;
/** Failures in a row after which a source is put last; an answer that is overdue counts for as many, since it costs most. */
export const EJECT_AFTER_FAILURES = 3;
/** For how long at first; it doubles with each probe that fails. */
export const EJECTED_MIN_MS = 1_000;
/** The longest: a source that is well again gets no connection until then, and each probe may cost one SWITCH_AFTER_MS. */
export const EJECTED_MAX_MS = 30_000;
/** Sources whose last trial failed that are remembered: 500 bytes each, 2 MiB. */
export const SUSPECTS_MAX = 4_096;
/** One attempt to connect to an endpoint. */
export const DIAL_TIMEOUT_MS = 3_000;
/** Endpoints of one export that are tried for one connection. */
export const DIALS_PER_CONNECTION_MAX = 3;
/** Sources that are tried for one connection. */
export const SOURCES_PER_CONNECTION_MAX = 8;
/** Connections of local clients open at once, per import: beyond it new ones are reset with OVERLOADED. */
export const CONNECTIONS_PER_IMPORT_MAX = 10_000;
/** Hops a connection may have taken, own peer included: more is a loop (DESIGN §6). */
export const VIA_MAX = 4;
/** First and greatest wait between two attempts to dial a peer. */
export const REDIAL_MIN_MS = 100;
export const REDIAL_MAX_MS = 2_000;
/** The greatest wait before one address of a peer that has a session otherwise. */
export const REDIAL_SPARE_MAX_MS = 30_000;
/** How long a peer whose last session was lost still counts as reachable: a session that was cut is there again within it. */
export const SESSION_GRACE_MS = 1_000;
/** Dials in search of a second instance behind an address: with two behind it, one in 256 such searches finds none. */
export const SPARE_ATTEMPTS_MAX = 8;
/** Between two dials after as many were in vain: another replica may have been added. */
export const SPARE_INTERVAL_MS = 300_000;
/** Where a listener goes that cannot have its own port: below the ephemeral range of Linux (32768). */
export const REMAP_PORT_FIRST = 20_000;
export const REMAP_PORT_LAST = 29_999;
/** Attempts to find a free port in that range. */
export const REMAP_ATTEMPTS_MAX = 64;
/** When a listener that could have no port is tried again: whoever holds the ports may have gone. */
export const LISTEN_RETRY_MS = 5_000;
/** One line of the control stream: a hello with its features. */
export const CONTROL_LINE_BYTES_MAX = 16 * 1024;
/** Lines that wait for a peer which does not read its control stream: 4,000 streams cut at once take 200 KiB. */
export const CONTROL_BACKLOG_BYTES_MAX = 256 * 1024;
/** Streams that came with the peer's hello, before it was digested; a peer that opens more did not wait for our hello. */
export const EARLY_STREAMS_MAX = 64;
/** Reasons remembered for streams that the peer has just cut; older ones are forgotten. */
export const CLOSED_REASONS_MAX = 1_000;
/** How long the closing record of a stream that was reset waits for the peer's word: it may queue behind bulk data. */
export const CUT_REASON_WAIT_MS = 1_000;
/** One line of the exchange: a report of 1,500 entries of each sort; records have a bound of their own. */
export const EXCHANGE_LINE_BYTES_MAX = 1024 * 1024;
/** Exchange streams of one peer: one in use and one that replaces it. */
export const EXCHANGES_PER_PEER_MAX = 2;
/** One write of a status to the store. */
export const STATUS_WRITE_TIMEOUT_MS = 10_000;
/** What a gateway in a cluster writes of imports in a second, so that a flap under 1,000 imports spares the API server. */
export const STATUS_WRITES_PER_SECOND_MAX = 200;
/** How long the number of sessions with a peer must stand before it is written into the Peer: replicas that are looked for come and go. */
export const PEER_COUNT_DELAY_MS = 5_000;
/**
 * How long nothing may have been open before a gateway in a cluster ends. Until then the last kube-proxy and the last load
 * balancer act on its word that it goes, and connection tracking forgets what was reset (`nf_conntrack_tcp_timeout_close`).
 */
export const DRAIN_QUIET_MS = 10_000;
/** Changes of objects that come together make one snapshot. */
export const SNAPSHOT_DELAY_MS = 10;
/** How long a client whose address is not known yet waits for the watch of pods to tell of it (DESIGN §7). */
export const CLIENT_WAIT_MS = 1_000;
/** Clients that wait so at once, 2 KiB each; beyond it they count as not identified at once. */
export const CLIENT_WAITERS_MAX = 1_000;
/** Between two looks at what exports lead where none may: whoever changes them chooses how often, and must not fill a disk. */
export const FORBIDDEN_TELL_MS = 2_000;
/** Changes of pods that come together are told to the data plane together. */
export const CLIENTS_DELAY_MS = 20;
/** Questions to exporters at once about clients that have changed while connections of theirs are open. */
export const REASKS_AT_ONCE_MAX = 64;
/** Clients whose source is remembered for session affinity: 150 bytes each, 10 MiB. */
export const AFFINITY_ENTRIES_MAX = 65_536;
/** Sessions of one peer over which one connection is tried: where the first is just being lost, another may do. */
export const SESSIONS_PER_CONNECTION_MAX = 2;
/** The whole of `explain`: who asks it is promised an answer within 10 s. */
export const EXPLAIN_TIMEOUT_MS = 9_000;
/** Of that, a far side's decision: it is made at once, so that this is how long a peer that stalls is waited for. */
export const EXPLAIN_DECISION_TIMEOUT_MS = 6_000;
/** Sources of one import that `explain` and `probe` ask at once, in order of precedence. */
export const EXPLAIN_SOURCES_MAX = 16;
/** The whole of a probe: an answer and, if it is to dial, a dial. */
export const PROBE_TIMEOUT_MS = 10_000;
/** How long a connection is idle before TCP shows that it lives, and then again: middle boxes forget flows after minutes. */
export const KEEP_ALIVE_MS = 30_000;
/** Such probes without an answer before the other end counts as gone. */
export const KEEP_ALIVE_PROBES_MAX = 4;
