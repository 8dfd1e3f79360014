/** Bounds of a multiplexed session; docs/LIMITS.md is written from them. */

/**
 * Bytes a sender may have outstanding on a stream before the reader took any, where both ends have not agreed on fewer: yamux fixes
 * it. Every stream whose reader takes as much may have it later.
 */
export const WINDOW_BYTES = 256 * 1024;

/** The same where both hellos say so: one frame. A stream that is opened and never read costs a quarter. */
export const WINDOW_INITIAL_BYTES = 64 * 1024;

/** The most that a window grows to: twice what 1 Gbit/s has under way in 100 ms is 25 MB. */
export const WINDOW_BYTES_MAX = 32 * 1024 * 1024;

/** Windows grow no further than this while the memory of the peer or the process is half used: enough for 25 Mbit/s at 20 ms. */
export const WINDOW_PRESSED_BYTES = 64 * 1024;

/** A round trip of up to so long is no path, but event loops: how much a reader takes in one says nothing. */
export const WINDOW_NEAR_MS = 1.5;

/** What a stream that carries bulk may have there: batches of 256 KiB at both ends and between need several of them under way. */
export const WINDOW_NEAR_BYTES = 2 * 1024 * 1024;

/** What a reader takes is measured for a round trip, but for no less than this: on a near path batches and turns are what is seen. */
export const WINDOW_MEASURE_MIN_MS = 2;

/** One data frame while others wait, so that a large write waits for nobody longer than one frame of each other stream. */
export const FRAME_BYTES_MAX = 64 * 1024;

/**
 * The same while nobody else waits, nor had little to send of late: what one read of a local socket brings (slabs). A path that takes
 * longer for it than for what is between two marks gets shorter ones.
 */
export const FRAME_ALONE_BYTES_MAX = 512 * 1024;

/** How long a session counts as shared after somebody with little to send. */
export const CROWDED_FOR_MS = 50;

/** Data that a session has in its socket, or ready for it: a frame goes there if the longest one fits. What is there when TLS comes back goes at once. */
export const SOCKET_BYTES_MAX = 1024 * 1024;

/** The same while somebody has little to say: a frame goes there as long as no more than one other is before it. */
export const SOCKET_BYTES_CROWDED_MAX = FRAME_BYTES_MAX;

/** A stream with no more than this to send goes ahead of those with more: a key that was pressed, a request, an answer. */
export const HASTY_BYTES_MAX = 8 * 1024;

/** What such streams may have under way beyond what the path takes: 5 ms of 100 Mbit/s. */
export const HASTY_RESERVE_BYTES = 64 * 1024;

/** Data of a session under way before its path is known: 40 ms of 100 Mbit/s. */
export const IN_FLIGHT_BYTES_FIRST = 512 * 1024;

/** The least that may be under way: two frames, so that one is sent while the other one arrives. */
export const IN_FLIGHT_BYTES_MIN = 128 * 1024;

/** What may be under way: what arrives in so many round trips, so that a path that has more room shows it, */
export const IN_FLIGHT_ROUND_TRIPS = 1.25;

/** or in so many until a first queue is seen, as TCP begins, */
export const IN_FLIGHT_ROUND_TRIPS_FIRST = 3;

/** and in so many milliseconds: event loops answer late, and marks are that far apart. Nobody feels it as a wait. */
export const IN_FLIGHT_QUEUE_MS = 15;

/**
 * So many marks are under way at once: what is answered of them tells how fast the path takes what is between, and lets as much
 * follow. On a near path fewer: they are no closer than what it takes in so long.
 */
export const MARKS_AWAITED_MAX = 8;
export const MARK_AFTER_MS = 6;

/** The highest rate of the last one to two of these is that of the path. */
export const RATE_SPAN_MS = 500;

/** How soon a queue is let run empty again, where it grows longer than what is under way from here could make it. */
export const PROBE_AGAIN_AFTER_MS = 1_000;

/** A session over which so much payload goes within so long, 10 Mbit/s, carries bulk, and for so long after: others are preferred. */
export const BULK_BYTES = 256 * 1024;
export const BULK_WITHIN_MS = 200;
export const BULK_FOR_MS = 1_000;

/** Frames that are written together: one long one and some small ones, or several short ones. */
export const BATCH_BYTES_MAX = 516 * 1024;

/** The least memory for such: the small frames of a turn of the event loop. It is 4 and 16 times as much where more comes, and then the most. */
export const BATCH_BYTES_MIN = 4 * 1024;

/** Memory that frames are sent from and that is kept, of all sessions: six of the longest, more than busy sessions have under way at once. */
export const SEND_MEMORY_BYTES_MAX = 3 * 1024 * 1024;

/** After so long without a frame nothing of it is kept. */
export const SEND_MEMORY_IDLE_MS = 10_000;

/** What a writer may queue on a stream before `write` says stop: one frame. */
export const STREAM_WRITE_BUFFER_BYTES = FRAME_BYTES_MAX;

/**
 * Received pieces below this are copied together: a peer that sends single bytes would otherwise cost us an object, some
 * 100 bytes, for each byte of the window.
 */
export const RECEIVE_COPY_BELOW_BYTES = 4 * 1024;

/** Largest buffer into which small pieces are copied; it grows with what is held, so that an idle stream costs 1 KiB. */
export const RECEIVE_SLAB_BYTES_MAX = 16 * 1024;
export const RECEIVE_SLAB_BYTES_MIN = 1024;

/**
 * Control frames (answers to pings, window updates, resets) that may wait in the socket, above what the socket allows
 * for data: some 87,000 frames, which only a peer that sends without reading can reach. The session ends.
 */
export const CONTROL_BACKLOG_BYTES_MAX = 1024 * 1024;

/** Pings of one peer in a second: those of ten replicas that measure their paths under load are 1,700. The session ends. */
export const PINGS_PER_SECOND_MAX = 4000;

/**
 * Work that one session does in one turn of the event loop: 1 for a frame, and more for a stream that it opens (30 us). 64 KiB
 * may hold 5,000 of either, and whatever else this process serves would wait for all of them.
 */
export const WORK_PER_TURN_MAX = 640;
export const WORK_PER_OPEN = 10;

/** Own pings whose answer is awaited; further ones are sent but not measured, or refused when somebody waits for them. */
export const PINGS_AWAITED_MAX = 16;

/** How long `ping()` waits for its answer. */
export const PING_TIMEOUT_MS = 5000;

/** Nothing received, or nothing sent, for this long: ping. Half of what leaves a lost peer out of use within 2 s (DESIGN §7). */
export const PING_AFTER_MS = 500;

/** While bytes come and go no silence asks for a ping: the round trip is measured anew after so long. */
export const ROUND_TRIP_AGE_MAX_MS = 5000;

/** The least round trip of the last one to two of these is that of the path without queues: a path may change. */
export const ROUND_TRIP_SPAN_MS = 10_000;

/** No byte for this long after a ping: the peer is lost. With PING_AFTER_MS it makes 2 s. */
export const DEAD_AFTER_MS = 1500;

/** A long path gets this many round trips instead, if they take longer than DEAD_AFTER_MS. */
export const DEAD_AFTER_ROUND_TRIPS = 4;

/** The most that a slow path, or a peer that delays its answers, can gain by the rule above. */
export const DEAD_AFTER_MS_MAX = 30_000;
/** A check of liveness that comes so late was held up: the machine has stood still, and the peer perhaps with it. */
export const LATE_CHECK_MS = 500;

/**
 * Stream ids that a peer may skip and use later: openers that run in parallel send their SYNs in any order. hashicorp's
 * peers have at most 256 unanswered; a larger jump is a protocol error, and the oldest skipped id counts as used.
 */
export const SKIPPED_IDS_MAX = 1024;

/** How long an ended session waits for the other end before its socket is destroyed. */
export const CLOSE_LINGER_MS = 1000;

/** Frames below that wait for the end of their turn of the event loop, to be sent with others. */
export const GATHERED_BYTES_MAX = 4 * 1024;

/** So soon after the last ones they wait for one turn more. */
export const GATHERED_AGAIN_MS = 1;
