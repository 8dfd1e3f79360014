/**
 * The time limits of the official suite, and our own bounds beside them. Every number of the first group is part of the contract:
 * an implementation that needs longer does not conform.
 */

/** How often a wait looks again. */
export const POLL_MS = 100;
/** A ServiceImport, a condition or a deletion must be seen within this, counted from the call that asks for it, in each cluster. */
export const REACTION_MS = 20_000;
/** What must stay as it is (an import, its absence, no addresses) is watched this long. */
export const ENSURE_MS = 5_000;
/** The addresses of a headless import are looked at this often while they must stay empty. */
export const NO_ADDRESS_POLL_MS = 1_000;
/** Images may have to be pulled before the request pod runs. */
export const POD_RUNNING_MS = 60_000;
export const POD_POLL_MS = 1_000;
/** EndpointSlices follow pods, which may have to be scheduled and pulled first. */
export const ENDPOINTS_MS = 60_000;
/** creationTimestamp has whole seconds: exports of two clusters must not share one, or the older is not known. */
export const PRECEDENCE_GAP_MS = 1_100;
/** One command in the request pod. */
export const EXEC_MS = 4_000;
/** Between two commands of a series that must succeed one after the other. */
export const COMMAND_GAP_MS = 1_000;
/** A series of n commands has n times this. */
export const COMMAND_MS = 20_000;
/** How often a service that is not exported is called. */
export const UNEXPORTED_CALLS = 20;
/** How many connections in a row must reach the one right cluster. */
export const CONSECUTIVE_CALLS = 10;

/** One API request, so that a server that stops answering fails a test instead of hanging it. */
export const REQUEST_MS = 10_000;
/** A server that says "too many requests", or has not made the ServiceAccount of a new namespace yet, is asked again this long. */
export const CREATE_MS = 20_000;
/** A command prints some hundred bytes; a pod that talks without end must not fill our memory. */
export const EXEC_OUTPUT_BYTES = 65_536;
/** What a failure quotes of a command's output, in characters. */
export const EVIDENCE_CHARS = 1_000;
/** More tests at once than this would measure the machine and not the implementation. */
export const PARALLEL_MAX = 8;
/** The official suite's own limit is an hour; then its process is ended. */
export const SUITE_BINARY_MS = 3_900_000;
/** Between asking the official suite's process to end and ending it. */
export const SUITE_BINARY_GRACE_MS = 10_000;
/** A report of 27 tests has some ten kilobytes. */
export const SUITE_REPORT_BYTES = 4_194_304;
