/** Bounds of commands; docs/LIMITS.md lists them for users. */

/** What `gather` puts into an archive, before it is compressed: all of it is in memory at once. */
export const GATHER_BYTES_MAX = 64 * 1024 * 1024;

/** Policies of which `test policy --diff` says by name that they change. */
export const POLICY_CHANGES_TOLD_MAX = 1_000;
