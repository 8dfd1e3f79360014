/** What is answered: a question and a zone in, records out. Pure: no clock, no randomness, no sockets. */
import { formatName, keysAbove, type NameKey } from './name.ts';
import {
  CLASS_IN,
  EXTENDED_ERROR,
  RCODE,
  TYPE,
  type DnsRecord,
  type ExtendedError,
  type NsRecord,
  type Rcode,
  type SoaRecord,
} from './records.ts';
import type { SharedMap } from './shared-map.ts';
import { ANY_TTL_SECONDS } from './zone-ttl.ts';

/** One name: its records by type code. Without records it is an empty non-terminal, or has nothing for this client. */
export interface Node {
  readonly records: ReadonlyMap<number, readonly DnsRecord[]>;
  /** Addresses of the targets of its SRV records (DNS-10). */
  readonly targets: readonly DnsRecord[];
}

/**
 * 127.0.0.0/8 and ::1 lead a client elsewhere to itself, to whatever listens there. Only clients on this machine see them; for
 * the others such a name exists and has no address. undefined: not there for these.
 */
export interface NameEntry {
  readonly forLoopback: Node | undefined;
  /** The same object, but where loopback addresses make a difference. */
  readonly forOthers: Node | undefined;
}

/** The top of what is answered with authority: a zone of the configuration, or an alias, which is one of its own. */
export interface Cut {
  readonly key: NameKey;
  /** Its serial is that of the zone that is asked: see {@link soaOf}. */
  readonly soa: Omit<SoaRecord, 'serial'>;
  readonly ns: NsRecord;
}

/** A snapshot: whoever holds one is not reached by changes. */
export interface Zone {
  readonly version: number;
  /** Every name that exists, empty non-terminals too. */
  readonly names: SharedMap<NameEntry>;
  /** Few beside the names: those of the configuration, and aliases. */
  readonly cuts: ReadonlyMap<NameKey, Cut>;
  /** Imports of which something could not become a name, `namespace/name: why`; the list is bounded, the count is not. */
  readonly skipped: { readonly count: number; readonly examples: readonly string[] };
}

export interface Question {
  readonly key: NameKey;
  readonly type: number;
  readonly class: number;
  readonly clientIsLoopback: boolean;
  /** Any integer from 0: where a list of answers begins. The caller draws it. */
  readonly rotation: number;
}

export interface Answer {
  readonly rcode: Rcode;
  readonly isAuthoritative: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authority: readonly DnsRecord[];
  readonly additional: readonly DnsRecord[];
  readonly extendedError?: ExtendedError;
}

/**
 * Answers one question.
 *
 * - REFUSED: another class, a zone transfer, or a name outside the zones (who forwards those to us is misconfigured).
 * - SERVFAIL: `zone` is undefined, since there was no snapshot yet (DNS-30): NXDOMAIN would be a lie that is cached.
 * - NXDOMAIN: the name has no record of any type and nothing below it (DNS-29), or is reserved (DNS-13).
 * - NOERROR with a SOA and no answer: the name exists, the type does not; also what hidden loopback addresses give. REFUSED
 *   would be wrong there: it makes forwarders try elsewhere and clients wait, and says that the name is not ours.
 */
export function answer(question: Question, zone: Zone | undefined): Answer {
  const { type } = question;
  if (question.class !== CLASS_IN) return failure(RCODE.REFUSED);
  if (type === TYPE.AXFR || type === TYPE.IXFR) return failure(RCODE.REFUSED, EXTENDED_ERROR.NOT_SUPPORTED);
  if (zone === undefined) return failure(RCODE.SERVFAIL, EXTENDED_ERROR.NOT_READY);
  const cut = closestCut(question.key, zone);
  if (cut === undefined) return failure(RCODE.REFUSED, EXTENDED_ERROR.NOT_AUTHORITATIVE);
  const soa = soaOf(cut, zone);
  const node = nodeFor(zone.names.get(question.key), question.clientIsLoopback);
  if (node === undefined) return negative(RCODE.NXDOMAIN, soa);
  if (type === TYPE.ANY) return positive([minimalAny(question.key)], []);
  const records = question.key === cut.key ? recordsOfCut(type, cut, soa, node) : node.records.get(type);
  if (records === undefined) return negative(RCODE.NOERROR, soa);
  return positive(rotate(records, question.rotation), type === TYPE.SRV ? node.targets : []);
}

export function nodeFor(entry: NameEntry | undefined, clientIsLoopback: boolean): Node | undefined {
  return clientIsLoopback ? entry?.forLoopback : entry?.forOthers;
}

/** undefined: the name is within no zone of ours. */
export function closestCut(key: NameKey, { cuts }: Zone): Cut | undefined {
  for (const above of keysAbove(key)) {
    const cut = cuts.get(above);
    if (cut !== undefined) return cut;
  }
  return undefined;
}

export function soaOf({ soa }: Cut, { version }: Zone): SoaRecord {
  return { ...soa, serial: version >>> 0 };
}

function recordsOfCut(type: number, { ns }: Cut, soa: SoaRecord, node: Node): readonly DnsRecord[] | undefined {
  if (type === TYPE.SOA) return [soa];
  return type === TYPE.NS ? [ns] : node.records.get(type);
}

/** RFC 8482 §4.2: one small record instead of everything, which nobody needs but who wants to flood a third party. */
function minimalAny(key: NameKey): DnsRecord {
  return { type: 'HINFO', name: formatName(key), ttlSeconds: ANY_TTL_SECONDS, cpu: 'RFC8482', os: '' };
}

/** Clients that take the first record are spread over all (DNS-25). */
function rotate(records: readonly DnsRecord[], rotation: number): readonly DnsRecord[] {
  const start = rotation % records.length;
  return start === 0 ? records : [...records.slice(start), ...records.slice(0, start)];
}

function positive(answers: readonly DnsRecord[], additional: readonly DnsRecord[]): Answer {
  return { rcode: RCODE.NOERROR, isAuthoritative: true, answers, authority: [], additional };
}

/** With the SOA, without which nobody may keep it (RFC 2308 §5, DNS-28). */
function negative(rcode: Rcode, soa: SoaRecord): Answer {
  return { rcode, isAuthoritative: true, answers: [], authority: [soa], additional: [] };
}

function failure(rcode: Rcode, extendedError?: ExtendedError): Answer {
  const sections = { answers: [], authority: [], additional: [] };
  return { rcode, isAuthoritative: false, ...sections, ...(extendedError === undefined ? {} : { extendedError }) };
}
