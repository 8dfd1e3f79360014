/** Bounds of what every process is made of; docs/LIMITS.md lists them for users. */

/** The configuration file: the largest sensible one is a hundredth of it. */
export const CONFIG_BYTES_MAX = 64 * 1024;
/** YAML aliases in it: more is a bomb, not a configuration. */
export const CONFIG_ALIASES_MAX = 16;
/** Problems of a configuration that one error lists. */
export const CONFIG_PROBLEMS_MAX = 10;

/** What is alive after a full collection of the heap, and so much more, makes the next one: 64 MiB for one of 32 that are alive. */
export const HEAP_GROWTH_PERCENT = 100;

/** Log lines that wait for a slow reader of stderr; beyond it lines are dropped rather than the data plane stalled. */
export const LOG_BUFFER_BYTES_MAX = 4 * 1024 * 1024;

/** Label sets of one metric: what Prometheus stores well for a process; later ones are counted under "other". */
export const METRIC_SERIES_MAX = 2_000;

/** Heads of requests for probes and metrics: no header of theirs is read. */
export const HTTP_HEAD_BYTES_MAX = 8 * 1024;
/** From a connection to its complete request. */
export const HTTP_REQUEST_TIMEOUT_MS = 5_000;
/** An idle keep-alive connection: longer than the interval of usual scrapers would keep a slot for nothing. */
export const HTTP_KEEP_ALIVE_MS = 5_000;
/** Connections for probes and metrics: a kubelet, some scrapers, a person. */
export const HTTP_CONNECTIONS_MAX = 64;

/** Length of a Unix socket's path: sun_path of Linux has 108 bytes with the closing zero (unix(7)). */
export const SOCKET_PATH_BYTES_MAX = 107;
/** One request to the admin socket: `test policy --diff` sends some thousand policies. */
export const ADMIN_BODY_BYTES_MAX = 1024 * 1024;
/** One answer of the admin socket: the status of 10,000 imports. */
export const ADMIN_ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** Requests to the admin socket at once. */
export const ADMIN_REQUESTS_MAX = 32;
/** Connections to it: beyond them new ones are closed at once. */
export const ADMIN_CONNECTIONS_MAX = 128;
/** How long one request may take: a probe with its dial is the longest. */
export const ADMIN_DEADLINE_MS = 30_000;
/** How long a socket that is already there may take to answer before it counts as alive. */
export const ADMIN_STALE_CHECK_MS = 1_000;

/** One component's start. */
export const START_TIMEOUT_MS = 30_000;
/** What a component may take to end its drain after the deadline: a gateway stays for clients that are led back to it. */
export const DRAIN_REST_MS = 15_000;
/** One component's stop, after the drain. */
export const STOP_TIMEOUT_MS = 5_000;

/**
 * Signals this close together are one: a terminal's Ctrl-C reaches both the starter in bin/ and this process, and the starter
 * forwards its own.
 */
export const SIGNAL_ECHO_MS = 500;

/** Keys that one work queue knows at a time: ten times the objects that are supported. */
export const QUEUE_KEYS_MAX = 100_000;
/** First and greatest wait before a key that failed is tried again. */
export const RETRY_MIN_MS = 5;
export const RETRY_MAX_MS = 60_000;

/** Messages that wait in one direction of a channel: more means that the other end does not run any more. */
export const CHANNEL_MESSAGES_MAX = 65_536;
/** Work that looks at everything rests this many times as long as it took: it has a quarter of a core at most. */
export const REST_PER_RUN = 3;
/** And never longer than this: a process that was stopped in the middle must not take that for work. */
export const REST_MAX_MS = 2_000;

/** A reset waits for a shutdown of the socket that is under way: a turn of the event loop, or until TLS has said its last word. */
export const RESET_WAIT_MS = 1_000;
/** Things that may go at once without being held, where they are not all there are: whoever tidies up deletes a few. */
export const LOSS_UNHELD_MAX = 10;
/** How long is kept what went in a mass: until somebody has seen the alarm and put its source right (DESIGN §6). */
export const LOSS_HOLD_MS = 5 * 60_000;
/** Lines about one peer, of one sort, in a window: what it does or says often must not fill a disk. */
export const PEER_LINES_MAX = 100;
export const PEER_LINES_WINDOW_MS = 60_000;
