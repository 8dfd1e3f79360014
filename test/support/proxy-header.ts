/** Reads headers of the PROXY protocol, version 2, as its specification has them, with nothing of ours: HAProxy, proxy-protocol.txt §2.2. */
import assert from 'node:assert/strict';

export interface DecodedHeader {
  readonly command: 'LOCAL' | 'PROXY';
  /** Undefined: AF_UNSPEC. */
  readonly ends: { readonly source: string; readonly destination: string } | undefined;
  /** In order; values as they stand there. */
  readonly tlvs: readonly (readonly [type: number, value: Buffer])[];
  /** Of the header. */
  readonly bytes: number;
}

const SIGNATURE = '0d0a0d0a000d0a515549540a';

/** @returns undefined while the header is not complete. @throws {AssertionError} for what is no header. */
export function decodeProxyHeader(stream: Buffer): DecodedHeader | undefined {
  assert.ok(SIGNATURE.startsWith(stream.subarray(0, 12).toString('hex')), 'the signature');
  if (stream.length < 16) return undefined;
  const bytes = 16 + stream.readUInt16BE(14);
  if (stream.length < bytes) return undefined;
  const [versionAndCommand = 0, family = 0] = stream.subarray(12, 14);
  assert.equal(versionAndCommand >> 4, 2, 'the version');
  assert.ok((versionAndCommand & 0xf) <= 1, 'the command');
  const addressBytes = { 0x00: 0, 0x11: 12, 0x21: 36 }[family];
  assert.ok(addressBytes !== undefined, `family ${family}`);
  const block = stream.subarray(16, 16 + addressBytes);
  return {
    command: (versionAndCommand & 0xf) === 0 ? 'LOCAL' : 'PROXY',
    ends: family === 0 ? undefined : readEnds(block),
    tlvs: readTlvs(stream.subarray(16 + addressBytes, bytes)),
    bytes,
  };
}

function readEnds(block: Buffer): { source: string; destination: string } {
  const size = (block.length - 4) / 2;
  const write = (address: Buffer, port: number): string =>
    size === 4 ? `${address.join('.')}:${port}` : `[${address.toString('hex').replace(/(....)(?=.)/g, '$1:')}]:${port}`;
  return {
    source: write(block.subarray(0, size), block.readUInt16BE(2 * size)),
    destination: write(block.subarray(size, 2 * size), block.readUInt16BE(2 * size + 2)),
  };
}

function readTlvs(bytes: Buffer): [number, Buffer][] {
  const tlvs: [number, Buffer][] = [];
  for (let offset = 0; offset < bytes.length;) {
    assert.ok(offset + 3 <= bytes.length, 'a whole type and length');
    const end = offset + 3 + bytes.readUInt16BE(offset + 1);
    assert.ok(end <= bytes.length, 'a whole value');
    tlvs.push([bytes.readUInt8(offset), bytes.subarray(offset + 3, end)]);
    offset = end;
  }
  return tlvs;
}

/** Bit by bit, as the definition of the checksum has it: of the header in which its own value is zero. */
export function checksumOf(header: Buffer): number {
  let remainder = 0xffff_ffff;
  for (const byte of header) {
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = ((remainder ^ (byte >> bit)) & 1) === 1;
      remainder = (remainder >>> 1) ^ (isOdd ? 0x82f6_3b78 : 0);
    }
  }
  return ~remainder >>> 0;
}
