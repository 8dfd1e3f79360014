/** Asks anew who vouches for a certificate that was verified before: the roots may have changed since its handshake. */
import { X509Certificate } from 'node:crypto';
import { CHAIN_MAX } from './limits.ts';
import { parseCertificates } from './peer-identity.ts';

export type Trust = (certificate: X509Certificate) => boolean;

/**
 * Whether a root among these has signed the certificate, directly or by the chain that came with it. Signatures and names
 * alone: everything else was judged by the handshake.
 *
 * @param caPem - of an identity that was loaded: it can be read.
 */
export function makeTrust(caPem: string): Trust {
  const roots = parseCertificates(caPem, 'fabric.ca');
  const signed = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
    issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  return (leaf) => {
    let link: X509Certificate | undefined = leaf;
    for (let length = 0; link !== undefined && length < CHAIN_MAX; length++) {
      const certificate: X509Certificate = link;
      if (roots.some((root) => signed(certificate, root))) return true;
      const issuer: X509Certificate | undefined = certificate.issuerCertificate;
      // A self-signed one is its own issuer: what comes after it is nothing.
      link = issuer !== undefined && signed(certificate, issuer) ? issuer : undefined;
    }
    return false;
  };
}
