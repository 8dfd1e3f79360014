/**
 * CertificateList (RFC 5280 §5.1), read strictly and by hand: the X.509 library reads a list without entries as one without
 * extensions, and so would not see its number, nor that it is a part of a list. Pure.
 */
import { AppError } from '../api/errors.ts';
import { decodeTime, readAll, readOnly, TAG, type Element } from './der.ts';
import { toSerial } from './revoked-serials.ts';

export interface ParsedList {
  /** What is signed. */
  readonly tbs: Buffer;
  /** The algorithm, as the text of its DER in hexadecimal digits. */
  readonly algorithm: string;
  readonly signature: Buffer;
  /** The name, DER. */
  readonly issuerName: Buffer;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  readonly entries: readonly ParsedEntry[];
  readonly extensions: readonly ParsedExtension[];
}

export interface ParsedEntry {
  /** As `toSerial` writes it. */
  readonly serial: string;
  readonly revokedAt: Date;
  readonly extensions: readonly ParsedExtension[];
}

export interface ParsedExtension {
  /** Content of the object identifier, in hexadecimal digits. */
  readonly id: string;
  readonly isCritical: boolean;
  readonly value: Buffer;
}

/** INTEGER 1: version 2. */
const VERSION_2 = '01';
/** RFC 5280 §4.1.2.2, and one for the sign. */
const SERIAL_OCTETS_MAX = 21;

/** @throws {AppError} `ERR_MALFORMED` for whatever is not exactly that. */
export function parseList(der: Buffer): ParsedList {
  const [tbs, algorithm, signature, ...more] = readAll(readOnly(der, TAG.sequence).content);
  const bits = expect(signature, TAG.bitString).content;
  if (more.length > 0 || bits[0] !== 0) throw malformed();
  const { raw, content } = expect(tbs, TAG.sequence);
  const outer = expect(algorithm, TAG.sequence).raw;
  const fields = readAll(content);
  const version = takeIf(fields, TAG.integer);
  if (version !== undefined && version.content.toString('hex') !== VERSION_2) throw malformed();
  // What is signed must say how it is signed, or the hash could be exchanged (RFC 5280 §5.1.1.2).
  if (!expect(fields.shift(), TAG.sequence).raw.equals(outer)) throw malformed();
  const issuerName = expect(fields.shift(), TAG.sequence).raw;
  const thisUpdate = decodeTime(expectAny(fields.shift()));
  const next = takeIf(fields, TAG.utcTime) ?? takeIf(fields, TAG.generalizedTime);
  const revoked = takeIf(fields, TAG.sequence);
  const extensions = takeIf(fields, TAG.context0);
  if (fields.length > 0) throw malformed();
  return {
    tbs: raw,
    algorithm: outer.toString('hex'),
    signature: bits.subarray(1),
    issuerName,
    thisUpdate,
    nextUpdate: next === undefined ? undefined : decodeTime(next),
    entries: revoked === undefined ? [] : readAll(revoked.content).map(parseEntry),
    extensions: extensions === undefined ? [] : parseExtensions(readOnly(extensions.content, TAG.sequence)),
  };
}

function parseEntry(element: Element): ParsedEntry {
  const [serial, date, extensions, ...more] = readAll(expect(element, TAG.sequence).content);
  const { content } = expect(serial, TAG.integer);
  if (more.length > 0 || content.length < 1 || content.length > SERIAL_OCTETS_MAX) throw malformed();
  return {
    serial: toSerial(content.toString('hex')),
    revokedAt: decodeTime(expectAny(date)),
    extensions: extensions === undefined ? [] : parseExtensions(expect(extensions, TAG.sequence)),
  };
}

function parseExtensions({ content }: Element): ParsedExtension[] {
  return readAll(content).map((element) => {
    const parts = readAll(expect(element, TAG.sequence).content);
    const id = expect(parts.shift(), TAG.objectIdentifier).content.toString('hex');
    const critical = takeIf(parts, TAG.boolean);
    const value = expect(parts.shift(), TAG.octetString).content;
    // DER writes true as FF, and no false where false is what nothing means.
    if (parts.length > 0 || (critical !== undefined && critical.content.toString('hex') !== 'ff')) throw malformed();
    return { id, isCritical: critical !== undefined, value };
  });
}

function takeIf(elements: Element[], tag: number): Element | undefined {
  return elements[0]?.tag === tag ? elements.shift() : undefined;
}

function expect(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag) throw malformed();
  return element;
}

function expectAny(element: Element | undefined): Element {
  if (element === undefined) throw malformed();
  return element;
}

function malformed(): AppError {
  return new AppError('ERR_MALFORMED', 'not a CertificateList');
}
