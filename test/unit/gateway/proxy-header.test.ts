import assert from 'node:assert/strict';
import { SocketAddress } from 'node:net';
import fc from 'fast-check';
import { canonicalAddress } from '#src/api/addresses.ts';
import { PROXY_HEADER_BYTES_MAX } from '#src/gateway/limits.ts';
import { crc32c, encodeProxyHeader, LOCAL_PROXY_HEADER, PROXY_TLVS } from '#src/gateway/proxy-header.ts';
import { checksumOf, decodeProxyHeader } from '#test/support/proxy-header.ts';

const PORT = fc.integer({ min: 0, max: 65_535 });
const BYTES4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
/** Zeros in a row are what is written in short. */
const BYTES16 = fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: 16, maxLength: 16 });
const TLVS = fc.uniqueArray(
  fc.tuple(fc.integer({ min: 0xe0, max: 0xef }), fc.string({ unit: 'binary', maxLength: 20 })),
  {
    selector: ([type]) => type,
    maxLength: 6,
  },
);

const textOf6 = (bytes: readonly number[]): string => {
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0));
  return groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
};

describe('encodeProxyHeader', () => {
  it('any IPv4 ends and values → what a decoder of the specification reads, with the right checksum', () => {
    fc.assert(
      fc.property(BYTES4, BYTES4, PORT, PORT, TLVS, (remote, local, from, to, tlvs) => {
        const ends = {
          remote: { address: remote.join('.'), port: from },
          local: { address: local.join('.'), port: to },
        };
        const header = encodeProxyHeader({ ends, tlvs: new Map(tlvs) });
        const decoded = decodeProxyHeader(header);
        assert.equal(decoded?.bytes, header.length);
        assert.equal(decoded.command, 'PROXY');
        const [source, destination] = [`${remote.join('.')}:${from}`, `${local.join('.')}:${to}`];
        assert.deepEqual(decoded.ends, { source, destination });
        const said = decoded.tlvs.filter(([type]) => type !== PROXY_TLVS.crc32c);
        assert.deepEqual(
          said.map(([type, value]) => [type, value.toString()]),
          tlvs.map(([type, value]) => [type, Buffer.from(value).toString()]),
        );
        assertChecksum(header);
      }),
    );
  });

  it('any IPv6 ends, however they are shortened → all their bytes', () => {
    fc.assert(
      fc.property(BYTES16, BYTES16, (remote, local) => {
        const [from, to] = [textOf6(remote), textOf6(local)];
        const addresses = [from, to].map((address) => new SocketAddress({ address, family: 'ipv6' }).address);
        fc.pre(addresses.every((address) => canonicalAddress(address).includes(':')));
        const [source = '', destination = ''] = addresses.map(canonicalAddress);
        const ends = { remote: { address: source, port: 1 }, local: { address: destination, port: 65_535 } };
        const decoded = decodeProxyHeader(encodeProxyHeader({ ends, tlvs: new Map() }));
        assert.deepEqual(decoded?.ends, { source: `[${from}]:1`, destination: `[${to}]:65535` });
      }),
    );
  });

  const unknown = [
    { name: 'none', ends: undefined },
    {
      name: 'of two families',
      ends: { remote: { address: '::1', port: 1 }, local: { address: '127.0.0.1', port: 2 } },
    },
    { name: 'that are no addresses', ends: { remote: { address: '', port: 1 }, local: { address: '', port: 2 } } },
  ];
  for (const { name, ends } of unknown) {
    it(`ends ${name} → AF_UNSPEC, all else as ever`, () => {
      const header = encodeProxyHeader({ ends, tlvs: new Map([[PROXY_TLVS.peer, 'east']]) });
      const decoded = decodeProxyHeader(header);
      assert.equal(decoded?.ends, undefined);
      assert.deepEqual(decoded?.tlvs[0], [0xe0, Buffer.from('east')]);
      assertChecksum(header);
    });
  }

  it('one byte above the bound → refused; that many → fine', () => {
    const fill = (bytes: number): Buffer =>
      encodeProxyHeader({ ends: undefined, tlvs: new Map([[0xe0, 'x'.repeat(bytes)]]) });
    const others = fill(0).length;
    assert.equal(fill(PROXY_HEADER_BYTES_MAX - others).length, PROXY_HEADER_BYTES_MAX);
    assert.throws(() => fill(PROXY_HEADER_BYTES_MAX - others + 1), { code: 'ERR_ASSERTION' });
  });
});

describe('LOCAL_PROXY_HEADER', () => {
  it('→ 16 bytes: LOCAL, AF_UNSPEC, nothing', () => {
    assert.equal(LOCAL_PROXY_HEADER.toString('hex'), '0d0a0d0a000d0a515549540a20000000');
    assert.deepEqual(decodeProxyHeader(LOCAL_PROXY_HEADER), { command: 'LOCAL', ends: undefined, tlvs: [], bytes: 16 });
  });
});

describe('crc32c', () => {
  // RFC 3720 appendix B.4.
  const cases = [
    { name: '32 zeros', bytes: Buffer.alloc(32), want: 0x8a9136aa },
    { name: '32 bytes of ones', bytes: Buffer.alloc(32, 0xff), want: 0x62a8ab43 },
    { name: '0 to 31', bytes: Buffer.from(Array.from({ length: 32 }, (_, index) => index)), want: 0x46dd794e },
    { name: 'nothing', bytes: Buffer.alloc(0), want: 0 },
  ];
  for (const { name, bytes, want } of cases) {
    it(`${name} → ${want.toString(16)}`, () => assert.equal(crc32c(bytes), want));
  }
});

function assertChecksum(header: Buffer): void {
  const found = decodeProxyHeader(header)?.tlvs.find(([type]) => type === PROXY_TLVS.crc32c)?.[1];
  assert.ok(found !== undefined && found.length === 4);
  const said = found.readUInt32BE(0);
  const blank = Buffer.from(header);
  blank.fill(0, blank.length - 4);
  assert.equal(said, checksumOf(blank));
}
