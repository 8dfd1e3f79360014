import assert from 'node:assert/strict';
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import fc from 'fast-check';
import { parseAddress, toDashedLabel } from '#src/dns/address.ts';

describe('parseAddress', () => {
  const cases = [
    { text: '10.1.0.5', want: { type: 'A', text: '10.1.0.5', isLoopback: false } },
    { text: '127.64.3.9', want: { type: 'A', text: '127.64.3.9', isLoopback: true } },
    { text: 'FD00:0:0::0007', want: { type: 'AAAA', text: 'fd00::7', isLoopback: false } },
    { text: '::1', want: { type: 'AAAA', text: '::1', isLoopback: true } },
    { text: '::ffff:192.0.2.1', want: { type: 'AAAA', text: '::ffff:c000:201', isLoopback: false } },
    { text: '::ffff:127.0.0.1', want: { type: 'AAAA', text: '::ffff:7f00:1', isLoopback: true } },
    { text: '1127.0.0.1', want: undefined },
    { text: '10.1.0', want: undefined },
    { text: '10.1.0.256', want: undefined },
    { text: '010.1.0.5', want: undefined },
    { text: '0x0a.1.0.5', want: undefined },
    { text: '10.1.0.5\n', want: undefined },
    { text: 'fe80::1%eth0', want: undefined },
    { text: '1:2:3:4:5:6:7', want: undefined },
    { text: 'fd00::7]/@[fd00::8', want: undefined },
    { text: 'db.example', want: undefined },
    { text: '', want: undefined },
  ];
  for (const { text, want } of cases) {
    it(`${JSON.stringify(text)} → ${want?.text ?? 'no address'}`, () => assert.deepEqual(parseAddress(text), want));
  }

  it('any address that Node knows → the same address, and back to itself', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const parsed = parseAddress(text);
        assert.ok(parsed);
        assert.ok(parsed.type === 'A' ? isIPv4(parsed.text) : isIPv6(parsed.text));
        const family = parsed.type === 'A' ? 'ipv4' : 'ipv6';
        assert.equal(
          new SocketAddress({ address: parsed.text, family }).address,
          new SocketAddress({ address: text, family }).address,
        );
        assert.deepEqual(parseAddress(parsed.text), parsed);
      }),
    );
  });
});

describe('toDashedLabel', () => {
  const cases = [
    { text: '10.1.0.5', want: '10-1-0-5' },
    { text: 'fd00::5', want: 'fd00--5' },
    { text: 'fd00::', want: 'fd00--0' },
    { text: '::5', want: '0--5' },
    { text: '::', want: '0--0' },
  ];
  for (const { text, want } of cases) {
    it(`DNS-21 ${text} → ${want}`, () => {
      const address = parseAddress(text);
      assert.ok(address);
      assert.equal(toDashedLabel(address), want);
    });
  }
});
