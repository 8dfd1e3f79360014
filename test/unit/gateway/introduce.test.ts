import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { digestLabels, toHeader, type Introduced, type Origin } from '#src/gateway/introduce.ts';
import { PROXY_HEADER_BYTES_MAX } from '#src/gateway/limits.ts';
import type { Assertable } from '#src/gateway/messages.ts';
import { decodeProxyHeader } from '#test/support/proxy-header.ts';

const CONNECTION = '0123456789abcdef0123456789abcdef';
const ENDS = { remote: { address: '10.0.0.1', port: 40_000 }, local: { address: '10.0.0.2', port: 443 } };
const CLIENT: Origin = { kind: 'client', connection: CONNECTION, ends: ENDS };
const WORKLOAD = { namespace: 'store', serviceAccount: 'web', labels: { app: 'web', tier: 'front' } };
const ALL: readonly Assertable[] = ['namespace', 'service-account', 'labels'];
const ACCESS: Introduced = { peer: 'west', export: { namespace: 'shop', name: 'db' }, asserted: WORKLOAD };
const DIGEST = createHash('sha256').update('[["app","web"],["tier","front"]]').digest('hex');

/** By type, without the checksum. */
function toldOf(access: Introduced, mayAssert: readonly Assertable[] = ALL): Record<string, string> {
  const decoded = decodeProxyHeader(toHeader({ access, origin: CLIENT, mayAssert }));
  const tlvs = decoded?.tlvs.filter(([type]) => type !== 0x03) ?? [];
  return Object.fromEntries(tlvs.map(([type, value]) => [type.toString(16), value.toString()]));
}
const BARE = { 2: 'db.shop', 5: CONNECTION, e0: 'west' };

describe('toHeader', () => {
  it('a peer that may assert everything → export, connection, peer, workload, and both ends of its connection', () => {
    assert.deepEqual(toldOf(ACCESS), { ...BARE, e1: 'store', e2: 'web', e3: DIGEST });
    const decoded = decodeProxyHeader(toHeader({ access: ACCESS, origin: CLIENT, mayAssert: ALL }));
    assert.deepEqual(decoded?.ends, { source: '10.0.0.1:40000', destination: '10.0.0.2:443' });
  });

  const grants: { mayAssert: Assertable[]; want: Record<string, string> }[] = [
    { mayAssert: [], want: {} },
    { mayAssert: ['namespace'], want: { e1: 'store' } },
    { mayAssert: ['service-account'], want: { e2: 'web' } },
    { mayAssert: ['labels'], want: { e3: DIGEST } },
  ];
  for (const { mayAssert, want } of grants) {
    it(`a peer that may assert [${mayAssert.join()}] → that, and nothing else of the workload`, () => {
      assert.deepEqual(toldOf(ACCESS, mayAssert), { ...BARE, ...want });
    });
  }

  it('a peer that asserts nothing → nothing of the workload; no labels are not unknown labels', () => {
    assert.deepEqual(toldOf({ ...ACCESS, asserted: null }), BARE);
    assert.deepEqual(toldOf({ ...ACCESS, asserted: { labels: {} } }), { ...BARE, e3: digestLabels({}) });
  });

  for (const foreign of ['', 'a\r\nb', '../x', 'Ä', 'UPPER', 'x'.repeat(254)]) {
    it(`names that are none, ${JSON.stringify(foreign.slice(0, 10))} → not handed on`, () => {
      assert.deepEqual(toldOf({ ...ACCESS, asserted: { namespace: foreign, serviceAccount: foreign } }), BARE);
    });
  }

  it('a client of this peer itself → as it is known here, whatever anybody may assert', () => {
    const own = { ...ACCESS, peer: 'east', asserted: null, own: WORKLOAD };
    assert.deepEqual(toldOf(own, []), { ...BARE, e0: 'east', e1: 'store', e2: 'web', e3: DIGEST });
    assert.deepEqual(toldOf({ ...own, own: { unidentified: 'no-pod' } }, ALL), { ...BARE, e0: 'east' });
  });

  it('a probe → LOCAL, and nothing of who asks', () => {
    const decoded = decodeProxyHeader(toHeader({ access: ACCESS, origin: { kind: 'probe' }, mayAssert: ALL }));
    assert.deepEqual(decoded, { command: 'LOCAL', ends: undefined, tlvs: [], bytes: 16 });
  });

  it('everything as long as it may be → as long as a header may be', () => {
    const [label, subdomain] = ['a'.repeat(63), Array<string>(4).fill('a'.repeat(63)).join('.').slice(0, 253)];
    const access: Introduced = {
      peer: label,
      export: { namespace: label, name: label },
      asserted: { namespace: label, serviceAccount: subdomain, labels: WORKLOAD.labels },
    };
    const address = '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff';
    const ends = { remote: { address, port: 65_535 }, local: { address, port: 65_535 } };
    const header = toHeader({ access, origin: { ...CLIENT, ends }, mayAssert: ALL });
    assert.equal(header.length, PROXY_HEADER_BYTES_MAX);
  });
});

describe('digestLabels', () => {
  it('the same labels in another order → the same; other labels → another', () => {
    assert.equal(digestLabels({ tier: 'front', app: 'web' }), DIGEST);
    assert.notEqual(digestLabels({ tier: 'front' }), DIGEST);
    assert.notEqual(digestLabels({ app: 'web","tier":"front' }), DIGEST);
  });
});
