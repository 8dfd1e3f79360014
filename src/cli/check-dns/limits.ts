/** Bounds of `check dns`; docs/LIMITS.md lists them for users. */

/** As much as a ConfigMap can hold: a Corefile that is longer is none that runs. */
export const COREFILE_BYTES_MAX = 1_048_576;
/** Blocks within blocks; CoreDNS' own go two deep. */
export const COREFILE_DEPTH_MAX = 16;
/** Snippets within snippets, which may name each other. */
export const COREFILE_IMPORTS_MAX = 100;
/** One request to the API server: reads wait for no webhook. */
export const CHECK_DNS_REQUEST_TIMEOUT_MS = 10_000;
/** One question to one server, asked again once: a datagram may be lost. */
export const QUESTION_TIMEOUT_MS = 2_000;
export const QUESTION_TRIES_MAX = 2;
/** What resolvers read of resolv.conf: glibc's three servers (MAXNS). */
export const RESOLVERS_MAX = 3;
/** Names of the search path that are asked for; glibc has had no bound since 2.26, six before. */
export const SEARCH_MAX = 16;
/** resolv.conf is read up to here. */
export const RESOLV_CONF_BYTES_MAX = 65_536;
/** Copies of our answers and of their absence that are no worse than the answer itself (4 s): CoreDNS keeps 5 s at least. */
export const CACHE_SECONDS_MAX = 10;
