/** Bounds of heads and lines between peers; docs/LIMITS.md is written from them. */

/** A head with its empty last line: ours take some 500 bytes, ClusterLink's with its token some 2 KiB. */
export const HEAD_BYTES_MAX = 16 * 1024;

/** Ours have at most ten. */
export const HEAD_FIELDS_MAX = 64;

/** Asserted attributes of one client, as JSON: what Kubernetes allows as labels of one pod fits many times. */
export const SOURCE_BYTES_MAX = 4 * 1024;
export const SOURCE_KEYS_MAX = 64;

/** Different ones that are remembered, so that each is parsed once for many connections: some 4 MiB at most. */
export const SOURCES_REMEMBERED_MAX = 256;

/** Requests that are known by their text, so that each is parsed once for many connections, and how long such a text may be: some 512 KiB. */
export const KNOWN_HEADS_MAX = 256;
export const KNOWN_HEAD_BYTES_MAX = 2 * 1024;

/** Opaque affinity key: a hash. */
export const CLIENT_CHARACTERS_MAX = 64;

/** One more than the hops that are allowed (DESIGN §6): the one too many is refused as a loop, more as malformed. */
export const VIA_ENTRIES_MAX = 5;

/** How long one line may wait to be taken by a stream whose reader does not read. */
export const LINE_WRITE_TIMEOUT_MS = 30_000;
