/** Bounds of the emulated peer that ClusterLink itself does not have: a test must end, whatever its subject does. */

/** Connections of one gateway: as many as Envoy is told to take. */
export const CONNECTIONS_MAX = 50_000;
/** Tunnels that one import lets wait for a decision; beyond the thousand at once of the interop matrix. */
export const WAITING_CLIENTS_MAX = 4_096;
/** Bytes of a body of `/authz` at a Go data plane, which reads all there is (§8.1, 12). */
export const BODY_BYTES_MAX = 1_048_576;
/** Bytes of an answer's head or body that the importing side reads. */
export const ANSWER_BYTES_MAX = 65_536;
/** Answers 1xx before the one to a CONNECT: as many as Go takes. */
export const INTERIM_MAX = 5;
/** Requests and attempts that are kept for the test to look at; the oldest go first. */
export const KEPT_MAX = 16_384;
/** Bytes of each request that are kept. */
export const KEPT_BYTES_MAX = 16_384;
/** A Go importer waits without end for a dial and for the answer to its CONNECT (§8.4, 42). */
export const GO_TUNNEL_OPEN_MS = 30_000;
/** Envoy has no deadline of its own for a handshake that it accepts. */
export const ENVOY_HANDSHAKE_MS = 15_000;
/** What was read before the first FIN is still written to who is slow to take it, for so long. */
export const LINGER_MS = 2_000;
/** Session tickets that a client keeps (§3.1: LRU of 64). */
export const SESSIONS_MAX = 64;
