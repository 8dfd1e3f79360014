/** What has to be known of a CA certificate to judge a chain that it is part of. Pure. */
import { X509Certificate as NodeCertificate } from 'node:crypto';
import { fingerprintOf } from './request.ts';
import { BasicConstraintsExtension, SubjectKeyIdentifierExtension, X509Certificate } from './x509.ts';

export interface Authority {
  readonly certificate: NodeCertificate;
  /** SHA-256 of its public key: who it is, whatever it is called. */
  readonly keyFingerprint: string;
  /** RFC 5280 §4.2.1.2. */
  readonly keyIdentifier: string | undefined;
  readonly isSelfSigned: boolean;
  /** How many CAs may stand between it and a peer's certificate (RFC 5280 §4.2.1.9); Infinity where it does not say. */
  readonly pathLengthMax: number;
  /** It vouches for some names only, by rules that are not evaluated here. */
  readonly isConstrained: boolean;
}

/** RFC 5280 §4.2.1.10. */
const NAME_CONSTRAINTS = '2.5.29.30';

/** Never throws: it may come from a peer. One whose extensions cannot be read counts as one that vouches for no name known here. */
export function toAuthority(certificate: NodeCertificate): Authority {
  return {
    certificate,
    keyFingerprint: fingerprintOf(certificate.publicKey),
    isSelfSigned: certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey),
    ...readExtensions(certificate),
  };
}

function readExtensions({
  raw,
}: NodeCertificate): Pick<Authority, 'keyIdentifier' | 'pathLengthMax' | 'isConstrained'> {
  try {
    const parsed = new X509Certificate(raw);
    return {
      keyIdentifier: parsed.getExtension(SubjectKeyIdentifierExtension)?.keyId,
      pathLengthMax: parsed.getExtension(BasicConstraintsExtension)?.pathLength ?? Infinity,
      isConstrained: parsed.extensions.some(({ type }) => type === NAME_CONSTRAINTS),
    };
  } catch {
    return { keyIdentifier: undefined, pathLengthMax: 0, isConstrained: true };
  }
}
