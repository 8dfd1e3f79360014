/** Bounds of what this peer offers; an importer refuses longer records (shapes.md §1), so they are not offered. */

/** Ports of one export. */
export const EXPORT_PORTS_MAX = 64;
/** Keys of the exported labels, and of the exported annotations. */
export const EXPORTED_KEYS_MAX = 128;
/** Characters of one exported value. */
export const EXPORTED_VALUE_CHARS_MAX = 4096;
/** Bytes of one record as JSON. */
export const EXPORT_RECORD_BYTES_MAX = 16 * 1024;
/** A day, the longest affinity that Kubernetes knows. */
export const AFFINITY_TIMEOUT_MAX_SECONDS = 86_400;
/** Characters of a port's appProtocol: a prefixed name. */
export const APP_PROTOCOL_CHARS_MAX = 253;
/** Characters of trafficDistribution: Kubernetes' values are words. */
export const TRAFFIC_DISTRIBUTION_CHARS_MAX = 63;
/** Endpoints of one port that a gateway chooses among; the rest, in order of address, gets no connections. */
export const ENDPOINTS_PER_PORT_MAX = 1_000;
/** Host names that one headless record carries: of the longest kind they fill half a record. The rest has no name. */
export const RECORD_HOSTNAMES_MAX = 128;
