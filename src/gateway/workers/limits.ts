/** Bounds of a data plane in worker processes; docs/LIMITS.md lists them for users. */

/** From its start until a worker serves: Node, the modules and the first snapshot on a loaded machine. */
export const WORKER_START_TIMEOUT_MS = 20_000;
/** What is denied is denied everywhere in 2 s (DESIGN §3.2): a worker that has not said by then that it is, is killed. */
export const WORKER_ACKNOWLEDGE_TIMEOUT_MS = 2_000;
/** How often that is looked at. Only time in which the main process ran itself counts: this much at most each time. */
export const WORKER_LOOK_MS = 250;
/** Before a worker is replaced that did not live long: the first wait, which doubles, and the longest. */
export const WORKER_RESTART_MIN_MS = 1_000;
export const WORKER_RESTART_MAX_MS = 30_000;
/** One that has lived as long is replaced at once. */
export const WORKER_SETTLED_MS = 30_000;
/** After it was told to end until it is killed: it has resets to send. */
export const WORKER_END_TIMEOUT_MS = 3_000;
/** In a restart: until the new workers have the sessions that the old ones have. A peer that is slow to dial is not waited for. */
export const HAND_OVER_WAIT_MS = 5_000;
/** A worker that was replaced ends when nothing has been open for as long: a peer may just be opening a stream. */
export const HAND_OVER_QUIET_MS = 1_000;
/** Of a bound that all workers share, such a part of each worker's part is its own without asking: 62 of 8,000 streams with two. */
export const WORKER_FLOOR_PARTS = 64;
/** Such a part is asked for ahead of use: 1,333 of 8,000 streams with two, more than come in the time of an answer. */
export const WORKER_AHEAD_PARTS = 3;
/** The same while others are refused for want of it. */
export const WORKER_AHEAD_TIGHT_PARTS = 128;
