/** Bounds of the DNS responder; docs/LIMITS.md lists them for users. */

/** A query over UDP: the payload that crosses the Internet unfragmented (DNS flag day 2020); real queries have below 300. */
export const UDP_QUERY_BYTES_MAX = 1_232;
/** A query over TCP: a name, an OPT with cookies and padding, a signature; parsing 64 KiB would hold the event loop for seconds. */
export const TCP_QUERY_BYTES_MAX = 4_096;
/** OPT, and TSIG or SIG(0): no query carries more (RFC 6891, RFC 8945). */
export const ADDITIONAL_RECORDS_MAX = 2;

/** An answer over UDP to a client that speaks no EDNS (RFC 1035 §4.2.1). */
export const UDP_REPLY_BYTES_DEFAULT = 512;
/** An answer over UDP whatever the client offers: larger ones would be fragmented, which is how answers are forged and lost. */
export const UDP_REPLY_BYTES_MAX = 1_232;
/** An answer over TCP: what its 16-bit length can say (RFC 1035 §4.2.2). */
export const TCP_REPLY_BYTES_MAX = 65_535;

/** Endpoints of a headless service that have names: A records of as many are 16 KiB (DNS-05 permits a subset). */
export const ENDPOINTS_PER_SERVICE_MAX = 1_000;
/** Records of one type at one name: more than 65,535 octets hold, at the 16 of the smallest record. */
export const RECORDS_PER_NAME_MAX = 4_096;
/** Entries of a snapshot that could not become names and are listed one by one; the rest is counted. */
export const SKIPPED_REPORTED_MAX = 10;

/** Connections over TCP, all clients together: with both buffers of each full they hold about 100 MiB. */
export const TCP_CONNECTIONS_MAX = 512;
/** Connections of one client address: a forwarder keeps a pool, a stub resolver has one or two. */
export const TCP_CONNECTIONS_PER_CLIENT_MAX = 64;
/** From one complete query to the next, and from a full send buffer to an empty one ("a few seconds", RFC 7766 §6.2.3). */
export const TCP_TIMEOUT_MS = 10_000;
/** Pipelined queries of one connection that are answered before others have their turn: below 1 ms of work. */
export const TCP_QUERIES_PER_TURN = 32;
/** Connections that the kernel holds before they are accepted. */
export const TCP_BACKLOG = 128;

/** Prefixes that are remembered; the one that was looked up least recently is forgotten first. About 1 MiB. */
export const REPLY_PREFIXES_MAX = 4_096;
/** Places for addresses that are remembered with what is decided on them; a power of two. About 1 MiB. */
export const SOURCES_MAX = 4_096;
/** Questions whose encoded answers are kept, for names that exist: three of each of 20,000 imports. With 1 MiB of slots. */
export const ANSWERS_KNOWN_MAX = 65_536;
/** What those answers take with their questions, some 200 octets each. */
export const ANSWER_MEMORY_BYTES_MAX = 32 * 1024 * 1024;
/** The same for names that do not exist: what programs ask for in vain day by day. A flood of invented ones stays below it. */
export const ABSENT_KNOWN_MAX = 8_192;
export const ABSENT_MEMORY_BYTES_MAX = 2 * 1024 * 1024;
/** Queries that wait in the kernel while the event loop is busy: 0.2 s of 100,000 a second. Linux grants `net.core.rmem_max`. */
export const UDP_BUFFER_BYTES = 4 * 1024 * 1024;
/** Replies that wait for the kernel: when the link is slower than the queries, late answers help nobody. */
export const UDP_SEND_QUEUE_BYTES_MAX = 1024 * 1024;

/** Sampled queries that are logged, however many there are: a log is read by people. */
export const QUERY_LOG_LINES_PER_SECOND = 20;

/** Until a thread says that it listens, or has taken a change: then it is ended and another one begins with everything. */
export const DNS_THREAD_PATIENCE_MS = 10_000;
/** Between two beginnings of a thread. */
export const DNS_THREAD_RESTART_MS = 1_000;

/** Attempts to find a port that is free for UDP and TCP, when port 0 is asked for. */
export const BIND_ATTEMPTS_MAX = 16;
