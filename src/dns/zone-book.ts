/**
 * From what is told of services to zones that answer without further thought: keeps account of whose each name is, so that a
 * change costs the names it touches. Pure but for that account.
 */
import { isLabel, isSubdomain } from '../api/names.ts';
import { formatKey, type ObjectKey } from '../api/object.ts';
import { SKIPPED_REPORTED_MAX } from './limits.ts';
import { canonicalName, formatNamespace, formatService, isWithin, keyOfName, type NameKey } from './name.ts';
import { TYPE, type DnsRecord, type SoaRecord } from './records.ts';
import { SharedMap } from './shared-map.ts';
import type { ZoneChange, ZoneService, ZoneSnapshot } from './snapshot.ts';
import { makeAliasClaims } from './zone-aliases.ts';
import { compileService } from './zone-service.ts';
import {
  APEX_TTL_SECONDS,
  NEGATIVE_TTL_SECONDS,
  SOA_EXPIRE_SECONDS,
  SOA_REFRESH_SECONDS,
  SOA_RETRY_SECONDS,
  VERSION_TTL_SECONDS,
} from './zone-ttl.ts';
import type { Cut, NameEntry, Node, Zone } from './zone.ts';

/** The edition of the DNS specification that is followed (DNS-01). */
const DNS_VERSION = '1.0.0';

export interface ZoneBook {
  /**
   * The zone after this change. Total: what cannot become a name (no label, too long, no address, no port) is left out and
   * reported in `skipped`. A service that is the same object as before costs nothing.
   */
  change(change: ZoneChange): Zone;
}

/** A book and its first zone. */
export function openZoneBook(snapshot: ZoneSnapshot): { readonly book: ZoneBook; readonly zone: Zone } {
  const book = makeZoneBook(snapshot.zones);
  return { book, zone: book.change({ version: snapshot.version, services: snapshot.services, gone: [] }) };
}

export function compileZone(snapshot: ZoneSnapshot): Zone {
  return openZoneBook(snapshot).zone;
}

/** What one service has in the zone. */
interface Account {
  readonly service: ZoneService;
  readonly names: ReadonlyMap<NameKey, NameEntry>;
  readonly cuts: ReadonlyMap<NameKey, Cut>;
  readonly problems: readonly string[];
}

function makeZoneBook(zoneNames: readonly string[]): ZoneBook {
  const zones = [...new Set(zoneNames.map(canonicalName))];
  const accounts = new Map<string, Account>();
  const skipped = new Map<string, readonly string[]>();
  const claims = makeAliasClaims();
  const namespaces = new Map<string, number>();
  let names = SharedMap.empty<NameEntry>().with(fixedNames(zones));
  let cuts: ReadonlyMap<NameKey, Cut> = new Map(zones.map((zone) => [keyOfName(zone), makeCut(zone, zone)]));

  function compile(service: ZoneService): Account {
    const key = formatKey(service);
    const problems = new Set<string>();
    const report = (why: string): void => void problems.add(`${key}: ${why}`);
    const aliases = usableAliases(service, zones, report).filter((alias) => {
      const owner = claims.ownerOf(alias);
      if (owner !== key) report(`alias ${alias} belongs to ${owner}`);
      return owner === key;
    });
    if (!isNamed(service)) report('namespace or name is not a DNS label');
    const roots = isNamed(service) ? [...zones.map((zone) => formatService(service, zone)), ...aliases] : [];
    const entries = roots.flatMap((root) => [...compileService(service, root, report)]);
    return {
      service,
      names: new Map(entries.map(([name, entry]) => [keyOfName(name), entry])),
      cuts: new Map(aliases.map((alias) => [keyOfName(alias), makeCut(alias, zones[0] ?? alias)])),
      problems: [...problems],
    };
  }

  /** Also of a service without names: somebody has imported something here, and NXDOMAIN would deny what comes next. */
  function countNamespace({ namespace }: ZoneService, by: 1 | -1, changes: Changes): void {
    const count = (namespaces.get(namespace) ?? 0) + by;
    if (count > 0) namespaces.set(namespace, count);
    else namespaces.delete(namespace);
    for (const zone of zones) {
      changes.names.set(keyOfName(formatNamespace(namespace, zone)), count > 0 ? EXISTS : undefined);
    }
  }

  function close(key: string, changes: Changes): void {
    const account = accounts.get(key);
    if (account === undefined) return;
    for (const name of account.names.keys()) changes.names.set(name, undefined);
    for (const name of account.cuts.keys()) changes.cuts.set(name, undefined);
    if (isNamed(account.service)) countNamespace(account.service, -1, changes);
    accounts.delete(key);
    skipped.delete(key);
  }

  function open(service: ZoneService, changes: Changes): void {
    const key = formatKey(service);
    const account = compile(service);
    accounts.set(key, account);
    if (account.problems.length > 0) skipped.set(key, account.problems);
    for (const [name, entry] of account.names) changes.names.set(name, entry);
    for (const [name, cut] of account.cuts) changes.cuts.set(name, cut);
    if (isNamed(service)) countNamespace(service, 1, changes);
  }

  return {
    change({ version, services, gone }) {
      const changes: Changes = { names: new Map(), cuts: new Map() };
      const wanted = new Map(services.map((service) => [formatKey(service), service]));
      for (const [key, service] of wanted) if (accounts.get(key)?.service === service) wanted.delete(key);
      const left = gone.map(formatKey).filter((key) => !wanted.has(key));
      const heirs = [
        ...left.flatMap((key) => claims.set(key, [])),
        ...[...wanted].flatMap(([key, service]) => claims.set(key, usableAliases(service, zones, ignore))),
      ];
      for (const heir of heirs) {
        const service = wanted.get(heir) ?? accounts.get(heir)?.service;
        if (service !== undefined && !left.includes(heir)) wanted.set(heir, service);
      }
      for (const key of [...left, ...wanted.keys()]) close(key, changes);
      for (const service of wanted.values()) open(service, changes);
      names = names.with(changes.names);
      if (changes.cuts.size > 0) cuts = withChanges(cuts, changes.cuts);
      return { version, names, cuts, skipped: tellSkipped(skipped) };
    },
  };
}

/** Of the two tables of a zone; undefined takes a name out. */
interface Changes {
  readonly names: Map<NameKey, NameEntry | undefined>;
  readonly cuts: Map<NameKey, Cut | undefined>;
}

function withChanges<V>(map: ReadonlyMap<NameKey, V>, changes: ReadonlyMap<NameKey, V | undefined>): Map<NameKey, V> {
  const copy = new Map(map);
  for (const [key, value] of changes) {
    if (value === undefined) copy.delete(key);
    else copy.set(key, value);
  }
  return copy;
}

const ignore = (): void => undefined;

function isNamed({ namespace, name }: ObjectKey): boolean {
  return isLabel(name) && isLabel(namespace);
}

/** Outside the zones, whose names are the specification's to define. */
function usableAliases(
  service: ZoneService,
  zones: readonly string[],
  report: (why: string) => void,
): readonly string[] {
  const { aliases = [] } = service;
  if (!isNamed(service)) return [];
  return [...new Set(aliases.map(canonicalName))].filter((alias) => {
    const isInside = zones.some((zone) => isWithin(alias, zone));
    if (!isSubdomain(alias)) report('one of its aliases is not a DNS name');
    else if (isInside) report(`alias ${alias} is inside a zone of this responder`);
    return isSubdomain(alias) && !isInside;
  });
}

function tellSkipped(skipped: ReadonlyMap<string, readonly string[]>): Zone['skipped'] {
  const examples: string[] = [];
  for (const problems of skipped.values()) {
    if (examples.length >= SKIPPED_REPORTED_MAX) break;
    examples.push(...problems);
  }
  return { count: skipped.size, examples: examples.slice(0, SKIPPED_REPORTED_MAX) };
}

const EMPTY: Node = { records: new Map(), targets: [] };
const EXISTS: NameEntry = { forLoopback: EMPTY, forOthers: EMPTY };

/** Names that are there whatever is imported: the zone, `svc`, `dns-version`, and those that SOA and NS name. */
function fixedNames(zones: readonly string[]): ReadonlyMap<NameKey, NameEntry> {
  return new Map(
    zones.flatMap((zone) => [
      ...[zone, `svc.${zone}`, `dns.${zone}`, `ns.dns.${zone}`].map((name) => [keyOfName(name), EXISTS] as const),
      [keyOfName(`dns-version.${zone}`), versionEntry(zone)] as const,
    ]),
  );
}

function versionEntry(zone: string): NameEntry {
  const text: DnsRecord = {
    type: 'TXT',
    name: `dns-version.${zone}`,
    ttlSeconds: VERSION_TTL_SECONDS,
    text: DNS_VERSION,
  };
  const node: Node = { records: new Map([[TYPE.TXT, [text]]]), targets: [] };
  return { forLoopback: node, forOthers: node };
}

/** @param zone - whose name server is named; the names are those that CoreDNS gives, so that monitors written for it keep working. */
function makeCut(name: string, zone: string): Cut {
  const soa: Omit<SoaRecord, 'serial'> = {
    type: 'SOA',
    name,
    ttlSeconds: NEGATIVE_TTL_SECONDS,
    primary: `ns.dns.${zone}`,
    mailbox: `hostmaster.${zone}`,
    refreshSeconds: SOA_REFRESH_SECONDS,
    retrySeconds: SOA_RETRY_SECONDS,
    expireSeconds: SOA_EXPIRE_SECONDS,
    minimumSeconds: NEGATIVE_TTL_SECONDS,
  };
  const ns = { type: 'NS', name, ttlSeconds: APEX_TTL_SECONDS, server: soa.primary } as const;
  return { key: keyOfName(name), soa, ns };
}
