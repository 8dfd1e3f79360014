/**
 * Replies to the wire: a header, the question as it came, then records. Owners are pointers into the question, which is how they
 * get its case (DNS-18); names within records are written out, so that SRV targets are not compressed (RFC 2782).
 */
import { Packet } from 'dns2';
import { TCP_REPLY_BYTES_MAX, UDP_REPLY_BYTES_DEFAULT, UDP_REPLY_BYTES_MAX } from './limits.ts';
import { HEADER_BYTES, type Query, type QueryHeader, type Transport } from './message.ts';
import { formatName, isWithin } from './name.ts';
import { encodeRest } from './record-codec.ts';
import { RCODE, type DnsRecord, type ExtendedError, type Rcode } from './records.ts';
import type { Answer } from './zone.ts';

const QR_BIT = 0x8000;
const AA_BIT = 0x0400;
const TC_BIT = 0x0200;
const RD_BIT = 0x0100;
const POINTER = 0xc000;

/** No more than a header: for queries whose question cannot be repeated. */
export function encodeRejection(header: QueryHeader, rcode: Rcode): Buffer {
  return encodeHeader(header, { flags: rcode, counts: [0, 0, 0, 0] });
}

/**
 * What does not fit is left out record by record, with TC set and OPT kept: new clients then ask over TCP, old ones (musl before
 * 1.2.4) use what they have got. Additional addresses are left out as a whole, without TC (RFC 2181 §9).
 *
 * @throws what dns2 throws at a record that it cannot write; a compiled zone has none.
 */
export function encodeReply(query: Query, answer: Answer, transport: Transport): Buffer {
  const opt = encodeOpt(query, answer);
  let room = replyBytesMax(query, transport) - HEADER_BYTES - query.questionBytes.length - opt.length;
  const owners = makeOwners(query);
  function take(records: readonly DnsRecord[]): Section {
    const section = encodeSection(records, owners, room);
    room -= section.length;
    return section;
  }
  const answers = take(answer.answers);
  const authority = take(answers.isComplete ? answer.authority : []);
  const isTruncated = !answers.isComplete || !authority.isComplete;
  const offered = encodeSection(isTruncated ? [] : answer.additional, owners, room);
  const additional = offered.isComplete ? offered : NO_RECORDS;
  const flags = (answer.isAuthoritative ? AA_BIT : 0) | (isTruncated ? TC_BIT : 0) | (answer.rcode & 0xf);
  const counts = [1, answers.count, authority.count, additional.count + (opt.length > 0 ? 1 : 0)] as const;
  return Buffer.concat([
    encodeHeader(query, { flags, counts }),
    query.questionBytes,
    ...answers.chunks,
    ...authority.chunks,
    ...additional.chunks,
    opt,
  ]);
}

/** How large the answer may be: over UDP what client and network take, where below 512 counts as 512 (RFC 6891 §6.2.3). */
export function replyBytesMax({ edns }: Pick<Query, 'edns'>, transport: Transport): number {
  if (transport === 'tcp') return TCP_REPLY_BYTES_MAX;
  if (edns === undefined) return UDP_REPLY_BYTES_DEFAULT;
  return Math.min(Math.max(edns.udpBytes, UDP_REPLY_BYTES_DEFAULT), UDP_REPLY_BYTES_MAX);
}

/** Sections as they follow the question, whole. */
export interface EncodedSections {
  /** Answers, then additional records. */
  readonly bytes: Buffer;
  /** Where each answer begins, and where the last one ends. */
  readonly starts: readonly number[];
  readonly additionalCount: number;
}

/** The same octets that {@link encodeReply} gives, for whoever repeats them: they are good for this name in whatever case. */
export function encodeSections(
  question: Question,
  { answers, additional }: Pick<Answer, 'answers' | 'additional'>,
): EncodedSections {
  const owners = makeOwners(question);
  const first = encodeSection(answers, owners, Infinity);
  const last = encodeSection(additional, owners, Infinity);
  const starts = [0];
  // Each record is two chunks: its owner and the rest.
  for (let index = 0; index < first.chunks.length; index += 2) {
    const length = (first.chunks[index]?.length ?? 0) + (first.chunks[index + 1]?.length ?? 0);
    starts.push((starts.at(-1) ?? 0) + length);
  }
  return { bytes: Buffer.concat([...first.chunks, ...last.chunks]), starts, additionalCount: last.count };
}

interface HeaderFields {
  /** Without QR, opcode and RD. */
  readonly flags: number;
  readonly counts: readonly [questions: number, answers: number, authorities: number, additionals: number];
}

function encodeHeader({ id, opcode, isRecursionDesired }: QueryHeader, { flags, counts }: HeaderFields): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(QR_BIT | (opcode << 11) | (isRecursionDesired ? RD_BIT : 0) | flags, 2);
  counts.forEach((count, index) => header.writeUInt16BE(count, 4 + 2 * index));
  return header;
}

interface Section {
  readonly chunks: readonly Buffer[];
  readonly count: number;
  /** Octets. */
  readonly length: number;
  readonly isComplete: boolean;
}
const NO_RECORDS: Section = { chunks: [], count: 0, length: 0, isComplete: true };

function encodeSection(records: readonly DnsRecord[], owners: (name: string) => Buffer, room: number): Section {
  const chunks: Buffer[] = [];
  let length = 0;
  let count = 0;
  for (const record of records) {
    const owner = owners(record.name);
    const rest = encodeRest(record);
    if (length + owner.length + rest.length > room) return { chunks, count, length, isComplete: false };
    chunks.push(owner, rest);
    length += owner.length + rest.length;
    count += 1;
  }
  return { chunks, count, length, isComplete: true };
}

type Question = Pick<Query, 'key' | 'questionBytes'>;

/** A function that writes an owner by pointing at the longest end of it that the question has. */
function makeOwners({ key, questionBytes }: Question): (owner: string) => Buffer {
  const asked = formatName(key);
  const askedBytes = questionBytes.length - 4;
  const written = new Map<string, Buffer>();
  function encodeOwner(owner: string): Buffer {
    const labels: Buffer[] = [];
    let rest = owner;
    while (rest !== '' && !isWithin(asked, rest)) {
      const [label = ''] = rest.split('.', 1);
      labels.push(Buffer.from([label.length]), Buffer.from(label, 'latin1'));
      rest = rest.slice(label.length + 1);
    }
    return Buffer.concat([...labels, rest === '' ? Buffer.of(0) : pointTo(rest)]);
  }
  /** Counted from the question's end, where its text and its octets are the same: names of ours need no escapes. */
  function pointTo(end: string): Buffer {
    const offset = HEADER_BYTES + askedBytes - (end.length + 2);
    return Buffer.of((POINTER | offset) >> 8, offset & 0xff);
  }
  return (owner) => {
    const octets = written.get(owner) ?? encodeOwner(owner);
    written.set(owner, octets);
    return octets;
  };
}

/** An OPT record without options (RFC 6891 §6.1.2). */
export const OPT_BYTES = 11;

/** Present exactly where the query had one (RFC 6891 §7); says what this server takes, and the upper bits of the code. */
function encodeOpt({ edns }: Query, { rcode, extendedError }: Answer): Buffer {
  if (edns === undefined) return Buffer.alloc(0);
  if (rcode < 16 && extendedError === undefined) return plainOpt(edns.isDnssecOk);
  return writeOpt(edns.isDnssecOk, rcode, extendedError);
}

function writeOpt(isDnssecOk: boolean, rcode: Rcode, extendedError?: ExtendedError): Buffer {
  const options = extendedError === undefined ? [] : [Packet.Resource.EDNS.EDE(extendedError)];
  const opt = Packet.Resource.EDNS(options, {
    version: 0,
    extendedRcode: rcode >> 4,
    doFlag: isDnssecOk,
    udpPayloadSize: UDP_REPLY_BYTES_MAX,
  });
  return Packet.Resource.encode(opt);
}

const PLAIN_OPTS = [writeOpt(false, RCODE.NOERROR), writeOpt(true, RCODE.NOERROR)] as const;

/** Of an answer that says nothing more than its records. */
export function plainOpt(isDnssecOk: boolean): Buffer {
  return PLAIN_OPTS[isDnssecOk ? 1 : 0];
}
