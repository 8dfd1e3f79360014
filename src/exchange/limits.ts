/** Bounds of the record exchange; docs/LIMITS.md lists them for users. */

/** One record as JSON. */
export const RECORD_BYTES_MAX = 16 * 1024;
/** Records of one peer. */
export const RECORDS_PER_PEER_MAX = 10_000;
/** Ports of one record. */
export const PORTS_PER_RECORD_MAX = 64;
/** Host names of one headless record. */
export const HOSTNAMES_PER_RECORD_MAX = 1_000;
/** Entries of one report, of each sort, so that the longest fits a line; what is beyond is not reported. */
export const REPORT_ENTRIES_MAX = 1_500;
/** How often an exporter repeats its digest: a heart beat, and the healing of a change that was lost. */
export const DIGEST_INTERVAL_MS = 10_000;
/** An export that a complete snapshot does not name is withdrawn when it is still absent after this time (DESIGN §6). */
export const ABSENCE_GRACE_MS = 5_000;
/** First and greatest wait before an exchange with a reachable peer is opened again. */
export const REOPEN_MIN_MS = 200;
export const REOPEN_MAX_MS = 5_000;
/** An exchange that lasted this long began well: the next wait is the first one again. */
export const STEADY_AFTER_MS = 15_000;
/** From opening the stream to the first complete snapshot. */
export const SNAPSHOT_TIMEOUT_MS = 60_000;
/** Three heart beats that did not come: the exporter no longer speaks, although its session lives. */
export const SILENCE_TIMEOUT_MS = 35_000;
/** Lines that are sent before the stream has taken the first of them: 1 MiB of the longest records. */
export const LINES_AHEAD_MAX = 64;
/**
 * Size of one PeerRecords object. An API server takes 1.5 MiB (DESIGN §4), and a millisecond for each KiB that is applied: a
 * change of one record writes one object.
 */
export const PEER_RECORDS_CHUNK_BYTES = 32 * 1024;
/** Changes of objects that come together are published together. */
export const PUBLISH_DELAY_MS = 20;
/** One write of a peer's records to the store. */
export const WRITE_TIMEOUT_MS = 10_000;
/** How often one peer's records are written: what it says in the meantime becomes one write, however fast it talks. */
export const PEER_WRITE_INTERVAL_MS = 100;
/** Such writes at once after a quiet time: a change is usually alone, and is written without a wait. */
export const PEER_WRITES_AT_ONCE_MAX = 10;
/**
 * How often what one peer reports of our exports is said and written: a report is whole each time, while a thousand imports are
 * made, and it only ends in conditions that people read.
 */
export const REPORT_INTERVAL_MS = 1_000;
/** A heart beat costs a hash over all records: one that comes sooner after another is passed over. */
export const DIGEST_INTERVAL_MIN_MS = 1_000;
