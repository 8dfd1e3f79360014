import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import fc from 'fast-check';
import { areWithin } from '#src/cli/check-dns/networks.ts';

describe('areWithin', () => {
  const rows: [inner: string, outer: string[], expected: boolean][] = [
    ['10.244.0.0/16', ['10.0.0.0/8'], true],
    ['10.244.0.0/16', ['10.244.0.0/17'], false],
    ['10.244.0.0/16', ['10.244.128.0/17', '10.244.0.0/17'], true],
    ['10.244.0.0/16', ['10.244.0.0/17', '10.244.192.0/18'], false],
    ['10.244.0.5', ['10.244.0.5'], true],
    ['10.244.0.5', [], false],
    ['0.0.0.0/0', ['0.0.0.0/1', '128.0.0.0/1'], true],
    ['fd00:10::/32', ['fc00::/7'], true],
    ['fd00::1', ['10.0.0.0/8', '::/0'], true],
    ['::ffff:10.0.0.1', ['10.0.0.0/8'], true],
    ['10.0.0.1', ['::ffff:10.0.0.0/104'], true],
    ['10.0.0.1', ['::/0'], false],
    ['10.0.0.1', ['10.0.0.0/33', 'nonsense', '10.0.0.0/'], false],
    ['nonsense', ['0.0.0.0/0', '::/0'], false],
  ];
  for (const [inner, outer, expected] of rows) {
    it(`${inner} in ${outer.join(', ') || 'nothing'} → ${expected}`, () =>
      assert.equal(areWithin(inner, outer), expected));
  }

  it('any address in any networks → as node:net has it', () => {
    const address = fc.oneof(
      fc.ipV4(),
      fc.ipV6().filter((text) => !text.includes('.')),
    );
    const network = address.chain((host) => fc.tuple(fc.constant(host), fc.nat(host.includes(':') ? 128 : 32)));
    fc.assert(
      fc.property(address, fc.array(network, { maxLength: 4 }), (inner, outer) => {
        const list = new BlockList();
        const families = { true: 'ipv6', false: 'ipv4' } as const;
        const familyOf = (text: string): 'ipv4' | 'ipv6' => families[`${text.includes(':')}`];
        const alike = outer.filter(([host]) => familyOf(host) === familyOf(inner));
        for (const [host, prefix] of alike) list.addSubnet(host, prefix, familyOf(host));
        const texts = outer.map(([host, prefix]) => `${host}/${prefix}`);
        assert.equal(areWithin(inner, texts), list.check(inner, familyOf(inner)));
      }),
    );
  });
});
