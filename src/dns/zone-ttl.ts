/** How long answers may be kept. Nothing prescribes these (DNS-11); clients that keep one longer dial what is gone. */

/** A, AAAA: the examples of the Kubernetes multi-cluster DNS specification. */
export const ADDRESS_TTL_SECONDS = 4;
/** SRV: the same, also for a clusterset IP (example there: 30), since a listener here may move to another port. */
export const SRV_TTL_SECONDS = 4;
/** TXT of `dns-version`: the example of the specification. */
export const VERSION_TTL_SECONDS = 28_800;
/** SOA and NS of the apex, and HINFO for ANY: like the addresses, since a zone may be taken away by the configuration. */
export const APEX_TTL_SECONDS = 4;
export const ANY_TTL_SECONDS = 4;
/** Negative answers: min(TTL, MINIMUM) of the SOA (RFC 2308 §5). As short as a positive answer: imports come as fast as they go. */
export const NEGATIVE_TTL_SECONDS = 4;

/** Secondaries would use these; there are none, so they are CoreDNS' (7200, 1800, 86400). */
export const SOA_REFRESH_SECONDS = 7_200;
export const SOA_RETRY_SECONDS = 1_800;
export const SOA_EXPIRE_SECONDS = 86_400;
