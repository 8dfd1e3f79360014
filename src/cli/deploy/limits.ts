/** Bounds of `deploy peer` and `delete peer`; docs/LIMITS.md lists them for users. */

/** One request to the API server: a write may wait for an admission webhook, which has up to 30 s. */
export const DEPLOY_REQUEST_TIMEOUT_MS = 40_000;
/** From the creation of a CRD until all its versions answer; an idle API server takes about a second. */
export const CRD_SERVED_TIMEOUT_MS = 60_000;
/** Between two looks at something that is waited for. */
export const DEPLOY_POLL_MS = 500;
/** Objects of one page when all of a kind are listed. */
export const DEPLOY_PAGE_OBJECTS = 500;
/** Rounds of `delete peer`: a controller that has not yet lost its rights may write while objects are deleted. */
export const DELETE_ROUNDS_MAX = 5;
/** How long deployments are waited for when `--wait` says nothing: two image pulls and a start. */
export const READY_WAIT_SECONDS = 180;
/** How long the namespace is waited for: its pods have a minute to drain. */
export const GONE_WAIT_SECONDS = 120;
/** Pods of one part, as ClusterLink's Instance has it: the spare ones of a site, not its load. */
export const REPLICAS_MAX = 10;
/** What `--wait` may say. */
export const WAIT_SECONDS_MAX = 3_600;
/** Characters of a refusal that are passed on to the reader. */
export const REFUSAL_CHARS_MAX = 600;
