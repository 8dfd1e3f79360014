/** Records to the wire, each by itself: its octets do not depend on the message it is in. */
import { isIPv4, isIPv6 } from 'node:net';
import { Packet, type Resource } from 'dns2';
import { groupsOf } from '../api/addresses.ts';
import { keyOfName } from './name.ts';
import { CLASS_IN, TYPE, type AddressRecord, type DnsRecord, type SrvRecord } from './records.ts';

/** Records live as long as their zone, so each is encoded once. */
const restByRecord = new WeakMap<DnsRecord, Buffer>();

/** Everything after the owner: type, class, time to live, data. */
export function encodeRest(record: DnsRecord): Buffer {
  const known = restByRecord.get(record);
  if (known !== undefined) return known;
  const rest = writeRest(record);
  restByRecord.set(record, rest);
  return rest;
}

/** A service may have thousands of the first three, for which dns2 takes ten times as long. */
function writeRest(record: DnsRecord): Buffer {
  switch (record.type) {
    case 'A':
      return prefixFields(record, encodeIpv4(record.address));
    case 'AAAA':
      return prefixFields(record, encodeIpv6(record.address));
    case 'SRV': {
      const { priority, weight, port, target } = record;
      const data = Buffer.concat([Buffer.alloc(6), Buffer.from(keyOfName(target), 'latin1')]);
      [priority, weight, port].forEach((field, index) => data.writeUInt16BE(field, 2 * index));
      return prefixFields(record, data);
    }
    default:
      // Alone and under the root's name (one octet, cut off): dns2 compresses only within a message that it writes as a whole.
      return Packet.Resource.encode(new Packet.Resource(toResource(record))).subarray(1);
  }
}

/** RFC 1035 §3.2.1. */
function prefixFields({ type, ttlSeconds }: DnsRecord, data: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.alloc(10), data]);
  rest.writeUInt16BE(TYPE[type], 0);
  rest.writeUInt16BE(CLASS_IN, 2);
  rest.writeUInt32BE(ttlSeconds, 4);
  rest.writeUInt16BE(data.length, 8);
  return rest;
}

/** @throws {TypeError} for what `parseAddress` does not give. */
function encodeIpv4(address: string): Buffer {
  if (!isIPv4(address)) throw new TypeError('an A record without an IPv4 address');
  return Buffer.from(address.split('.').map(Number));
}

/** @throws {TypeError} like {@link encodeIpv4}. */
function encodeIpv6(address: string): Buffer {
  if (!isIPv6(address)) throw new TypeError('an AAAA record without an IPv6 address');
  const octets = Buffer.alloc(16);
  groupsOf(address).forEach((group, index) => octets.writeUInt16BE(group, 2 * index));
  return octets;
}

function toResource(record: Exclude<DnsRecord, AddressRecord | SrvRecord>): Partial<Resource> {
  const common = { name: '', type: TYPE[record.type], class: CLASS_IN, ttl: record.ttlSeconds };
  switch (record.type) {
    case 'TXT':
      return { ...common, data: [record.text] };
    case 'NS':
      return { ...common, ns: record.server };
    case 'SOA': {
      const { primary, mailbox: admin, serial, refreshSeconds: refresh, retrySeconds: retry } = record;
      const { expireSeconds: expiration, minimumSeconds: minimum } = record;
      return { ...common, primary, admin, serial, refresh, retry, expiration, minimum };
    }
    case 'HINFO':
      // dns2 has no form for it and writes the octets that it is given.
      return { ...common, data: Buffer.concat([toCharacterString(record.cpu), toCharacterString(record.os)]) };
  }
}

/** RFC 1035 §3.3. */
function toCharacterString(text: string): Buffer {
  return Buffer.concat([Buffer.of(text.length), Buffer.from(text, 'latin1')]);
}
