/**
 * Revocation lists (RFC 5280 §5): from text that anybody may have written to what is believed here. Does no I/O.
 *
 * The `crl` option of TLS is not used: it refuses everybody when one list is stale, or when one of two CAs has none. A list here
 * only takes away: what it names is refused, and nothing else changes, however old it is.
 *
 * A list is believed when a root that is trusted here has signed it, and it revokes what the very key of that root has signed: a
 * root of the same name is another one. Of one key the list with the greatest number counts, alone: an older one that somebody
 * repeats revives nobody, and what a newer one leaves out is revoked no longer.
 */
import { createHash, verify, type X509Certificate } from 'node:crypto';
import { AppError } from '../api/errors.ts';
import type { Authority } from './authority-facts.ts';
import { decodeInteger, readAll, readOnly, TAG } from './der.ts';
import { CRL_BYTES_MAX, CRL_NUMBER_OCTETS_MAX, CRLS_MAX } from './limits.ts';
import { parseList, type ParsedList } from './parse-crl.ts';
import type { RevokedSerials } from './revoked-serials.ts';

/** A list that could be read; nobody has looked at its signature yet. */
export interface ReadList {
  /** DER, in base64: how it travels. */
  readonly text: string;
  /** SHA-256 of the DER, hex. */
  readonly digest: string;
  /** RFC 5280 §5.2.3; 0 where there is none. */
  readonly number: bigint;
  readonly thisUpdateMs: number;
  /** Undefined where it does not say. */
  readonly nextUpdateMs: number | undefined;
  readonly entries: ParsedList['entries'];
  readonly parsed: ParsedList;
}

export interface RevocationList extends ReadList {
  /** SHA-256 of the public key that has signed it, hex. */
  readonly issuer: string;
}

/** 2.5.29.20. */
const CRL_NUMBER = '551d14';
/** By the DER of their AlgorithmIdentifier. Weak hashes are no signatures. RFC 5758 §3.2, RFC 4055 §5. */
const HASH_BY_ALGORITHM: ReadonlyMap<string, { readonly hash: string; readonly keyType: string }> = new Map([
  ['300a06082a8648ce3d040302', { hash: 'sha256', keyType: 'ec' }],
  ['300a06082a8648ce3d040303', { hash: 'sha384', keyType: 'ec' }],
  ['300a06082a8648ce3d040304', { hash: 'sha512', keyType: 'ec' }],
  ['300d06092a864886f70d01010b0500', { hash: 'sha256', keyType: 'rsa' }],
  ['300d06092a864886f70d01010c0500', { hash: 'sha384', keyType: 'rsa' }],
  ['300d06092a864886f70d01010d0500', { hash: 'sha512', keyType: 'rsa' }],
]);
const PEM_LIST = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * The lists of a file.
 *
 * @returns DER in base64, each.
 * @throws {AppError} `ERR_MALFORMED` when there is none; `ERR_BOUND_EXCEEDED` for more than {@link CRLS_MAX}.
 */
export function splitLists(pem: string): string[] {
  const lists = [...pem.matchAll(PEM_LIST)].map(([, body = '']) => body.replaceAll(/\s/g, ''));
  if (lists.length === 0) throw malformed('has no "X509 CRL" in PEM');
  if (lists.length <= CRLS_MAX) return lists;
  throw new AppError('ERR_BOUND_EXCEEDED', `${lists.length} revocation lists in one file, more than ${CRLS_MAX}`, {
    fix: 'leave the newest of each CA in it',
  });
}

/**
 * @param text - DER in base64, as peers say it, and nothing else.
 * @throws {AppError} `ERR_BOUND_EXCEEDED` beyond {@link CRL_BYTES_MAX}; `ERR_MALFORMED` for what is no list, and for a list with
 *   critical extensions, which says something that is not understood here (RFC 5280 §5.2): a part of a list, for example.
 */
export function readList(text: string): ReadList {
  if (text.length > CRL_BYTES_MAX) {
    throw new AppError('ERR_BOUND_EXCEEDED', `revocation list: ${text.length} characters, more than ${CRL_BYTES_MAX}`);
  }
  const der = BASE64.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
  // Buffers skip what is no base64: what is read must be all that was written.
  if (der.length === 0 || der.toString('base64') !== text) throw malformed('is not DER in base64');
  const parsed = readParsed(der);
  const { entries, thisUpdate, nextUpdate } = parsed;
  const extensions = [...parsed.extensions, ...entries.flatMap((entry) => entry.extensions)];
  if (extensions.some(({ isCritical }) => isCritical)) {
    throw malformed('has a critical extension that is not known here');
  }
  return {
    text,
    digest: createHash('sha256').update(der).digest('hex'),
    number: numberOf(parsed),
    thisUpdateMs: thisUpdate.getTime(),
    nextUpdateMs: nextUpdate?.getTime(),
    entries,
    parsed,
  };
}

function readParsed(der: Buffer): ParsedList {
  try {
    return parseList(der);
  } catch (error) {
    throw malformed('cannot be read', error);
  }
}

function numberOf({ extensions }: ParsedList): bigint {
  const [extension, ...more] = extensions.filter(({ id }) => id === CRL_NUMBER);
  if (extension === undefined) return 0n;
  try {
    if (more.length === 0) return decodeInteger(extension.value, CRL_NUMBER_OCTETS_MAX);
  } catch {
    // Told below.
  }
  throw malformed('has a number that is none');
}

/**
 * Who of them has signed it; undefined: nobody. The bit cRLSign of a root is not asked for (RFC 5280 §6.3.3 f): whoever holds its
 * key could give itself that bit, and CAs of other tools lack it.
 */
export function signerOf(list: ReadList, roots: readonly Authority[]): Authority | undefined {
  return roots.find(({ certificate }) => {
    try {
      return isSignedBy(list, certificate);
    } catch {
      // A root that cannot be read signs nothing.
      return false;
    }
  });
}

function isSignedBy({ parsed }: ReadList, root: X509Certificate): boolean {
  const { tbs, algorithm, signature, issuerName } = parsed;
  const { publicKey } = root;
  const known = HASH_BY_ALGORITHM.get(algorithm);
  // The cheap questions first.
  if (known === undefined || known.keyType !== publicKey.asymmetricKeyType) return false;
  return issuerName.equals(subjectOf(root)) && verify(known.hash, tbs, publicKey, signature);
}

/** The name of a certificate's owner, as it is written: RFC 5280 §4.1. */
function subjectOf({ raw }: X509Certificate): Buffer {
  const [tbs] = readAll(readOnly(raw, TAG.sequence).content);
  const fields = readAll(tbs?.content ?? Buffer.alloc(0));
  const first = fields[0]?.tag === TAG.context0 ? 1 : 0;
  return fields[first + 4]?.raw ?? Buffer.alloc(0);
}

/** What is in force: of each key the newest. Sorted by key, so that equal lists give an equal result. */
export function newestLists(lists: readonly RevocationList[]): RevocationList[] {
  const newest = new Map<string, RevocationList>();
  for (const list of lists) {
    const present = newest.get(list.issuer);
    if (present === undefined || compareAge(list, present) > 0) newest.set(list.issuer, list);
  }
  return [...newest.values()].sort((a, b) => (a.issuer < b.issuer ? -1 : 1));
}

/** By number; of one number by date, and then by what they are: all peers come to the same one. */
function compareAge(a: RevocationList, b: RevocationList): number {
  if (a.number !== b.number) return a.number < b.number ? -1 : 1;
  if (a.thisUpdateMs !== b.thisUpdateMs) return a.thisUpdateMs - b.thisUpdateMs;
  return a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0;
}

export function toRevokedSerials({ issuer, digest, entries }: RevocationList): RevokedSerials {
  return { issuer, list: digest, serials: entries.map(({ serial }) => serial).sort() };
}

function malformed(what: string, cause?: unknown): AppError {
  return new AppError('ERR_MALFORMED', `the revocation list ${what}`, {
    cause,
    fix: 'give the crl.pem that "npx clusterlink-mcs revoke peer" has written',
  });
}
