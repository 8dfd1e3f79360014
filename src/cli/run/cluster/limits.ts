/** Bounds of the question whether clients are seen with their own addresses; docs/LIMITS.md lists them for users. */

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
