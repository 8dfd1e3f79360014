/** Bounds of what only the parts in a cluster do; docs/LIMITS.md lists them for users. */

/** A network changes its ways when somebody configures it anew: soon enough to be told of that. */
export const CLIENT_CHECK_INTERVAL_MS = 600_000;
/** As long as nobody else has answered: after an installation the other pods come within seconds. */
export const CLIENT_CHECK_RETRY_MS = 5_000;
/** Two minutes of them; then the interval counts. */
export const CLIENT_CHECK_RETRIES_MAX = 24;
/** Connections of one look: each goes to one of six pods by chance, this very one among them. */
export const CLIENT_CHECK_CONNECTIONS = 8;
/** From the SYN to the last byte, within one cluster. */
export const CLIENT_CHECK_TIMEOUT_MS = 2_000;
/** A pod's name has up to 253 characters, an address up to 45. */
export const CLIENT_ANSWER_BYTES_MAX = 1024;

/** Between two events of one object, peer and reason: an owner reads them in hours, and Kubernetes keeps them for one. */
export const REFUSAL_EVENT_INTERVAL_MS = 10 * 60_000;
/** Objects, peers and reasons of which that is remembered: beyond it the oldest may be told again early. */
export const REFUSAL_EVENTS_REMEMBERED_MAX = 1_000;
/** Imports that are looked up for an event at the same time; refusals beyond it are in metrics and closing records alone. */
export const REFUSAL_LOOKUPS_MAX = 4;
