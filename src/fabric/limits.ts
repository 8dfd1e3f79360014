/** Bounds of the PKI; docs/LIMITS.md lists them for users. */

/** How long a fabric CA is valid: ClusterLink's figure; replacing a root is work for every peer. */
export const AUTHORITY_DAYS = 3_650;
/** How long a peer certificate is valid unless the signer says otherwise. */
export const PEER_CERTIFICATE_DAYS = 365;
/** The longest a peer certificate may be valid: as long as a CA, which it never outlives anyway. */
export const PEER_CERTIFICATE_DAYS_MAX = AUTHORITY_DAYS;
/** Certificates are valid from a little before now, so that a peer whose clock lags can use them at once. */
export const CLOCK_SKEW_MS = 60_000;
/** Random bytes of a serial number: 127 bits are left, RFC 5280 §4.1.2.2 allows 20 octets. */
export const SERIAL_BYTES = 16;
/** A PEM file or a certificate request: a chain of RSA 4096 certificates is a third of it. */
export const PEM_BYTES_MAX = 64 * 1024;
/** Certificates in one CA file: an old and a new root of some fabrics. */
export const ROOTS_MAX = 16;
/** The weakest RSA key that is signed, or signs. */
export const RSA_BITS_MIN = 2_048;
/** The longest: what Go's TLS still verifies, and so ClusterLink's peers. */
export const RSA_BITS_MAX = 8_192;
/** Private keys in one key file: the old and the new one while the certificate is replaced. */
export const KEYS_MAX = 2;
/** Certificates from a peer's own up to a root, when it is asked again who vouches for it. */
export const CHAIN_MAX = 8;
/**
 * Between two looks at the files of the running peer. They count once two looks have seen the same, so that a half-written
 * one is not taken: a replacement is in force in at most twice as long.
 */
export const IDENTITY_LOOK_MS = 2_000;
