import assert from 'node:assert/strict';
import { SocketAddress } from 'node:net';
import fc from 'fast-check';
import { canonicalAddress, groupsOf } from '#src/api/addresses.ts';

describe('canonicalAddress', () => {
  for (const [text, canonical] of [
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:0a00:0001', '10.0.0.1'],
    ['fd00:0:0::00A1', 'fd00::a1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['', ''],
    ['10.0.0.256', '10.0.0.256'],
    ['db.example', 'db.example'],
  ] as const) {
    it(`${JSON.stringify(text)} → ${JSON.stringify(canonical)}`, () => {
      assert.equal(canonicalAddress(text), canonical);
      assert.equal(canonicalAddress(canonical), canonical);
    });
  }
});

describe('groupsOf', () => {
  for (const [text, groups] of [
    ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['fd00::', [0xfd00, 0, 0, 0, 0, 0, 0, 0]],
    ['1:2:3:4:5:6:7::', [1, 2, 3, 4, 5, 6, 7, 0]],
    ['2001:DB8::8:800:200c:417A', [0x2001, 0xdb8, 0, 0, 8, 0x800, 0x200c, 0x417a]],
    ['::ffff:192.0.2.255', [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x2ff]],
    ['::0.16.0.0', [0, 0, 0, 0, 0, 0, 16, 0]],
    ['1:2:3:4:5:6:255.255.0.1', [1, 2, 3, 4, 5, 6, 0xffff, 1]],
  ] as const) {
    it(`${text} → ${groups.join(' ')}`, () => assert.deepEqual(groupsOf(text), groups));
  }

  it('any groups, written out or as the system shortens them → the same', () => {
    const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const address = groups.map((each) => each.toString(16)).join(':');
        assert.deepEqual(groupsOf(address), groups);
        assert.deepEqual(groupsOf(new SocketAddress({ address, family: 'ipv6' }).address), groups);
      }),
    );
  });
});
