/** Bounds of what is told of decisions; docs/LIMITS.md lists them for users. */

/** Policies that one trace tells of: more than anybody reads, and the one that decides is always among them. */
export const LOOKS_TOLD_MAX = 200;
/** Items of one policy of which a trace tells why they did not match. */
export const OBSTACLES_TOLD_MAX = 8;
