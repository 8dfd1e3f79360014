/** What is answered: a question and a compiled zone in, records out. Pure: no clock, no randomness, no sockets. */
import { canonicalName, formatBelow, isWithin, parseClusterSetName, type ClusterSetName } from './name.ts';
import {
  CLASS_IN,
  EXTENDED_ERROR,
  RCODE,
  TYPE,
  type DnsRecord,
  type ExtendedError,
  type Rcode,
  type SoaRecord,
} from './records.ts';
import { ANY_TTL_SECONDS } from './zone-ttl.ts';

/** One name: its records by type code. Without records it is an empty non-terminal, or has nothing for this client. */
export interface Node {
  readonly records: ReadonlyMap<number, readonly DnsRecord[]>;
  /** Addresses of the targets of its SRV records (DNS-10). */
  readonly targets: readonly DnsRecord[];
}

export interface ServiceNodes {
  readonly here: Node;
  /** By what {@link formatBelow} gives: `_http._tcp`, `_tcp`, `db-0.east`. */
  readonly below: ReadonlyMap<string, Node>;
}

/** Services as some clients see them. */
export interface View {
  readonly namespaces: ReadonlySet<string>;
  /** By `<service>.<namespace>`. */
  readonly services: ReadonlyMap<string, ServiceNodes>;
}

export interface Apex {
  /** Canonical: `clusterset.local`. */
  readonly name: string;
  readonly soa: SoaRecord;
  readonly here: Node;
  readonly version: Node;
  /**
   * 127.0.0.0/8 and ::1 lead a client elsewhere to itself, to whatever listens there. Only clients on this machine see them;
   * for the others such a name exists and has no address.
   */
  readonly loopbackClients: View;
  readonly otherClients: View;
}

export interface Zone {
  readonly version: number;
  /** Longest name first, so that the first that fits is the closest. */
  readonly apexes: readonly Apex[];
  /** Entries of the snapshot that could not become names, `namespace/name: why`; the list is bounded, the count is not. */
  readonly skipped: { readonly count: number; readonly examples: readonly string[] };
}

export interface Question {
  /** As received: any case, with or without the trailing dot, odd octets as `\DDD`. */
  readonly name: string;
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
  const name = canonicalName(question.name);
  const apex = zone.apexes.find((candidate) => isWithin(name, candidate.name));
  if (apex === undefined) return failure(RCODE.REFUSED, EXTENDED_ERROR.NOT_AUTHORITATIVE);
  const parsed = parseClusterSetName(name, apex.name);
  const node = parsed === undefined ? undefined : findNode(parsed, apex, question);
  if (node === undefined) return negative(RCODE.NXDOMAIN, apex);
  if (type === TYPE.ANY) return positive([minimalAny(name)], []);
  const records = node.records.get(type);
  if (records === undefined) return negative(RCODE.NOERROR, apex);
  return positive(rotate(records, question.rotation), type === TYPE.SRV ? node.targets : []);
}

const EMPTY: Node = { records: new Map(), targets: [] };

function findNode(name: ClusterSetName, apex: Apex, { clientIsLoopback }: Question): Node | undefined {
  const view = clientIsLoopback ? apex.loopbackClients : apex.otherClients;
  switch (name.kind) {
    case 'apex':
      return apex.here;
    case 'version':
      return apex.version;
    case 'nameServer':
    case 'services':
      return EMPTY;
    case 'namespace':
      return view.namespaces.has(name.namespace) ? EMPTY : undefined;
    default: {
      const nodes = view.services.get(`${name.service}.${name.namespace}`);
      return name.kind === 'service' ? nodes?.here : nodes?.below.get(formatBelow(name));
    }
  }
}

/** RFC 8482 §4.2: one small record instead of everything, which nobody needs but who wants to flood a third party. */
function minimalAny(name: string): DnsRecord {
  return { type: 'HINFO', name, ttlSeconds: ANY_TTL_SECONDS, cpu: 'RFC8482', os: '' };
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
function negative(rcode: Rcode, { soa }: Apex): Answer {
  return { rcode, isAuthoritative: true, answers: [], authority: [soa], additional: [] };
}

function failure(rcode: Rcode, extendedError?: ExtendedError): Answer {
  const sections = { answers: [], authority: [], additional: [] };
  return { rcode, isAuthoritative: false, ...sections, ...(extendedError === undefined ? {} : { extendedError }) };
}
