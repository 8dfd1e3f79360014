/** Bounds of the controllers; docs/LIMITS.md lists them for users. */

/** One run of one reconciler: longer means that the store hangs, and the key is tried again. */
export const RECONCILE_TIMEOUT_MS = 30_000;
/** How often every key is looked at although nothing was seen to change. */
export const RESYNC_INTERVAL_MS = 5 * 60_000;
