/** The little of DER (X.690) that has to be read or written by hand. Pure. */
import { AppError } from '../api/errors.ts';

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  /** Constructed, context-specific 0. */
  context0: 0xa0,
} as const;

export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly raw: Buffer;
}

/** Octets of a length that are read: 16 MiB, far beyond every bound here. */
const LENGTH_OCTETS_MAX = 3;

/**
 * The element that a buffer begins with.
 *
 * @throws {AppError} `ERR_MALFORMED` for what is not DER: tags of several octets, lengths that are not definite and as short as
 *   can be, and more content than there is.
 */
function readElement(der: Buffer): Element {
  const [tag, first] = der;
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw notDer();
  const octets = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || octets > LENGTH_OCTETS_MAX || der.length < 2 + octets) throw notDer();
  const length = octets === 0 ? first : der.readUIntBE(2, octets);
  const isShortest = octets === 0 || length >= (octets === 1 ? 0x80 : 256 ** (octets - 1));
  const end = 2 + octets + length;
  if (!isShortest || end > der.length) throw notDer();
  return { tag, content: der.subarray(2 + octets, end), raw: der.subarray(0, end) };
}

/** The one element that a buffer consists of. @throws {AppError} `ERR_MALFORMED`. */
export function readOnly(der: Buffer, tag: number): Element {
  const element = readElement(der);
  if (element.tag !== tag || element.raw.length !== der.length) throw notDer();
  return element;
}

/** All elements that a buffer consists of. @throws {AppError} `ERR_MALFORMED`. */
export function readAll(der: Buffer): Element[] {
  const elements: Element[] = [];
  for (let rest = der; rest.length > 0;) {
    const element = readElement(rest);
    elements.push(element);
    rest = rest.subarray(element.raw.length);
  }
  return elements;
}

/** Octets of the SEQUENCE that a buffer begins with, its header included; undefined if it begins with none. */
export function lengthOfSequence(der: Buffer): number | undefined {
  const [tag, first = 0] = der;
  if (tag !== TAG.sequence) return undefined;
  if (first < 0x80) return 2 + first;
  const octets = first & 0x7f;
  if (octets < 1 || octets > LENGTH_OCTETS_MAX || der.length < 2 + octets) return undefined;
  return 2 + octets + der.readUIntBE(2, octets);
}

/** A non-negative INTEGER (§8.3) of at most 127 octets. */
export function encodeInteger(value: bigint): Buffer {
  const hex = value.toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  const body = Buffer.from(Number.parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even, 'hex');
  return Buffer.concat([Buffer.from([TAG.integer, body.length]), body]);
}

/** The non-negative INTEGER that a buffer consists of. @throws {AppError} `ERR_MALFORMED`, also beyond the bound. */
export function decodeInteger(der: Buffer, octetsMax: number): bigint {
  const { content } = readOnly(der, TAG.integer);
  const [first = 0x80, second = 0x80] = content;
  const isShortest = first !== 0 || content.length === 1 || second >= 0x80;
  if (content.length > octetsMax || first >= 0x80 || !isShortest) throw notDer();
  return BigInt(`0x${content.toString('hex')}`);
}

/**
 * UTCTime or GeneralizedTime in the one form that certificates and lists have (RFC 5280 §4.1.2.5).
 *
 * @throws {AppError} `ERR_MALFORMED`.
 */
export function decodeTime({ tag, content }: Element): Date {
  const isShort = tag === TAG.utcTime;
  const text = content.toString('latin1');
  const pattern = isShort ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
  const [, year = '', ...rest] = (isShort || tag === TAG.generalizedTime ? pattern.exec(text) : null) ?? [];
  const fullYear = isShort ? `${Number(year) < 50 ? 20 : 19}${year}` : year;
  const [month, day, hours, minutes, seconds] = rest;
  const date = new Date(`${fullYear}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
  if (rest.length !== 5 || Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)) throw notDer();
  return date;
}

function notDer(): AppError {
  return new AppError('ERR_MALFORMED', 'not DER');
}
