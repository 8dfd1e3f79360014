/** Bounds of the data plane; docs/LIMITS.md lists them for users. */

/** A TLS handshake and the hellos after it, on both sides: longer is a slow loris or a dead path. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;
/** Handshakes in flight: each costs about 2 ms of CPU and 60 KiB, and nothing is known of the caller yet. */
export const HANDSHAKES_MAX = 64;
/**
 * When all places are taken: a handshake that is older gives up its place, since an honest one is over by then at a round trip of
 * 300 ms. Whoever has two prefixes could else keep everybody out with a connection every 80 ms that says nothing.
 */
export const HANDSHAKE_YIELDS_AFTER_MS = 1_000;
/** Those of one prefix (IPv4 /24, IPv6 /64): half, so that a flood out of one place leaves room for all others. */
export const HANDSHAKES_PER_PREFIX_MAX = 32;
/** Begun by one prefix in a second: 4 % of a core; ten peers behind one address that redial every 2 s begin five. */
export const HANDSHAKES_PER_SECOND_MAX = 20;
/** At once: a fabric of 100 peers behind one address that comes back after an outage. */
export const HANDSHAKE_BURST_PER_PREFIX_MAX = 100;
/**
 * Begun in a second by all callers of whom nothing is known, from wherever they call: half a core. Whoever has an IPv6 /48 has
 * 65,536 prefixes. Peers that have called before are not among them.
 */
export const HANDSHAKES_PER_SECOND_UNKNOWN_MAX = 250;
/** At once: ten fabrics of 100 peers, after this gateway was restarted and knows nobody. */
export const HANDSHAKE_BURST_UNKNOWN_MAX = 1_000;
/**
 * The same for addresses of one prefix from which a peer has called: ClusterLink's peers make a connection for each of their
 * clients. Half a core, which only peers and who calls from their very addresses can cost.
 */
export const HANDSHAKES_PER_SECOND_KNOWN_MAX = 250;
/** At once: a thousand clients of such a peer that connect together, over two of its gateways. */
export const HANDSHAKE_BURST_PER_KNOWN_PREFIX_MAX = 2_000;
/** Such addresses of one prefix, 100 bytes each: the one that has proved itself least recently is forgotten. Nodes of a cluster. */
export const HANDSHAKE_KNOWN_ADDRESSES_MAX = 64;
/** How long an address is known after a handshake that a peer has made: its heartbeats may use one connection for days. */
export const HANDSHAKE_KNOWN_MS = 86_400_000;
/** Callers from such addresses of one prefix who wait for a place, 6 KiB each: TLS has not begun, and what they have said waits in the kernel. */
export const HANDSHAKES_WAITING_PER_PREFIX_MAX = 2_000;
/** Those of all prefixes: 24 MiB. */
export const HANDSHAKES_WAITING_MAX = 4_000;
/** How long: less than HANDSHAKE_TIMEOUT_MS, so that nobody waits for a place behind callers who say nothing, to say nothing himself. */
export const HANDSHAKE_WAIT_MS = 4_000;
/** Prefixes that are remembered, 300 bytes each: more than call in the five seconds in which a bucket fills again. */
export const HANDSHAKE_PREFIXES_MAX = 4_096;
/** Streams that one session may have open, also told in the hello. */
export const STREAMS_PER_SESSION_MAX = 2_000;
/** Streams that one peer may have open over all its sessions: four full sessions. Their objects alone take 62 MiB. */
export const STREAMS_PER_PEER_MAX = 8_000;
/** Of these, those whose head has not come yet: a burst on a slow link opens before it asks. 30 ms of CPU, if all come at once. */
export const HALF_OPEN_STREAMS_PER_PEER_MAX = 1_000;
/** What a stream costs before it holds a byte: its objects, the socket at its other side, timers. Counted as memory held. */
export const STREAM_BYTES = 8 * 1024;
/** What all peers together may make this process hold: with 150 MiB of its own it stays below the 512 MiB of its pod. */
export const BUFFER_BYTES_MAX = 192 * 1024 * 1024;
/** What one peer may: half, so that no peer alone can take it from the others. */
export const PEER_BUFFER_BYTES_MAX = 96 * 1024 * 1024;
/** From here on the windows of streams are small: readers that take nothing hold a quarter as much. */
export const BUFFERS_PRESSED_PERCENT = 50;
/** From here on new streams are refused: what is open may still take the rest. */
export const BUFFERS_FULL_PERCENT = 75;
/** What all streams together may be promised beyond WINDOW_BYTES each: as much as may be held before windows grow no more. */
export const WINDOWS_BYTES_MAX = 96 * 1024 * 1024;
/** What those of one peer may: two that fill 1 Gbit/s over 100 ms, or 48 that share it. */
export const PEER_WINDOW_BYTES_MAX = 48 * 1024 * 1024;
/** Sessions that one peer may have open with this gateway: ten replicas, and some of them while they are replaced. */
export const SESSIONS_PER_PEER_MAX = 16;
/** Up to so many, with all instances together, load may ask for a further one: the other places are left for those that have none. */
export const SESSIONS_BY_LOAD_MAX = 8;
/** Of one instance, dialled by one end, that load has no part in: one, and one that replaces it. */
export const SESSIONS_ASSURED_EACH_WAY = 2;
/** From here on a session is full enough that a further one is wanted: half of what it may have, before anybody is refused. */
export const CROWDED_STREAMS = 1_000;
/** Between two looks at what the sessions carry: a second is too long to wait behind bulk, and 1,000 peers cost a look 1 ms. */
export const LOAD_LOOK_MS = 500;
/**
 * How long every session must have carried bulk, or been crowded, before a further one is dialled: a download that is over sooner
 * is not worth a handshake, 15 ms of CPU at both ends together. Up to half as long again by chance, since both ends may dial and see the same.
 */
export const FURTHER_AFTER_MS = 2_000;
/** How long a session must have been one too many before it is retired: its pings cost 20 ms of CPU in that time, a new handshake 15. */
export const FEWER_AFTER_MS = 60_000;
/** After a further session that ended at once: the other end has reached its bound, or is older and takes fewer. */
export const FURTHER_AGAIN_MS = 60_000;
/** Replaced ones through one address whose streams have not ended, while which others are replaced: both ends' leave room in 16. */
export const RETIRED_PER_ADDRESS_MAX = 6;
/** Instances of a peer with replicas to which a session is kept through each of its addresses: one, and one to fall back on. */
export const INSTANCES_PER_ADDRESS = 2;
/** Between two looks whether the certificate of a session has expired: a session does not outlive it by more. */
export const TRUST_RECHECK_MS = 10_000;
/** From accepting a stream to its complete head. */
export const HEAD_TIMEOUT_MS = 5_000;
/** From a refusal to the reset of its stream: the answer is read within a round trip. */
export const REFUSAL_LINGER_MS = 2_000;
/** Streams that a peer may open in a second: beyond it they are reset, so that nobody floods log, metrics and channel. */
export const STREAMS_PER_SECOND_MAX = 10_000;
/** Streams of a peer in a second that are refused at a bound: it was told each time. Beyond it, the session ends. */
export const REFUSED_STREAMS_PER_SECOND_MAX = 10_000;
/** Streams that a peer resets in a second before they were answered (the shape of CVE-2023-44487). Beyond it, the session ends. */
export const EARLY_RESETS_PER_SECOND_MAX = 2_000;
/** Connections to endpoints that are being made for one peer: as many as a dead endpoint holds at 170 a second. */
export const PENDING_DIALS_PER_PEER_MAX = 512;
/** Requests that are decided and dialled in one turn of the event loop: 4 ms; then others get theirs, and peers take turns. */
export const REQUESTS_PER_TURN_MAX = 16;
/** How often the data plane says how near its limits are. */
export const LIMITS_TELL_MS = 1_000;
/** From opening a stream to the peer's answer: its dial and one round trip. */
export const ANSWER_TIMEOUT_MS = 10_000;
/** The same while another source is left to try: a peer that takes streams and answers none costs a client no more than this. */
export const SWITCH_AFTER_MS = 1_000;
/** Bytes of a client that go to its source before the answer, and are kept until then: what most requests are, and one frame. */
export const EARLY_BYTES_MAX = 64 * 1024;
/**
 * They go only over a session that was heard so lately, and two round trips more: a quiet one is heard after each ping, PING_AFTER_MS
 * apart, and event loops are late.
 */
export const EARLY_HEARD_MS = 600;
/** Streams of one session that the peer has withdrawn before they were served: 1,000 numbers; older ones are forgotten, and answered late. */
export const WITHDRAWALS_MAX = 1_000;
/** Failures in a row after which a source is put last; an answer that is overdue counts for as many, since it costs most. */
export const EJECT_AFTER_FAILURES = 3;
/** For how long at first; it doubles with each probe that fails. */
export const EJECTED_MIN_MS = 1_000;
/** The longest: a source that is well again gets no connection until then, and each probe may cost one SWITCH_AFTER_MS. */
export const EJECTED_MAX_MS = 30_000;
/** Sources whose last trial failed that are remembered: 500 bytes each, 2 MiB. */
export const SUSPECTS_MAX = 4_096;
/** Scheme LeastLatency: by how much another source must be nearer to be preferred, in percent of the round trip. */
export const LATENCY_MARGIN_PERCENT = 20;
/** And at least by as much: below it a ping measures the event loops at both ends. */
export const LATENCY_MARGIN_MIN_MS = 1;
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
/** Of these, words that a stream was refused: beyond it the peer sees its reset only. */
export const OVERLOADED_BACKLOG_BYTES_MAX = 32 * 1024;
/** Lines of control streams from one peer in a second: all its streams cut at once are 8,000. Beyond it, the session ends. */
export const CONTROL_LINES_PER_SECOND_MAX = 10_000;
/** Streams that came with the peer's hello, before it was digested; a peer that opens more did not wait for our hello. */
export const EARLY_STREAMS_MAX = 64;
/** Reasons remembered for streams that the peer has just cut; older ones are forgotten. */
export const CLOSED_REASONS_MAX = 1_000;
/** How long the closing record of a stream that was reset waits for the peer's word: it may queue behind bulk data. */
export const CUT_REASON_WAIT_MS = 1_000;
/** One line of the exchange: a report of 1,500 entries of each sort; records have a bound of their own. */
export const EXCHANGE_LINE_BYTES_MAX = 1024 * 1024;
/** Lines of all exchanges that are read in one turn of the event loop: 3 ms; a window of a stream may hold a thousand. */
export const EXCHANGE_LINES_PER_TURN_MAX = 32;
/** Exchange streams of one peer: one in use and one that replaces it. */
export const EXCHANGES_PER_PEER_MAX = 2;
/**
 * Those that a peer opens in a second: each is answered with all that it may see. Below what an importer may say in a second, so
 * that nobody says more by beginning anew.
 */
export const EXCHANGES_PER_SECOND_MAX = 1;
/** At once: every replica of a peer comes back after an outage, and tries again. */
export const EXCHANGES_AT_ONCE_MAX = 20;
/** One write of a status to the store. */
export const STATUS_WRITE_TIMEOUT_MS = 10_000;
/** What a gateway in a cluster writes of imports in a second, so that a flap under 1,000 imports spares the API server. */
export const STATUS_WRITES_PER_SECOND_MAX = 200;
/** What is said of one peer in its status, in a second, in the long run: a peer that comes and goes chooses how often. */
export const PEER_STATUS_WRITES_PER_SECOND_MAX = 1;
/** At once after a quiet time. */
export const PEER_STATUS_WRITES_AT_ONCE_MAX = 10;
/** How long the number of sessions with a peer must stand before it is written into the Peer: replicas that are looked for come and go. */
export const PEER_COUNT_DELAY_MS = 5_000;
/**
 * How long nothing may have been open before a gateway in a cluster ends. Until then the last kube-proxy and the last load
 * balancer act on its word that it goes, and connection tracking forgets what was reset (`nf_conntrack_tcp_timeout_close`).
 */
export const DRAIN_QUIET_MS = 10_000;
/** Changes of objects that come together make one snapshot. */
export const SNAPSHOT_DELAY_MS = 10;
/** The rest after one that took long: a deny is in force within two seconds of being seen, whatever else changes. */
export const SNAPSHOT_REST_MAX_MS = 500;
/** How long a client whose address is not known yet waits for the watch of pods to tell of it (DESIGN §7). */
export const CLIENT_WAIT_MS = 1_000;
/** Clients that wait so at once, 2 KiB each; beyond it they count as not identified at once. */
export const CLIENT_WAITERS_MAX = 1_000;
/** Addresses of endpoints whose place among the ranges of one target rule is remembered: 100 KiB for each rule at most. */
export const ADDRESSES_JUDGED_MAX = 1_024;
/** Between two looks at what exports lead where none may: whoever changes them chooses how often, and must not fill a disk. */
export const FORBIDDEN_TELL_MS = 2_000;
/** Changes of pods that come together are told to the data plane together. */
export const CLIENTS_DELAY_MS = 20;
/** Questions to exporters at once about clients that have changed while connections of theirs are open. */
export const REASKS_AT_ONCE_MAX = 64;
/** Open connections that are asked in one turn of the event loop what other policies would make of them: a few ms. */
export const FORESEEN_PER_TURN_MAX = 32;
/** Connections of which the answer tells: all are counted. */
export const FORESEEN_TOLD_MAX = 1_000;
/** Asking all of them: the rest is told as not asked. */
export const FORESEE_TIMEOUT_MS = 10_000;
/** From the question to the answer of the data plane. */
export const FORESEE_ANSWER_TIMEOUT_MS = 15_000;
/** Such questions at once: each looks at every connection. */
export const FORESEEN_AT_ONCE_MAX = 1;
/** Refusals by a decision of this peer that are asked again then: each keeps what was said of its client. */
export const REFUSED_KEPT_MAX = 100;
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
/** How often within that time connections are looked for that have come since: most end before they need it, and it is four calls of the kernel. */
export const KEEP_ALIVE_LOOKS = 6;
/** Such probes without an answer before the other end counts as gone. */
export const KEEP_ALIVE_PROBES_MAX = 4;
/** What an HTTP proxy answers to CONNECT, interim answers included: as long as a head of a peer may be. */
export const PROXY_HEAD_BYTES_MAX = 16 * 1024;
/** Addresses behind the name of a gateway that are tried, and remembered: more than DNS gives over UDP. */
export const ADDRESSES_PER_NAME_MAX = 32;
/** After as long without a connection the next address is tried beside the one before (RFC 8305 §5 has 250 ms). */
export const NEXT_ADDRESS_MS = 300;
/** Names of gateways whose last used address is remembered, so that the next dial begins with another: 100 KiB. */
export const NAMES_REMEMBERED_MAX = 1_024;
/** How often the name of a gateway is looked up while there is a session: a changed address is followed after two looks. */
export const RESOLVE_INTERVAL_MS = 10_000;
/** Looks in a row that must miss the address of a session before it is replaced: one answer may be of a stale cache. */
export const RESOLVE_MISSES_MIN = 2;
/** The same at most, for a name that answers something else each time: it doubles with each move that soon follows another. */
export const RESOLVE_MISSES_MAX = 32;
/** How soon that is; a move that comes later is followed after the fewest looks again. */
export const NAME_STABLE_MS = 300_000;
/** The longest PROXY header: IPv6, and each name as long as Kubernetes lets it be. In one segment of any network that carries IPv6. */
export const PROXY_HEADER_BYTES_MAX = 679;
/** How often a session that was replaced is asked whether its last stream has ended, then it ends; streams on their way arrive. */
export const RETIRE_LOOK_MS = 2_000;
/** The longest drain that can be announced: a day, so that nobody computes with numbers that mean nothing. */
export const DRAIN_DEADLINE_MAX_MS = 86_400_000;
/** Ids of connections that are drawn at once: 4 KiB of what is random. */
export const CONNECTION_IDS_AT_ONCE = 256;
