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
import { UDP_QUERY_BYTES_MAX, UDP_REPLY_BYTES_MAX } from './limits.ts';
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
  const known = new AnswerTable();
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

  function writeKnown(ask: Ask, place: Place, rotation: number): Buffer | undefined {
    const answers = known.answers(place);
    const reply = begin(ask, known.bytes(place), {
      rcode: known.rcode(place),
      answers,
      authorities: known.authorities(place),
      additionals: known.additionals(place),
    });
    if (reply !== undefined) known.copy(place, answers > 1 ? rotation % answers : 0, reply, ask.questionEnd);
    return reply;
  }

  function writeAbsent(ask: Ask, cut: Cut, version: number): Buffer | undefined {
    const soa = soaSection(cut, ask.nameBytes, version);
    const fields = { rcode: RCODE.NXDOMAIN, answers: 0, authorities: 1, additionals: 0 };
    const reply = begin(ask, soa.length, fields);
    if (reply !== undefined) soa.copy(reply, ask.questionEnd);
    return reply;
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
    const ask: Ask = { query, questionEnd, nameBytes, ...extensions };
    if (zone !== knownZone) known.clear();
    knownZone = zone;
    const place = known.find(key, nameBytes + KEY_BYTES_BESIDE_NAME, hash);
    if (place === 0) return replyAnew(ask, { type, zone, clientIsLoopback, rotation });
    const bytes = writeKnown(ask, place, rotation);
    return bytes && { bytes, rcode: known.rcode(place), type };
  }

  function addToKey(index: number, octet: number): void {
    key[index] = octet;
    hash = hashOctet(hash, octet);
  }

  /** Of a question that is asked for the first time in this zone, or for a name that is not there: there is no end to those. */
  function replyAnew(
    ask: Ask,
    { type, zone, clientIsLoopback, rotation }: QuickQuestion & { readonly type: number },
  ): QuickReply | undefined {
    const name = key.toString('latin1', 0, ask.nameBytes);
    const node = nodeFor(zone.names.get(name, nameHash), clientIsLoopback);
    const records = node?.records.get(type);
    if (node !== undefined && records !== undefined) {
      if (records.length > ANSWERS_MAX) return undefined;
      const { bytes, starts, additionalCount } = sectionsOf({ records, node, type, key: name }, ask);
      const encoded = { rcode: RCODE.NOERROR, bytes, starts, authorities: 0, additionals: additionalCount };
      return replyAndRemember(ask, { type, rotation, encoded });
    }
    const cut = RARE_TYPES.has(type) ? undefined : closestCut(name, zone);
    if (cut === undefined) return undefined;
    if (node === undefined) {
      const bytes = writeAbsent(ask, cut, zone.version);
      return bytes && { bytes, rcode: RCODE.NXDOMAIN, type };
    }
    const soa = soaSection(cut, ask.nameBytes, zone.version);
    const encoded = { rcode: RCODE.NOERROR, bytes: soa, starts: [0], authorities: 1, additionals: 0 };
    return replyAndRemember(ask, { type, rotation, encoded });
  }

  function replyAndRemember(
    ask: Ask,
    { type, rotation, encoded }: { readonly type: number; readonly rotation: number; readonly encoded: EncodedAnswer },
  ): QuickReply | undefined {
    const place = known.add(key, ask.nameBytes + KEY_BYTES_BESIDE_NAME, hash, encoded);
    const bytes = writeKnown(ask, place, rotation);
    return bytes && { bytes, rcode: encoded.rcode, type };
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

/** What of a query its reply depends on, besides the name. */
interface Ask {
  readonly query: Buffer;
  readonly questionEnd: number;
  readonly nameBytes: number;
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
  { records, node, type, key }: { records: readonly DnsRecord[]; node: Node; type: number; key: NameKey },
  { query, questionEnd }: Ask,
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
