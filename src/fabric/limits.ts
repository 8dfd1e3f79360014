/** Bounds of the PKI; docs/LIMITS.md lists them for users. */

/** How long a fabric CA is valid: ClusterLink's figure; replacing a root is work for every peer. */
export const AUTHORITY_DAYS = 3_650;
/** How long a peer certificate is valid unless the signer says otherwise. */
export const PEER_CERTIFICATE_DAYS = 365;
/** The longest a peer certificate may be valid: as long as a CA, which it never outlives anyway. */
export const PEER_CERTIFICATE_DAYS_MAX = AUTHORITY_DAYS;
/** Certificates are valid from a little before now, so that a peer whose clock lags can use them at once. */
export const CLOCK_SKEW_MS = 5 * 60_000;
/** Random bytes of a serial number: 127 bits are left, RFC 5280 §4.1.2.2 allows 20 octets. */
export const SERIAL_BYTES = 16;
/** A PEM file or a certificate request: a chain of RSA 4096 certificates is a third of it. */
export const PEM_BYTES_MAX = 64 * 1024;
/** Certificates in one CA file: an old and a new root of some fabrics. */
export const ROOTS_MAX = 16;
/** The weakest RSA key that is signed, or signs. */
export const RSA_BITS_MIN = 2_048;
/** An RSA key that is made here: 128 bits of strength (NIST SP 800-57); 4096 doubles what a handshake costs. */
export const RSA_BITS = 3_072;
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
/** One revocation list, in base64: about 1,000 revoked certificates. The exchange carries it on one line. */
export const CRL_BYTES_MAX = 64 * 1024;
/** Revocation lists that one peer says, or that one file holds: the newest of each root it knows. */
export const CRLS_MAX = 8;
/**
 * Names of the roots that Peers name, together, as text. A server tells them to whoever calls, in 64 KiB at most (RFC 8446
 * §4.2.4), and DER takes up to four times the text: some 700 roots with names of 17 letters.
 */
export const ROOT_NAMES_BYTES_MAX = 12 * 1024;
/** How long a revocation list stands before it alarms: a month to renew it in, as most authorities have it. */
export const CRL_DAYS = 30;
/** Digits of a list's number: RFC 5280 §5.2.3 allows 20 octets. */
export const CRL_NUMBER_OCTETS_MAX = 20;
/** The record of what a CA has issued: some 40,000 certificates. */
export const ISSUED_BYTES_MAX = 4 * 1024 * 1024;
/** A file of revocation lists: as many as there may be, in PEM, with its line feeds. */
export const CRL_FILE_BYTES_MAX = 544 * 1024;
