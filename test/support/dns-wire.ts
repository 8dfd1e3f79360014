/** Octets of DNS queries, good and bad, made without the code under test. */
import { decode, encode, type DecodedPacket, type OptAnswer, type Packet } from 'dns-packet';

export const ID = 0x1234;

export interface QueryOptions {
  readonly type?: string;
  /** Adds an OPT record. Not 0: dns-packet would write 4096. */
  readonly udpBytes?: number;
  readonly isDnssecOk?: boolean;
  readonly id?: number;
}

export function makeQuery(
  name: string,
  { type = 'A', udpBytes, isDnssecOk = false, id = ID }: QueryOptions = {},
): Buffer {
  const question = { type, name } as NonNullable<Packet['questions']>[number];
  const opt: OptAnswer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: udpBytes ?? 0,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: isDnssecOk ? 0x8000 : 0,
    flag_do: isDnssecOk,
    options: [],
  };
  return encode({
    type: 'query',
    id,
    flags: 0x0100,
    questions: [question],
    additionals: udpBytes === undefined ? [] : [opt],
  });
}

/** A header with the counts of the four sections, then anything. */
export function makeMessage(
  counts: readonly [number, number, number, number],
  ...rest: readonly (Buffer | number[])[]
): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(ID, 0);
  counts.forEach((count, index) => header.writeUInt16BE(count, 4 + 2 * index));
  return Buffer.concat([header, ...rest.map((part) => Buffer.from(part))]);
}

/** Labels of any octets, with the closing zero. */
export function makeName(...labels: readonly string[]): Buffer {
  const octets = labels.map((text) => Buffer.from(text, 'latin1'));
  return Buffer.concat([...octets.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)]);
}

/** Type A, class IN. */
export const A_IN = [0, 1, 0, 1];
/** An OPT record without options that offers 1,232 octets. */
export const OPT = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];

export interface Reply {
  readonly id: number;
  readonly rcode: number;
  readonly isAuthoritative: boolean;
  readonly isTruncated: boolean;
  readonly answers: NonNullable<Packet['answers']>;
  readonly authorities: NonNullable<Packet['authorities']>;
  readonly additionals: NonNullable<Packet['additionals']>;
  readonly questions: NonNullable<Packet['questions']>;
}

/** Decodes by dns-packet, which throws at what is malformed. The code is that of the header alone. */
export function readReply(bytes: Buffer): Reply {
  const packet: DecodedPacket = decode(bytes);
  const { answers = [], authorities = [], additionals = [], questions = [], id = -1 } = packet;
  const flags = bytes.readUInt16BE(2);
  const bits = { isAuthoritative: (flags & 0x0400) !== 0, isTruncated: (flags & 0x0200) !== 0 };
  return { id, rcode: flags & 0xf, ...bits, answers, authorities, additionals, questions };
}
