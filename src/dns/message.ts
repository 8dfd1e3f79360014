/**
 * Queries from the wire. Checks what an attacker could make expensive before dns2 sees it, and reads the question itself from
 * the octets: dns2 would turn a dot within a label into two labels, and the answer has to repeat the question exactly.
 */
import { Packet } from 'dns2';
import { ADDITIONAL_RECORDS_MAX, TCP_QUERY_BYTES_MAX, UDP_QUERY_BYTES_MAX } from './limits.ts';
import { keyOfOctets, type NameKey } from './name.ts';
import { RCODE, TYPE, type Rcode } from './records.ts';

export type Transport = 'udp' | 'tcp';

/** What a query says of extensions (RFC 6891 §6.1.3). */
export interface Edns {
  readonly version: number;
  /** The largest answer over UDP that the client takes; as it says, unchecked. */
  readonly udpBytes: number;
  /** The DO bit, which the answer repeats (RFC 3225 §3). */
  readonly isDnssecOk: boolean;
}

/** What every reply repeats, however bad the query was. */
export interface QueryHeader {
  readonly id: number;
  readonly opcode: number;
  readonly isRecursionDesired: boolean;
}

export interface Query extends QueryHeader {
  /** The question section as it came, case and all. */
  readonly questionBytes: Buffer;
  readonly key: NameKey;
  readonly type: number;
  readonly class: number;
  /** undefined: the client speaks none, so the answer must not either. */
  readonly edns: Edns | undefined;
}

export type ParsedMessage =
  | { readonly kind: 'query'; readonly query: Query }
  /** To be answered with the code and no more than the header. */
  | { readonly kind: 'reject'; readonly header: QueryHeader; readonly rcode: Rcode }
  /** Not to be answered: no id to answer to, or itself an answer (two servers could go on for ever). */
  | { readonly kind: 'drop'; readonly reason: 'too-short' | 'not-a-query' };

/** RFC 1035 §4.1.1. */
export const HEADER_BYTES = 12;
/** Of a label; what is larger is a pointer or reserved (RFC 1035 §4.1.4). */
export const LABEL_BYTES_MAX = 63;
/** Of a name, its lengths and the closing zero included (RFC 1035 §2.3.4). */
export const NAME_BYTES_MAX = 255;
const QR_BIT = 0x8000;
const RD_BIT = 0x0100;
const QUERY_OPCODE = 0;

const QUERY_BYTES_MAX: Record<Transport, number> = { udp: UDP_QUERY_BYTES_MAX, tcp: TCP_QUERY_BYTES_MAX };

/** Never throws; takes time proportional to the (bounded) length, whatever the octets are. */
export function parseMessage(message: Buffer, transport: Transport): ParsedMessage {
  if (message.length < HEADER_BYTES) return { kind: 'drop', reason: 'too-short' };
  const flags = message.readUInt16BE(2);
  if ((flags & QR_BIT) !== 0) return { kind: 'drop', reason: 'not-a-query' };
  const header: QueryHeader = {
    id: message.readUInt16BE(0),
    opcode: (flags >> 11) & 0xf,
    isRecursionDesired: (flags & RD_BIT) !== 0,
  };
  // Of other operations not even the sections are known.
  if (header.opcode !== QUERY_OPCODE) return { kind: 'reject', header, rcode: RCODE.NOTIMP };
  if (message.length > QUERY_BYTES_MAX[transport]) return { kind: 'reject', header, rcode: RCODE.FORMERR };
  return parseQuery(message, header);
}

function parseQuery(message: Buffer, header: QueryHeader): ParsedMessage {
  const formatError = { kind: 'reject', header, rcode: RCODE.FORMERR } as const;
  const questions = message.readUInt16BE(4);
  const answers = message.readUInt16BE(6);
  const authorities = message.readUInt16BE(8);
  const additionals = message.readUInt16BE(10);
  if (questions !== 1 || answers !== 0 || additionals > ADDITIONAL_RECORDS_MAX) return formatError;
  const question = parseQuestion(message);
  if (question === undefined) return formatError;
  if (authorities !== 0) {
    // Only a client that wants the changes of a zone says which state it has (RFC 1995 §3).
    const isIncrementalTransfer = question.type === TYPE.IXFR && authorities === 1;
    return isIncrementalTransfer ? { kind: 'reject', header, rcode: RCODE.REFUSED } : formatError;
  }
  if (additionals === 0) return { kind: 'query', query: { ...header, ...question, edns: undefined } };
  const extensions = parseAdditionals(message, additionals);
  if (extensions === undefined) return formatError;
  return { kind: 'query', query: { ...header, ...question, edns: extensions.edns } };
}

type ParsedQuestion = Pick<Query, 'questionBytes' | 'key' | 'type' | 'class'>;

/** undefined where the octets end early, the name is too long, or it has a pointer: to what, in the first name? */
function parseQuestion(message: Buffer): ParsedQuestion | undefined {
  const end = findNameEnd(message, HEADER_BYTES);
  if (end === undefined || end + 4 > message.length) return undefined;
  return {
    questionBytes: message.subarray(HEADER_BYTES, end + 4),
    key: keyOfOctets(message.subarray(HEADER_BYTES, end)),
    type: message.readUInt16BE(end),
    class: message.readUInt16BE(end + 2),
  };
}

function findNameEnd(message: Buffer, start: number): number | undefined {
  for (let offset = start; ;) {
    const length = message[offset];
    if (length === undefined || length > LABEL_BYTES_MAX) return undefined;
    offset += 1 + length;
    if (offset - start > NAME_BYTES_MAX || offset > message.length) return undefined;
    if (length === 0) return offset;
  }
}

/** undefined for what is malformed; a signature is read over, since no key is known here. */
function parseAdditionals(message: Buffer, expected: number): { edns: Edns | undefined } | undefined {
  const { additionals, errors } = Packet.parse(message);
  if (errors.length > 0 || additionals.length !== expected) return undefined;
  const options = additionals.filter(({ type }) => type === TYPE.OPT);
  const [option] = options;
  if (option === undefined) return { edns: undefined };
  // One only, and at the root (RFC 6891 §6.1.1, §6.1.2).
  if (options.length > 1 || option.name !== '') return undefined;
  const { version = 0, class: udpBytes, doFlag: isDnssecOk = false } = option;
  return { edns: { version, udpBytes, isDnssecOk } };
}
