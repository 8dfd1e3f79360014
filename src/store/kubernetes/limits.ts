/** Bounds of the store over an API server; docs/LIMITS.md lists them for users. */

/** Objects of one page of a list: what kubectl and client-go ask for. */
export const LIST_PAGE_OBJECTS = 500;
/** The same after a list took the server too long: fewer pages take less time. */
export const LIST_PAGE_OBJECTS_MAX = 8_000;
/** One answer that is read as a whole. A page that is larger is asked for again with fewer objects. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** One event of a watch: twice the largest object that etcd takes (1.5 MiB), for escapes. */
export const EVENT_BYTES_MAX = 3 * 1024 * 1024;
/** Objects of one kind that are kept; beyond it the list counts as failed, and what was known stays. */
export const OBJECTS_PER_KIND_MAX = 100_000;

/** One page of a list. */
export const LIST_TIMEOUT_MS = 60_000;
/** One write, one read of one object, one question what is served. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** From the request of a watch to the head of its answer. */
export const WATCH_OPEN_TIMEOUT_MS = 30_000;
/** A watch is ended by the server after a time between these two, by chance, so that they do not all end together. */
export const WATCH_SECONDS_MIN = 240;
export const WATCH_SECONDS_MAX = 480;
/** Without a byte for this long a watch counts as cut: bookmarks come about once a minute. */
export const WATCH_SILENCE_MS = 150_000;
/** First and greatest wait before a list or watch that failed is tried again. */
export const RELIST_MIN_MS = 200;
export const RELIST_MAX_MS = 30_000;
/** What a server may make us wait by Retry-After. */
export const RETRY_AFTER_MAX_MS = 60_000;

/** How long an answer about the served versions of a group is believed: a version that comes later is used after it. */
export const DISCOVERY_LIFE_MS = 30_000;

/** Writes and reads of single objects at once: enough to keep a server busy, few enough to leave room for others (its fairness). */
export const REQUESTS_IN_FLIGHT_MAX = 64;
/** Writes that wait for earlier writes of their object or for the API server. */
export const WRITES_WAITING_MAX = 10_000;
/** Causes of a refusal that an error quotes, and characters of each. */
export const QUOTED_CAUSES_MAX = 5;
export const QUOTED_CAUSE_CHARS_MAX = 300;
/** Pieces of a write that the served schema does not have and that are left out, before the write is given up. */
export const DROPPED_FIELDS_MAX = 16;
/** How long a field that the served schema did not have is left out before it is tried again: CRDs are upgraded. */
export const UNDECLARED_LIFE_MS = 600_000;

/** How long a lease stands after its holder was last seen to renew it. */
export const LEASE_MS = 15_000;
/** A leader that has not renewed for this long stops leading: well before another may take over. */
export const LEASE_DEADLINE_MS = 10_000;
/** Between two tries to take or renew a lease; candidates add up to a fifth by chance. */
export const LEASE_RETRY_MS = 2_000;
/** One request about a lease. */
export const LEASE_REQUEST_TIMEOUT_MS = 5_000;
/** How long a leader's work may take to stop before the lease is given back; later it is left to expire. */
export const LEASE_HANDOVER_MS = 5_000;

/** Events that are remembered so that a repetition counts up instead of making another object. */
export const EVENT_SERIES_MAX = 1_000;
/** A repetition later than this is an event of its own. */
export const EVENT_SERIES_LIFE_MS = 600_000;
/** Objects whose rate of events is known; the one that was quiet longest is forgotten. */
export const EVENT_OBJECTS_MAX = 2_000;
/** Events of one object at once (as client-go bounds them); later ones come back at the rate below. */
export const EVENT_BURST_MAX = 25;
/** Time in which an object may have one more event. */
export const EVENT_REFILL_MS = 300_000;
/** Events that wait for the API server; beyond it they are dropped and counted. */
export const EVENTS_WAITING_MAX = 200;
/** Characters of the text of an event (the API's bound). */
export const EVENT_NOTE_CHARS_MAX = 1_024;
/** Characters of an event's object name that its own name keeps; the rest of 253 is for what makes it unique. */
export const EVENT_NAME_CHARS_MAX = 200;

/** How long a kind waits for its first list before the last saved state is used. */
export const SNAPSHOT_PATIENCE_MS = 3_000;
/** From a change to its saving: a burst of changes is one write. */
export const SNAPSHOT_DEBOUNCE_MS = 5_000;
/** One file of saved state that is read: beyond any that is sensible, below what would not fit into memory. */
export const SNAPSHOT_BYTES_MAX = 128 * 1024 * 1024;

/** Different texts of owned fields that are kept to be shared by objects: each is a kilobyte or two. */
export const SHARED_FIELDS_MAX = 1_000;
/** Strings that are kept to be shared by objects, each met once a while at least, and their greatest length. */
export const SHARED_STRINGS_MAX = 4_096;
export const SHARED_STRING_CHARS_MAX = 64;
