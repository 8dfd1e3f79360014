/** Collects the names below one root and their records. Pure. */
import { isLabel } from '../api/names.ts';
import type { IpAddress } from './address.ts';
import { RECORDS_PER_NAME_MAX } from './limits.ts';
import { formatPort, formatProtocol, NAME_LENGTH_MAX } from './name.ts';
import { TYPE, type AddressRecord, type DnsRecord, type SrvRecord } from './records.ts';
import type { ZonePort } from './snapshot.ts';
import { ADDRESS_TTL_SECONDS, SRV_TTL_SECONDS } from './zone-ttl.ts';
import type { Node } from './zone.ts';

/** All targets have the same chance. Not 0: clients that follow RFC 2782 to the letter take the first of several zeros. */
const SRV_WEIGHT = 100;
const SRV_PRIORITY = 0;
/** Of a port's name: its label has an underscore before it (63 octets, RFC 1035 §2.3.4). */
const PORT_NAME_LENGTH_MAX = 62;

/** Where clients are sent: a name, the addresses they may know, the ports. */
export interface Backend {
  readonly target: string;
  readonly addresses: readonly IpAddress[];
  readonly ports: readonly ZonePort[];
}

/** A record that is there already is not added again. */
export interface Names {
  addAddresses(addresses: readonly IpAddress[]): void;
  /** A name of its own below the root, at most {@link NAME_LENGTH_MAX} long. */
  addHost(name: string, addresses: readonly IpAddress[]): void;
  /** Its addresses at the root, and SRV records that lead to it; none of these where it has no address. */
  addBackend(backend: Backend): void;
  /** By whole name. */
  build(): ReadonlyMap<string, Node>;
}

/** @param root - the name of a service, or an alias. */
export function makeNames(root: string, report: (why: string) => void): Names {
  const own = makeDraft(root);
  const drafts = new Map([[root, own]]);

  function draftOf(name: string): Draft | undefined {
    if (name.length > NAME_LENGTH_MAX) return undefined;
    const draft = drafts.get(name) ?? makeDraft(name);
    drafts.set(name, draft);
    return draft;
  }

  function draftPort({ name, protocol }: ZonePort): Draft | undefined {
    const port = name.toLowerCase();
    if (!isLabel(port) || port.length > PORT_NAME_LENGTH_MAX) return undefined;
    // The name above the port exists too, without records (RFC 8020).
    draftOf(formatProtocol(protocol.toLowerCase(), root));
    return draftOf(formatPort(port, protocol.toLowerCase(), root));
  }

  function addPort(port: ZonePort, backend: Backend): void {
    if (!Number.isInteger(port.port) || port.port < 1 || port.port > 65_535) {
      report('one of its ports is not a port number');
      return;
    }
    // Unnamed ports too, and each (target, port) once, whatever its names and protocols are (DNS-16, DNS-17).
    own.addSrv(port.port, backend);
    if (port.name === '') return;
    const draft = draftPort(port);
    if (draft === undefined) report('one of its port names does not fit into a DNS name');
    else draft.addSrv(port.port, backend);
  }

  return {
    addAddresses: (addresses) => own.addAddresses(addresses),
    addHost: (name, addresses) => draftOf(name)?.addAddresses(addresses),
    addBackend(backend) {
      own.addAddresses(backend.addresses);
      for (const port of backend.ports) addPort(port, backend);
    },
    build: () => new Map([...drafts].map(([name, draft]) => [name, draft.build()])),
  };
}

/** One name while its records are collected. */
interface Draft {
  addAddresses(addresses: readonly IpAddress[]): void;
  addSrv(port: number, backend: Backend): void;
  build(): Node;
}

function makeDraft(owner: string): Draft {
  const addresses = new Map<string, AddressRecord>();
  const services = new Map<string, SrvRecord>();
  const targets = new Map<string, AddressRecord>();
  return {
    addAddresses: (added) => addAddressRecords(addresses, owner, added),
    addSrv(port, backend) {
      const key = `${backend.target}:${port}`;
      if (backend.addresses.length === 0 || services.size >= RECORDS_PER_NAME_MAX || services.has(key)) return;
      const data = { priority: SRV_PRIORITY, weight: SRV_WEIGHT, port, target: backend.target };
      services.set(key, { type: 'SRV', name: owner, ttlSeconds: SRV_TTL_SECONDS, ...data });
      addAddressRecords(targets, backend.target, backend.addresses);
    },
    build: () => ({
      records: groupByType([...addresses.values(), ...services.values()]),
      targets: [...targets.values()],
    }),
  };
}

function addAddressRecords(records: Map<string, AddressRecord>, name: string, added: readonly IpAddress[]): void {
  for (const { type, text } of added) {
    const key = `${name} ${text}`;
    if (records.size >= RECORDS_PER_NAME_MAX || records.has(key)) continue;
    records.set(key, { type, name, ttlSeconds: ADDRESS_TTL_SECONDS, address: text });
  }
}

function groupByType(records: readonly DnsRecord[]): Node['records'] {
  const groups = new Map<number, DnsRecord[]>();
  for (const record of records) {
    const group = groups.get(TYPE[record.type]);
    if (group === undefined) groups.set(TYPE[record.type], [record]);
    else group.push(record);
  }
  return groups;
}
