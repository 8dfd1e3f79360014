/** Bounds of what is checked and told; docs/LIMITS.md lists them for users. */

/** Problems told of one object, errors first: more would bury the first ones, which usually cause the rest. */
export const PROBLEMS_PER_OBJECT_MAX = 100;
/** Characters of a value that a message repeats, marks included: a line stays a line. */
export const QUOTED_CHARS_MAX = 60;
/** Known names that a message lists. */
export const LISTED_NAMES_MAX = 12;
/** Longer words get no "did you mean": the comparison costs the product of both lengths. */
export const SUGGESTED_CHARS_MAX = 80;

/** A label of a DNS name, and the name part of a label's key or its value (RFC 1123 §2.1, Kubernetes labels). */
export const LABEL_CHARS_MAX = 63;
/** A DNS name, and the prefix of a key, as Kubernetes bounds them. */
export const SUBDOMAIN_CHARS_MAX = 253;
/** Keys and values of all annotations of one object, as in Kubernetes. */
export const ANNOTATIONS_BYTES_MAX = 256 * 1024;

/** Ports that `proxy-protocol` may name: an export has no more. */
export const LISTED_PROXY_PORTS_MAX = 64;
/** Peers that `export-to` may name: more is a policy. */
export const EXPORT_TO_PEERS_MAX = 256;
/** Exports that `sources` may name: as many as can back one import. */
export const REQUESTED_SOURCES_MAX = 64;
/** Exports that `exports` on a Peer may declare: what people keep by hand. A peer that has more tells records. */
export const DECLARED_EXPORTS_MAX = 256;
/** Endpoints in one annotation, over all ports: as many as an EndpointSlice has. */
export const ANNOTATED_ENDPOINTS_MAX = 1_000;
/** Items of a policy's `from` and `to`, as in the CRD. */
export const POLICY_ITEMS_MAX = 256;
/** Roots that the annotation of a Peer may name: an old and a new one while the other company rotates. */
export const PEER_ROOTS_MAX = 2;
/** That annotation: two certificates of RSA 4096 with long names are a third of it. */
export const PEER_ROOTS_BYTES_MAX = 16 * 1024;
/** The name in one of them: a server tells every caller the names of all roots that it believes (RFC 8446 §4.2.4). */
export const ROOT_NAME_BYTES_MAX = 512;
