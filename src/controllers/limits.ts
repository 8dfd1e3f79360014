/** Bounds of the controllers; docs/LIMITS.md lists them for users. */

/** One run of one reconciler: longer means that the store hangs, and the key is tried again. */
export const RECONCILE_TIMEOUT_MS = 30_000;
/** How often every key is looked at although nothing was seen to change. */
export const RESYNC_INTERVAL_MS = 5 * 60_000;
/** When a write that a role does not allow is tried again: a right that is given later is in force without a restart. */
export const FORBIDDEN_RETRY_MS = 20_000;

/** Objects that one controller writes at the same time: enough to hide the round trip, and few for an API server. */
export const PARALLEL_WRITES_MAX = 16;
/** Objects of which a controller remembers what it wrote last: five of each of 10,000 imports. Others are compared by the store. */
export const WRITES_REMEMBERED_MAX = 50_000;
/** How long a write that was refused for its form is not tried again: schemas and admission policies change less often. */
export const REFUSED_WRITE_LIFE_MS = 60_000;
/** Changes of objects that come together make one run: peers and gateways tell of many things at once. */
export const RUN_DELAY_MS = 20;
/** From a change of exports, imports or peers to what policies say of how many of them they select. */
export const POLICY_COUNT_DELAY_MS = 5_000;
/** How long the first status of an import waits for the word of a gateway. */
export const FIRST_STATUS_DELAY_MS = 2_000;

/** Where gateways listen for imports: below the ephemeral range of Linux (32768), above what pods' programs use. */
export const TARGET_PORT_FIRST = 20_000;
export const TARGET_PORT_LAST = 29_999;
/** How long a target port that was given up stays unused: kube-proxy everywhere has forgotten it by then. */
export const TARGET_PORT_REST_MS = 10 * 60_000;
/** Target ports that one derived Service notes as resting, twice the ports of an import: next-fit leaves older ones alone for long. */
export const RESTING_PORTS_MAX = 128;
/** How long the derived Service of an import that is gone stays, so that a returning one has its address again. */
export const DERIVED_SERVICE_KEPT_MS = 60 * 60_000;
/** Derived Services that stay so: they take addresses of the cluster's range. The oldest go first. */
export const DERIVED_SERVICES_KEPT_MAX = 1_000;
/** Between two times that a Service which somebody keeps changing is made anew. */
export const RECREATE_INTERVAL_MS = 60_000;
/** How long an import that lost its Service asks for the addresses it had, where no other Service has them: then it takes others. */
export const ADDRESS_RELEASE_MS = 5_000;
/** How long the word of a gateway pod that is gone stays in a binding: a cache may see the pod later than its word. */
export const GATEWAY_GONE_MS = 10_000;
/** Endpoints of one EndpointSlice, as the API bounds it: gateways beyond it get no connections. */
export const ENDPOINTS_PER_SLICE_MAX = 1_000;
/** Imports whose endpoints are written at the same time. */
export const PARALLEL_ENDPOINTS_MAX = 16;
/** From a gateway's word to the slices: its siblings say theirs within it, and it becomes one write. */
export const ENDPOINTS_DELAY_MS = 50;
/** Ports that the message of a condition lists. */
export const LISTED_PORTS_MAX = 5;
