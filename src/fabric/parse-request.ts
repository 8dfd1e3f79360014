/**
 * A certificate request as somebody else sent it: read strictly, since whoever signs gives the name in it away.
 *
 * Refused is what is not understood (RFC 2986 §4.2: it is the authority's to say), and what asks for more than a peer is given:
 * a signer who overlooks it would sign something else than they believe.
 */
import { createPublicKey } from 'node:crypto';
import { AppError } from '../api/errors.ts';
import { isLabel } from '../api/names.ts';
import { lengthOfSequence } from './der.ts';
import { assertAcceptableKey } from './keys.ts';
import { PEM_BYTES_MAX } from './limits.ts';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
} from './x509.ts';

export interface ParsedRequest {
  /** The one DNS SAN. */
  readonly peer: string;
  readonly publicKey: Pkcs10CertificateRequest['publicKey'];
}

/** OpenSSL writes the first label, older tools the second (RFC 7468 §7). Nothing else may stand in the file. */
const PEM_REQUEST = /^\s*-----BEGIN ((?:NEW )?CERTIFICATE REQUEST)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*$/;
/** extensionRequest, RFC 2985 §5.4.2: the one attribute of a request that is understood. */
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
/** subjectAltName, RFC 5280 §4.2.1.6. */
const SAN_OID = '2.5.29.17';
/** What is wrong with an extension, or undefined. */
type Judge = (extension: Pkcs10CertificateRequest['extensions'][number]) => string | undefined;

/** Extensions that tools put into requests, and what is wrong with what they ask for; by OID (RFC 5280 §4.2.1). */
const HARMLESS: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  [SAN_OID, () => undefined],
  // A hash of the key, which the certificate gets anyway.
  ['2.5.29.14', () => undefined],
  ['2.5.29.19', ({ rawData }) => (new BasicConstraintsExtension(rawData).ca ? 'asks to be a CA' : undefined)],
  [
    '2.5.29.15',
    ({ rawData }) => {
      const ofAuthorities = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign;
      return (new KeyUsagesExtension(rawData).usages & ofAuthorities) === 0 ? undefined : 'asks to sign certificates';
    },
  ],
  [
    '2.5.29.37',
    ({ rawData }) => {
      const ofPeers: readonly string[] = [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth];
      const other = new ExtendedKeyUsageExtension(rawData).usages.find((usage) => !ofPeers.includes(String(usage)));
      return other === undefined ? undefined : 'asks to be used for other things than TLS';
    },
  ],
]);

/**
 * @param csrPem - one PKCS#10 request in PEM, and nothing else.
 * @throws {AppError} `ERR_CERTIFICATE` with what is wrong.
 */
export async function parseRequest(csrPem: string): Promise<ParsedRequest> {
  if (Buffer.byteLength(csrPem) > PEM_BYTES_MAX) throw requestError(`is larger than ${PEM_BYTES_MAX} bytes`);
  try {
    const request = new Pkcs10CertificateRequest(derOf(csrPem));
    assertAcceptableKey(readPublicKey(request), 'the key of the request');
    if (!(await request.verify())) throw requestError('is not signed by its own key');
    assertExtensions(request);
    const peer = peerNameOfRequest(request);
    assertCommonName(request, peer);
    return { peer, publicKey: request.publicKey };
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw requestError('cannot be read', error);
  }
}

function derOf(csrPem: string): Buffer<ArrayBuffer> {
  const body = PEM_REQUEST.exec(csrPem)?.[2];
  if (body === undefined) throw requestError('is not one "CERTIFICATE REQUEST" in PEM and nothing else');
  const der = Buffer.from(body, 'base64');
  // Buffers skip what is no base64: what they read must be what was written.
  if (der.toString('base64') !== body.replaceAll(/\s/g, '')) throw requestError('is not in base64 as PEM has it');
  if (lengthOfSequence(der) !== der.length) throw requestError('has bytes before or after it');
  return der;
}

function readPublicKey(request: Pkcs10CertificateRequest): ReturnType<typeof createPublicKey> {
  const spki = Buffer.from(request.publicKey.rawData);
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  // It goes into the certificate as it stands: readers must not be able to differ about what it says.
  if (key.export({ format: 'der', type: 'spki' }).equals(spki)) return key;
  throw requestError('has a key in another encoding than DER');
}

function assertExtensions(request: Pkcs10CertificateRequest): void {
  const { attributes, extensions } = request;
  const other = attributes.find(({ type }) => type !== EXTENSION_REQUEST);
  if (other !== undefined) throw requestError(`has an attribute that is not known here, ${other.type}`);
  if (attributes.length > 1 || attributes.some(({ values }) => values.length !== 1)) {
    throw requestError('asks for extensions more than once');
  }
  const seen = new Set<string>();
  for (const extension of extensions) {
    const { type } = extension;
    const judge = HARMLESS.get(type);
    if (judge === undefined) throw requestError(`asks for an extension that is not known here, ${type}`);
    if (seen.has(type)) throw requestError(`asks for the extension ${type} twice`);
    seen.add(type);
    const problem = judge(extension);
    if (problem !== undefined) throw requestError(problem);
  }
}

function peerNameOfRequest(request: Pkcs10CertificateRequest): string {
  const names = request.extensions
    .filter(({ type }) => type === SAN_OID)
    .flatMap((extension) => new SubjectAlternativeNameExtension(extension.rawData).names.items);
  const [name] = names;
  if (names.length !== 1 || name?.type !== 'dns') {
    throw requestError(`has ${names.length} subject alternative names; it must have one, of type DNS`);
  }
  if (!isLabel(name.value))
    throw requestError(`asks for ${JSON.stringify(name.value)}, which is not an RFC 1123 label`);
  return name.value;
}

/** Nobody reads it but people who look before they sign: it must not show them another name. */
function assertCommonName(request: Pkcs10CertificateRequest, peer: string): void {
  const others = request.subjectName.getField('CN').filter((name) => name !== peer);
  if (others.length === 0) return;
  throw requestError(`has the common name ${JSON.stringify(others[0])} and asks for ${peer}`);
}

function requestError(what: string, cause?: unknown): AppError {
  return new AppError('ERR_CERTIFICATE', `the certificate request ${what}`, {
    cause,
    fix: 'make the request with "clusterlink-mcs request cert PEER"',
  });
}
