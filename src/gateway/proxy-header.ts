/**
 * The header of the PROXY protocol, version 2, as HAProxy's proxy-protocol.txt §2.2 has it: whom a connection comes from, ahead of its
 * bytes. Pure.
 *
 *     0             12         13         14       16
 *     signature     version 2  family     bytes    addresses and ports, or nothing      type 1, length 2, value; and so on
 *                   command    protocol   to come
 */
import { isIP } from 'node:net';
import { PROXY_HEADER_BYTES_MAX } from './limits.ts';
import type { ConnectionEnds, SocketEnd } from './connection-ends.ts';
import assert from 'node:assert';

/** §2.2.1 to §2.2.4, and of the range 0xE0 to 0xEF, which §2.2.7 leaves to applications, ours. */
export const PROXY_TLVS = {
  /** The name that was asked for: of the export. */
  authority: 0x02,
  crc32c: 0x03,
  /** Of the connection: what closing records of both peers have. */
  uniqueId: 0x05,
  peer: 0xe0,
  namespace: 0xe1,
  serviceAccount: 0xe2,
  labelsDigest: 0xe3,
} as const;

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const FIXED_BYTES = 16;
const COMMANDS = { local: 0x20, proxy: 0x21 } as const;
const FAMILIES = { unspecified: 0x00, tcp4: 0x11, tcp6: 0x21 } as const;
const CRC32C_BYTES = 4;

export interface ProxyHeader {
  /** Undefined: not known, which some receivers refuse (HAProxy 2.6 does). */
  readonly ends: ConnectionEnds | undefined;
  /** By type of {@link PROXY_TLVS}, in the order in which they are written; the checksum is added. */
  readonly tlvs: ReadonlyMap<number, string>;
}

/** A connection of the gateway itself, with which nobody's bytes come (§2.2, LOCAL): of a probe. */
export const LOCAL_PROXY_HEADER: Buffer = encode({
  command: COMMANDS.local,
  family: FAMILIES.unspecified,
  addresses: Buffer.alloc(0),
  tlvs: Buffer.alloc(0),
});

export function encodeProxyHeader({ ends, tlvs }: ProxyHeader): Buffer {
  const values = [...tlvs].map(([type, value]) => encodeTlv(type, Buffer.from(value)));
  const checksum = encodeTlv(PROXY_TLVS.crc32c, Buffer.alloc(CRC32C_BYTES));
  const header = encode({
    command: COMMANDS.proxy,
    ...encodeEnds(ends),
    tlvs: Buffer.concat([...values, checksum]),
  });
  // §2.2.3: of the whole header, in which its own place is zero.
  header.writeUInt32BE(crc32c(header), header.length - CRC32C_BYTES);
  return header;
}

function encode(header: {
  readonly command: number;
  readonly family: number;
  readonly addresses: Buffer;
  readonly tlvs: Buffer;
}): Buffer {
  const { command, family, addresses, tlvs } = header;
  const fixed = Buffer.alloc(FIXED_BYTES);
  SIGNATURE.copy(fixed);
  fixed[12] = command;
  fixed[13] = family;
  fixed.writeUInt16BE(addresses.length + tlvs.length, 14);
  const bytes = Buffer.concat([fixed, addresses, tlvs]);
  assert.ok(bytes.length <= PROXY_HEADER_BYTES_MAX, 'its parts are bounded');
  return bytes;
}

function encodeTlv(type: number, value: Buffer): Buffer {
  const head = Buffer.from([type, value.length >> 8, value.length & 0xff]);
  return Buffer.concat([head, value]);
}

function encodeEnds(ends: ConnectionEnds | undefined): { readonly family: number; readonly addresses: Buffer } {
  const family = ends === undefined ? 0 : isIP(ends.remote.address);
  if (ends === undefined || family === 0 || family !== isIP(ends.local.address)) {
    return { family: FAMILIES.unspecified, addresses: Buffer.alloc(0) };
  }
  const bytesOf = family === 4 ? bytesOfIPv4 : bytesOfIPv6;
  const { remote, local } = ends;
  return {
    family: family === 4 ? FAMILIES.tcp4 : FAMILIES.tcp6,
    addresses: Buffer.concat([bytesOf(remote.address), bytesOf(local.address), portOf(remote), portOf(local)]),
  };
}

function portOf({ port }: SocketEnd): Buffer {
  return Buffer.from([port >> 8, port & 0xff]);
}

function bytesOfIPv4(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

/** Of a canonical address: `::` stands for as many groups as are missing, and two groups may be written as IPv4. */
function bytesOfIPv6(address: string): Buffer {
  const [head = [], tail = []] = address.split('::').map(groupsOf);
  const missing = Array<number>(8 - head.length - tail.length).fill(0);
  const bytes = Buffer.alloc(16);
  [...head, ...missing, ...tail].forEach((group, index) => bytes.writeUInt16BE(group, 2 * index));
  return bytes;
}

function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const bytes = bytesOfIPv4(group);
    return [bytes.readUInt16BE(0), bytes.readUInt16BE(2)];
  });
}

/** The polynomial of Castagnoli, its bits reversed (RFC 9260 appendix A). */
const CRC32C_POLYNOMIAL = 0x82f63b78;
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CRC32C_POLYNOMIAL : crc >>> 1;
  return crc;
});

/** Node's `zlib.crc32` is of another polynomial. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC32C_TABLE[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffff_ffff) >>> 0;
}
