/** Who a certificate says its owner is (DESIGN §9): one DNS SAN, an RFC 1123 label; the common name is never read. */
import type { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { AppError } from '../api/errors.ts';
import { isLabel } from '../api/names.ts';

/**
 * One entry of Node's text form of the extension: `DNS:east`, `IP Address:10.0.0.1`, or a value in double quotes when it
 * has characters that could be taken for the next entry (the answer to CVE-2021-44532).
 */
const ENTRY = /([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

/**
 * The peer's name.
 *
 * @throws {AppError} `ERR_CERTIFICATE` unless there is exactly one DNS SAN and it is a label. Names of other types do not
 *   count: they name nothing in a fabric.
 */
export function peerNameOf(certificate: X509Certificate | PeerCertificate): string {
  // Both may be absent: `getPeerCertificate()` gives `{}` when there is no certificate.
  const text = 'subjectAltName' in certificate ? certificate.subjectAltName : certificate.subjectaltname;
  const names = dnsNamesOf(text ?? '');
  const [name] = names ?? [];
  if (names === undefined || name === undefined || names.length > 1) {
    throw identityError(`has ${names === undefined ? 'unreadable' : names.length} DNS names instead of one`);
  }
  if (!isLabel(name)) throw identityError('has a DNS name that is not an RFC 1123 label');
  return name;
}

/** Values of type DNS as they are printed, or undefined if the text has a part that is no entry. */
function dnsNamesOf(text: string): string[] | undefined {
  const names: string[] = [];
  ENTRY.lastIndex = 0;
  while (ENTRY.lastIndex < text.length) {
    const match = ENTRY.exec(text);
    if (match === null) return undefined;
    if (match[1] === 'DNS') names.push(match[2] ?? '');
  }
  return names;
}

function identityError(what: string): AppError {
  return new AppError('ERR_CERTIFICATE', `the certificate ${what}`, {
    fix: 'sign a request whose one DNS name is the peer\'s name, for example with "clusterlink-mcs create peer-cert"',
  });
}
