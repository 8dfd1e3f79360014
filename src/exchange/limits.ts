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
/** Words for what an importer understands, in its `watch`: there is one today. */
export const FEATURES_MAX = 16;
/** How often an exporter repeats its digest: a heart beat, and the healing of a change that was lost. */
export const DIGEST_INTERVAL_MS = 10_000;
/**
 * An export that a complete snapshot does not name is withdrawn when it is still absent after this time; and what goes within
 * such a time is looked at together (DESIGN §6).
 */
export const ABSENCE_GRACE_MS = 5_000;
/**
 * A withdrawal counts when for as long no other has come, and after {@link ABSENCE_GRACE_MS} at the latest: until then nobody
 * knows whether it is one of many. Short, since an import has to say within 2 s that its last source has gone.
 */
export const WITHDRAWAL_QUIET_MS = 1_000;
/** Fewer records that go at once are no mass, though they may be all that there were. */
export const MASS_RECORDS_MIN = 3;
/**
 * Where nobody has listened for a while (a restart, two installations), what is due to go waits this long for the peer to be heard:
 * it may have put right meanwhile what was held, and a name that is away for a moment is an NXDOMAIN that resolvers keep.
 */
export const RESUME_GRACE_MS = 60_000;
/** Records of one peer that are kept although it does not name them any more: as many as it may name. */
export const RECORDS_LOST_MAX = 10_000;
/** All records of one peer as JSON: 10,000 of 1.6 KiB, four times what a usual one has. */
export const RECORDS_BYTES_PER_PEER_MAX = 16 * 1024 * 1024;
/** Namespaces in the records of one peer: each may become one of an importer's, which has as many watches and rules. */
export const NAMESPACES_PER_PEER_MAX = 1_000;
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
/**
 * What a peer changes one by one, in the long run: a tenth of what this process could take. Beyond it nothing is lost: its next
 * line is read later, and the peer has to wait.
 */
export const CHANGES_PER_SECOND_MAX = 1_000;
/** Such changes at once after a quiet time: as many as it has records, so that whoever changes all of them need not wait. */
export const CHANGES_AT_ONCE_MAX = 10_000;
/**
 * Revocation lists count as a change for each such part: they are written down whole, however little has changed, and may be half a
 * MiB. So a peer that changes them all the time makes one write of that size in four seconds.
 */
export const REVOCATIONS_BYTES_PER_CHANGE = 128;
/** What an importer says, in the long run: each question is answered with a digest over all that it may see. */
export const IMPORTER_LINES_PER_SECOND_MAX = 2;
/** Such lines at once after a quiet time. */
export const IMPORTER_LINES_AT_ONCE_MAX = 20;
/**
 * Two installations of one name that are connected together for as long both live: of one that has died the session ends within
 * 2 s (yamux/limits.ts).
 */
export const DUPLICATE_OVERLAP_MS = 10_000;
/** One that comes back within this time after another was there takes turns with it; and as long one has to be alone again. */
export const DUPLICATE_QUIET_MS = 60_000;
/** Installations of one peer that are remembered: two are one too many already. */
export const EPOCHS_REMEMBERED_MAX = 16;
/** Of a bound that is used so far, the Peer says so (condition `LimitNear`). */
export const LIMIT_NEAR_RATIO = 0.8;
/**
 * How long what a peer said is remembered after its Peer object has gone, out of use: a tool that deletes and creates the object
 * again must not lose its records.
 */
export const PEER_GONE_GRACE_MS = 5 * 60_000;
