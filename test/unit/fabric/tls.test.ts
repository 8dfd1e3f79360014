import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { verifyPeerSocket } from '#src/fabric/tls.ts';
import { makeTrust, type Trust } from '#src/fabric/trust.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';

describe('verifyPeerSocket, of a TLS session that was resumed', () => {
  let fabric: TestFabric;
  let trust: Trust;
  let resumed: X509Certificate;
  before(async () => {
    fabric = await makeTestFabric();
    const west = await fabric.identity('west');
    trust = makeTrust({ self: 'east', caPem: west.caPem });
    resumed = new X509Certificate(west.certPem);
  });
  after(() => fabric.remove());

  /** It shows no certificate, as OpenSSL has it. */
  const socketWith = (alpnProtocol: string | false): TLSSocket =>
    ({
      ...{ alpnProtocol, authorized: true, isSessionReused: () => true },
      ...{ getProtocol: () => 'TLSv1.3', getPeerX509Certificate: () => undefined },
    }) as unknown as TLSSocket;
  const forms = ['session', 'clusterlink'] as const;

  it('in ClusterLink’s form, of a certificate that was judged → judged again, and it is the peer', () => {
    const verdict = verifyPeerSocket(socketWith(false), { trust, expected: 'west', forms, resumed });
    assert.deepEqual(verdict.ok && [verdict.peer, verdict.form, verdict.certificate], ['west', 'clusterlink', resumed]);
  });

  for (const [what, alpn, given, expected, reason] of [
    ['nobody has judged its certificate', false, 'none', 'west', 'PROTOCOL_MISMATCH'],
    ['a session of ours', 'clusterlink-mcs/1', 'its own', 'west', 'PROTOCOL_MISMATCH'],
    ['the certificate is that of another peer', false, 'its own', 'north', 'PEER_NAME_MISMATCH'],
  ] as const) {
    it(`${what} → ${reason}`, () => {
      const options = { trust, expected, forms, resumed: given === 'none' ? undefined : resumed };
      const verdict = verifyPeerSocket(socketWith(alpn), options);
      assert.equal(verdict.ok ? 'ok' : verdict.reason, reason);
    });
  }

  it('the certificate is believed no more → refused', async () => {
    const other = await makeTestFabric();
    try {
      const { caPem } = await other.identity('west');
      const elsewhere = makeTrust({ self: 'east', caPem });
      const verdict = verifyPeerSocket(socketWith(false), { trust: elsewhere, expected: 'west', forms, resumed });
      assert.equal(verdict.ok ? 'ok' : verdict.reason, 'PEER_ROOT_MISMATCH');
    } finally {
      await other.remove();
    }
  });
});
