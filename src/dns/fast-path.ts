/**
 * The queries that clients ask all day, from octets to octets without a record in between: what the full path
 * (`respond.ts`) would say, word for word, kept encoded.
 *
 *     header | question | answers, from a drawn one on, round | additional or SOA | OPT
 *              as it came                                       (encoded once)
 *
 * Owners are pointers into the question, so the octets of a name's answer hold for every query of that name, whatever its case.
 * Negative answers differ in one pointer and the serial. What is rare (other classes and opcodes, ANY, transfers, SOA and NS of a
 * zone, names of others, options, too large an answer) is left to the full path.
 */
import { AnswerTable, type EncodedAnswer, type Place } from './answer-table.ts';
import {
  ABSENT_KNOWN_MAX,
  ABSENT_MEMORY_BYTES_MAX,
  ANSWER_MEMORY_BYTES_MAX,
  ANSWERS_KNOWN_MAX,
  UDP_QUERY_BYTES_MAX,
  UDP_REPLY_BYTES_MAX,
} from './limits.ts';
import { HEADER_BYTES, LABEL_BYTES_MAX, NAME_BYTES_MAX } from './message.ts';
import type { NameKey } from './name.ts';
import { CLASS_IN, RCODE, TYPE, type DnsRecord } from './records.ts';
import { encodeRest } from './record-codec.ts';
import { encodeSections, OPT_BYTES, plainOpt, replyBytesMax, type EncodedSections } from './reply.ts';
import { HASH_START, hashOctet } from './shared-map.ts';
import { closestCut, nodeFor, type Cut, type Node, type Zone } from './zone.ts';

export interface QuickQuestion {
  readonly zone: Zone;
  readonly clientIsLoopback: boolean;
  /** See `Question.rotation`. */
  readonly rotation: number;
}

export interface QuickReply {
  readonly bytes: Buffer;
  readonly rcode: number;
  readonly type: number;
}

export interface FastPath {
  /** undefined: one for the full path, which says what is wrong with it if something is. Never throws. */
  respond(query: Buffer, question: QuickQuestion): QuickReply | undefined;
}

/** Replies are written one after the other into pages; one that a socket still holds is not written to again. */
const PAGE_BYTES = 65_536;
/** More do not fit into a datagram: a record has 16 octets and more. */
const ANSWERS_MAX = Math.floor(UDP_REPLY_BYTES_MAX / 16);
const KEY_BYTES_BESIDE_NAME = 3;
const LOWER_CASE_BIT = 0x20;

export function makeFastPath(): FastPath {
  /** Name, type, and whether the client is on this machine. */
  const key = Buffer.alloc(NAME_BYTES_MAX + KEY_BYTES_BESIDE_NAME);
  let hash = 0;
  let nameHash = 0;
  /** What was found in this zone; another zone begins anew. */
  const known = new AnswerTable({ answersMax: ANSWERS_KNOWN_MAX, memoryBytesMax: ANSWER_MEMORY_BYTES_MAX });
  /** The same of names that are not there: apart, since there is no end to those, and who asks for many makes this one begin anew. */
  const absent = new AnswerTable({ answersMax: ABSENT_KNOWN_MAX, memoryBytesMax: ABSENT_MEMORY_BYTES_MAX });
  const tables = [known, absent] as const;
  let knownZone: Zone | undefined;
  let page = Buffer.allocUnsafeSlow(PAGE_BYTES);
  let used = 0;

  /**
   * A reply that lacks only its sections, of so many octets, at the end of the question. undefined: it is too large.
   *
   * @param fields - the additional records without OPT.
   */
  function begin(
    { query, questionEnd, opt, bytesMax }: Ask,
    sectionBytes: number,
    fields: HeaderFields,
  ): Buffer | undefined {
    const bytes = questionEnd + sectionBytes + (opt?.length ?? 0);
    if (bytes > bytesMax) return undefined;
    if (used + bytes > PAGE_BYTES) {
      page = Buffer.allocUnsafeSlow(PAGE_BYTES);
      used = 0;
    }
    const reply = page.subarray(used, used + bytes);
    used += bytes;
    query.copy(reply, 0, 0, questionEnd);
    // QR, opcode 0, AA, RD as it came; then the rcode.
    reply[2] = 0x84 | ((query[2] ?? 0) & 0x01);
    reply[3] = fields.rcode;
    reply.writeUInt16BE(fields.answers, 6);
    reply.writeUInt16BE(fields.authorities, 8);
    reply.writeUInt16BE(fields.additionals + (opt ? 1 : 0), 10);
    opt?.copy(reply, bytes - opt.length);
    return reply;
  }

  /** From `table`, what it has at `place`. */
  function writeKnown(table: AnswerTable, place: Place, ask: Ask): QuickReply | undefined {
    const answers = table.answers(place);
    const rcode = table.rcode(place);
    const bytes = begin(ask, table.bytes(place), {
      rcode,
      answers,
      authorities: table.authorities(place),
      additionals: table.additionals(place),
    });
    if (bytes === undefined) return undefined;
    table.copy(place, answers > 1 ? ask.rotation % answers : 0, bytes, ask.questionEnd);
    return { bytes, rcode, type: ask.type };
  }

  /** Octets of the name, which is then in `key`, in lower case, and in `hash`; undefined: not a name without pointers that ends in time. */
  function readName(query: Buffer): number | undefined {
    let length = 0;
    hash = HASH_START;
    for (;;) {
      const labelBytes = query[HEADER_BYTES + length];
      if (labelBytes === undefined || labelBytes > LABEL_BYTES_MAX) return undefined;
      const labelEnd = length + 1 + labelBytes;
      if (labelEnd > NAME_BYTES_MAX) return undefined;
      for (; length < labelEnd; length++) {
        const octet = query[HEADER_BYTES + length] ?? 0;
        // Also the label's length goes through: it is below the letters.
        addToKey(length, octet >= 0x41 && octet <= 0x5a ? octet | LOWER_CASE_BIT : octet);
      }
      if (labelBytes === 0) return length;
    }
  }

  function reply(query: Buffer, { zone, clientIsLoopback, rotation }: QuickQuestion): QuickReply | undefined {
    const nameBytes = isPlain(query) ? readName(query) : undefined;
    if (nameBytes === undefined) return undefined;
    const questionEnd = HEADER_BYTES + nameBytes + 4;
    if (questionEnd > query.length || query.readUInt16BE(questionEnd - 2) !== CLASS_IN) return undefined;
    const extensions = readExtensions(query, questionEnd);
    if (extensions === undefined) return undefined;
    const type = query.readUInt16BE(questionEnd - 4);
    nameHash = hash;
    addToKey(nameBytes, type >> 8);
    addToKey(nameBytes + 1, type & 0xff);
    addToKey(nameBytes + 2, clientIsLoopback ? 1 : 0);
    // Not spread: that takes V8 as long as to read the name.
    const { opt, bytesMax } = extensions;
    const ask: Ask = { query, questionEnd, nameBytes, type, rotation, opt, bytesMax };
    if (zone !== knownZone) {
      known.clear();
      absent.clear();
      knownZone = zone;
    }
    const keyBytes = nameBytes + KEY_BYTES_BESIDE_NAME;
    for (const table of tables) {
      const place = table.find(key, keyBytes, hash);
      if (place !== 0) return writeKnown(table, place, ask);
    }
    return replyAnew(ask, zone, clientIsLoopback);
  }

  function addToKey(index: number, octet: number): void {
    key[index] = octet;
    hash = hashOctet(hash, octet);
  }

  /** Of a question that is asked for the first time in this zone, and is known from then on. */
  function replyAnew(ask: Ask, zone: Zone, clientIsLoopback: boolean): QuickReply | undefined {
    const name = key.toString('latin1', 0, ask.nameBytes);
    const node = nodeFor(zone.names.get(name, nameHash), clientIsLoopback);
    const records = node?.records.get(ask.type);
    if (node !== undefined && records !== undefined) {
      if (records.length > ANSWERS_MAX) return undefined;
      const { bytes, starts, additionalCount: additionals } = sectionsOf({ records, node, key: name }, ask);
      return remember(known, ask, { rcode: RCODE.NOERROR, bytes, starts, authorities: 0, additionals });
    }
    const cut = RARE_TYPES.has(ask.type) ? undefined : closestCut(name, zone);
    if (cut === undefined) return undefined;
    const bytes = soaSection(cut, ask.nameBytes, zone.version);
    const negative = { bytes, starts: [0], authorities: 1, additionals: 0 };
    return node === undefined
      ? remember(absent, ask, { ...negative, rcode: RCODE.NXDOMAIN })
      : remember(known, ask, { ...negative, rcode: RCODE.NOERROR });
  }

  function remember(table: AnswerTable, ask: Ask, answer: EncodedAnswer): QuickReply | undefined {
    return writeKnown(table, table.add(key, ask.nameBytes + KEY_BYTES_BESIDE_NAME, hash, answer), ask);
  }

  return {
    respond(query, question) {
      try {
        return reply(query, question);
      } catch {
        // A record that cannot be encoded: the full path says so.
        return undefined;
      }
    },
  };
}

/** What its reply depends on, besides the name and the zone. */
interface Ask {
  readonly query: Buffer;
  readonly questionEnd: number;
  readonly nameBytes: number;
  readonly type: number;
  readonly rotation: number;
  /** undefined: the client speaks no EDNS, so the answer must not either. */
  readonly opt: Buffer | undefined;
  readonly bytesMax: number;
}

interface HeaderFields {
  readonly rcode: number;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
}

/** They mean something other than records of a name. */
const RARE_TYPES: ReadonlySet<number> = new Set([TYPE.ANY, TYPE.AXFR, TYPE.IXFR, TYPE.SOA, TYPE.NS, TYPE.OPT]);

/** A query as most are: one question, nothing else but perhaps OPT. */
function isPlain(query: Buffer): boolean {
  if (query.length < HEADER_BYTES + 5 || query.length > UDP_QUERY_BYTES_MAX) return false;
  const isQuery = ((query[2] ?? 0) & 0xf8) === 0;
  return isQuery && query.readUInt32BE(4) === 0x0001_0000 && query.readUInt16BE(8) === 0;
}

const NO_EXTENSIONS = { opt: undefined, bytesMax: replyBytesMax({ edns: undefined }, 'udp') };

/** undefined: something else follows the question than nothing, or an OPT record without options in version 0. */
function readExtensions(query: Buffer, at: number): Pick<Ask, 'opt' | 'bytesMax'> | undefined {
  const additionals = query.readUInt16BE(10);
  if (additionals === 0) return query.length === at ? NO_EXTENSIONS : undefined;
  if (additionals !== 1 || query.length !== at + OPT_BYTES || query[at] !== 0) return undefined;
  const isOpt = query.readUInt16BE(at + 1) === TYPE.OPT && query[at + 6] === 0 && query.readUInt16BE(at + 9) === 0;
  if (!isOpt) return undefined;
  const isDnssecOk = ((query[at + 7] ?? 0) & 0x80) !== 0;
  const edns = { version: 0, udpBytes: query.readUInt16BE(at + 3), isDnssecOk };
  return { opt: plainOpt(isDnssecOk), bytesMax: replyBytesMax({ edns }, 'udp') };
}

/** Of the records of one type at one name, which are replaced whole when something changes. */
const sectionsByRecords = new WeakMap<readonly DnsRecord[], EncodedSections>();

function sectionsOf(
  { records, node, key }: { records: readonly DnsRecord[]; node: Node; key: NameKey },
  { query, questionEnd, type }: Ask,
): EncodedSections {
  const known = sectionsByRecords.get(records);
  if (known !== undefined) return known;
  const questionBytes = query.subarray(HEADER_BYTES, questionEnd);
  const additional = type === TYPE.SRV ? node.targets : [];
  const sections = encodeSections({ key, questionBytes }, { answers: records, additional });
  sectionsByRecords.set(records, sections);
  return sections;
}

/** SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM (RFC 1035 §3.3.13). */
const SERIAL_FROM_END = 20;
const soaByCut = new WeakMap<Cut, Buffer>();

/** The SOA of the zone of a name: its owner is the end of the question. To be copied at once: the next one is in the same place. */
function soaSection(cut: Cut, nameBytes: number, version: number): Buffer {
  const section = soaByCut.get(cut) ?? Buffer.concat([Buffer.alloc(2), encodeRest({ ...cut.soa, serial: 0 })]);
  soaByCut.set(cut, section);
  section.writeUInt16BE(0xc000 | (HEADER_BYTES + nameBytes - cut.key.length), 0);
  section.writeUInt32BE(version >>> 0, section.length - SERIAL_FROM_END);
  return section;
}
