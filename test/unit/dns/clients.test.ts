import assert from 'node:assert/strict';
import { makeClientNetworks } from '#src/dns/clients.ts';

describe('makeClientNetworks', () => {
  const networks = makeClientNetworks(['127.0.0.0/8', '10.1.0.0/16', '::1/128', 'fe80::/10', '192.0.2.7/32']);
  const cases = [
    { from: '127.0.0.1', want: { address: '127.0.0.1', isLoopback: true } },
    { from: '127.64.0.9', want: { address: '127.64.0.9', isLoopback: true } },
    { from: '::1', want: { address: '::1', isLoopback: true } },
    { from: '::ffff:127.0.0.1', want: { address: '127.0.0.1', isLoopback: true } },
    { from: '::ffff:10.1.2.3', want: { address: '10.1.2.3', isLoopback: false } },
    { from: 'fe80::1%eth0', want: { address: 'fe80::1', isLoopback: false } },
    { from: '192.0.2.7', want: { address: '192.0.2.7', isLoopback: false } },
    { from: '192.0.2.8', want: undefined },
    { from: '10.2.0.1', want: undefined },
    { from: 'fd00::1', want: undefined },
    { from: '', want: undefined },
  ];
  for (const { from, want } of cases) {
    it(`${from || '(nothing)'} → ${want?.address ?? 'not answered'}`, () =>
      assert.deepEqual(networks.classify(from), want));
  }

  it('no networks → nobody', () => assert.equal(makeClientNetworks([]).classify('127.0.0.1'), undefined));

  for (const text of ['10.0.0.0', '10.0.0.0/33', 'fd00::/129', '10.0.0/8', 'all', '', '10.0.0.0/8/8', '10.0.0.0/']) {
    it(`${JSON.stringify(text)} → ERR_CONFIG`, () =>
      assert.throws(() => makeClientNetworks([text]), { code: 'ERR_CONFIG' }));
  }
});
