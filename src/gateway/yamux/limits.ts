/** Bounds of a multiplexed session; docs/LIMITS.md is written from them. */

/** Bytes a sender may have outstanding on a stream before the reader took any: yamux fixes the initial window for both ends. */
export const WINDOW_BYTES = 256 * 1024;

/** The same while the memory of the peer or the process is half used: enough for 25 Mbit/s at 20 ms. Grown, not shrunk. */
export const WINDOW_PRESSED_BYTES = 64 * 1024;

/** One data frame at most, so that a large write waits for nobody longer than one frame of each other stream. */
export const FRAME_BYTES_MAX = 64 * 1024;

/** A payload from here on is sent out of memory that is used again; smaller ones cost Node's own pool nothing. */
export const POOLED_FRAME_BYTES_MIN = 4 * 1024;

/** Such memory that is kept, of all sessions: 2 MiB, more than 10 of them have in their sockets at once. */
export const FRAME_BUFFERS_MAX = 32;

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

/** Pings of one peer in a second; an honest one sends two over each session. The session ends. */
export const PINGS_PER_SECOND_MAX = 1000;

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

/** No byte for this long after a ping: the peer is lost. With PING_AFTER_MS it makes 2 s. */
export const DEAD_AFTER_MS = 1500;

/** A long path gets this many round trips instead, if they take longer than DEAD_AFTER_MS. */
export const DEAD_AFTER_ROUND_TRIPS = 4;

/** The most that a slow path, or a peer that delays its answers, can gain by the rule above. */
export const DEAD_AFTER_MS_MAX = 30_000;

/**
 * Stream ids that a peer may skip and use later: openers that run in parallel send their SYNs in any order. hashicorp's
 * peers have at most 256 unanswered; a larger jump is a protocol error, and the oldest skipped id counts as used.
 */
export const SKIPPED_IDS_MAX = 1024;

/** How long an ended session waits for the other end before its socket is destroyed. */
export const CLOSE_LINGER_MS = 1000;
