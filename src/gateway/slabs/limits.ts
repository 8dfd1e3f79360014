/** Bounds of the fast path of reading; docs/LIMITS.md lists them for users. */

/** What is read into of a connection that is idle or chatty: with thousands of them this is what they cost. */
export const IDLE_BUFFER_BYTES = 2 * 1024;

/** Those of connections that have ended, kept for the next ones: 512 KiB. */
export const IDLE_SLABS_KEPT_MAX = 256;

/** One slab: two batches, so that one is filled while the other is written. */
export const SLAB_BYTES = 512 * 1024;

/** All slabs of the process, in use, free, or kept by readers that have stopped: 16 MiB, beside what peers are counted for. */
export const SLABS_MAX = 32;

/** Read into while all slabs are taken, as much as Node by itself would take. */
export const SPARE_BUFFER_BYTES = 64 * 1024;

/** All such memory of the process, 64 MiB: who finds that taken too goes on in the small steps of an idle connection. */
export const SPARE_SLABS_MAX = 1_024;

/** Such memory that is kept for the next who finds all slabs taken: 4 MiB. */
export const SPARE_SLABS_KEPT_MAX = 64;

/** How often a connection that is read into a slab is asked whether anything comes: after one to two of these in silence it gives it back. */
export const BULK_LOOK_MS = 1_000;

/**
 * What that costs in Node, some 60 bytes, is there until the connection ends: after each so many times the connection waits one
 * {@link BULK_LOOK_MS} more, so that in a week they are 11,000 at most.
 */
export const RESTS_PER_LOOK = 100;

/** Handed on at once when so much is there: one large write costs the kernel a fraction of many small ones. */
export const BATCH_BYTES = 256 * 1024;

/** A slab with less room is full: a read of less would be a small one. */
export const READ_ROOM_BYTES = 64 * 1024;

/** What would wait in a slab that others need more is copied out of it below this. */
export const COPY_BELOW_BYTES = 16 * 1024;

/** A read below this that comes alone ends a bulk phase: less than a full TLS record (RFC 8446 §5.1). */
export const CALM_BELOW_BYTES = 16 * 1024;

/** The start-up test of the fast path, over loopback: a machine that is slower reads as Node does by itself. */
export const SELF_TEST_TIMEOUT_MS = 2_000;
