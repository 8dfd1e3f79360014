import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createFabric, type CertificateAndKey } from '#src/fabric/authority.ts';
import { ROOT_NAMES_BYTES_MAX } from '#src/fabric/limits.ts';
import { createRequest, fingerprintOf } from '#src/fabric/request.ts';
import { toSerial } from '#src/fabric/revoked-serials.ts';
import { signRequest } from '#src/fabric/sign.ts';
import { makeTrust, type Trust, type TrustInput } from '#src/fabric/trust.ts';
import { makeAuthority } from '#test/support/authorities.ts';

const DAY_MS = 86_400_000;

async function leafOf(ca: CertificateAndKey, peer: string, days = 365): Promise<X509Certificate> {
  const { csrPem } = await createRequest({ peer });
  return new X509Certificate(await signRequest({ caCertPem: ca.certPem, caKeyPem: ca.keyPem, csrPem, days }));
}

function trustOf(caPem: string, input: Partial<TrustInput> = {}): Trust {
  return makeTrust({ self: 'north', caPem, ...input });
}

function verdict(trust: Trust, peer: string, certificate: X509Certificate, nowMs = Date.now()): string {
  return trust.judge({ peer, certificate, nowMs })?.reason ?? 'believed';
}

describe('makeTrust', () => {
  let [ours, next, theirs]: CertificateAndKey[] = [];
  let roots: Readonly<Record<'ours' | 'next' | 'theirs', CertificateAndKey>>;
  before(async () => {
    // Of one name: only keys tell them apart.
    [ours, next, theirs] = await Promise.all([1, 2, 3].map(() => createFabric({ name: 'default_fabric' })));
    assert.ok(ours !== undefined && next !== undefined && theirs !== undefined);
    roots = { ours, next, theirs };
  });

  it('the root that signed it, alone or beside another → believed', async () => {
    const leaf = await leafOf(roots.ours, 'east');
    assert.equal(verdict(trustOf(roots.ours.certPem), 'east', leaf), 'believed');
    assert.equal(verdict(trustOf(roots.next.certPem + roots.ours.certPem), 'east', leaf), 'believed');
  });
  it('another root of the same name → PEER_ROOT_MISMATCH', async () => {
    const leaf = await leafOf(roots.ours, 'east');
    assert.equal(verdict(trustOf(roots.next.certPem), 'east', leaf), 'PEER_ROOT_MISMATCH');
  });
  it('a certificate that is among the roots but is no CA → vouches for nobody', async () => {
    const leaf = await leafOf(roots.ours, 'east');
    assert.equal(verdict(trustOf(leaf.toString()), 'east', leaf), 'PEER_ROOT_MISMATCH');
  });

  // CFL: DESIGN §9, a root vouches only for the names bound to it here. east has its own root, west and north (self) have not.
  const bound: readonly (readonly [string, 'ours' | 'theirs', string])[] = [
    ['east', 'theirs', 'believed'],
    ['east', 'ours', 'PEER_ROOT_MISMATCH'],
    ['west', 'ours', 'believed'],
    ['west', 'theirs', 'PEER_ROOT_MISMATCH'],
    ['nobody', 'ours', 'believed'],
    ['nobody', 'theirs', 'PEER_ROOT_MISMATCH'],
    ['north', 'ours', 'believed'],
    ['north', 'theirs', 'PEER_ROOT_MISMATCH'],
  ];
  for (const [peer, by, expected] of bound) {
    it(`${peer} by ${by === 'ours' ? "the fabric's root" : "east's own root"} → ${expected}`, async () => {
      const rootsByPeer = new Map([['east', roots.theirs.certPem]]);
      const trust = trustOf(roots.ours.certPem, { rootsByPeer });
      assert.equal(verdict(trust, peer, await leafOf(roots[by], peer)), expected);
    });
  }

  it('a Peer object for ourselves that names a root → our own name is the fabric’s all the same', async () => {
    const trust = trustOf(roots.ours.certPem, { rootsByPeer: new Map([['north', roots.theirs.certPem]]) });
    assert.equal(verdict(trust, 'north', await leafOf(roots.theirs, 'north')), 'PEER_ROOT_MISMATCH');
    assert.equal(verdict(trust, 'north', await leafOf(roots.ours, 'north')), 'believed');
  });

  it('two own roots → either vouches', async () => {
    const trust = trustOf(roots.ours.certPem, {
      rootsByPeer: new Map([['east', roots.theirs.certPem + roots.next.certPem]]),
    });
    for (const by of [roots.theirs, roots.next])
      assert.equal(verdict(trust, 'east', await leafOf(by, 'east')), 'believed');
  });

  for (const [title, text] of [
    ['nothing', ''],
    ['no PEM', 'hello'],
    ['a PEM of nothing', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
  ] as const) {
    it(`an annotation with ${title} → nobody vouches for that peer, by any root; others are as they were`, async () => {
      const trust = trustOf(roots.ours.certPem, { rootsByPeer: new Map([['east', text]]) });
      assert.equal(verdict(trust, 'east', await leafOf(roots.ours, 'east')), 'PEER_ROOT_MISMATCH');
      assert.equal(verdict(trust, 'west', await leafOf(roots.ours, 'west')), 'believed');
      const dialled = trust.rootsFor('east');
      assert.ok(!dialled.ok);
      assert.match(dialled.why.message, /mcs\.clusterlink\.net\/roots/);
      assert.equal(trust.serverCaPem.match(/BEGIN/g)?.length, 1);
    });
  }

  it('what a server and a client believe → all roots, each once; those of the peer that is dialled', () => {
    const rootsByPeer = new Map([
      ['east', roots.theirs.certPem],
      ['south', roots.theirs.certPem],
      ['west', roots.ours.certPem],
    ]);
    const trust = trustOf(roots.ours.certPem, { rootsByPeer });
    assert.equal(trust.serverCaPem.match(/BEGIN/g)?.length, 2);
    assert.deepEqual(trust.rootsFor('east'), { ok: true, caPem: roots.theirs.certPem.trimEnd() + '\n' });
    assert.deepEqual(trust.rootsFor('other'), { ok: true, caPem: roots.ours.certPem });
  });

  describe('tricks between companies', () => {
    it('a root with the name and the key identifier of the fabric’s, and another key → counts for nobody', async () => {
      const copy = await makeAuthority({ name: 'default_fabric', likeKeyOf: roots.ours.certPem });
      const trust = trustOf(roots.ours.certPem, { rootsByPeer: new Map([['east', copy.certPem]]) });
      assert.equal(verdict(trust, 'east', await leafOf(copy, 'east')), 'PEER_ROOT_MISMATCH');
      assert.equal(trust.serverCaPem.match(/BEGIN/g)?.length, 1);
      assert.equal(verdict(trust, 'west', await leafOf(roots.ours, 'west')), 'believed');
    });
    it('an intermediate in place of a root → nobody vouches: it is not self-signed', async () => {
      const between = await makeAuthority({ name: 'between', by: roots.ours });
      const trust = trustOf(roots.ours.certPem, { rootsByPeer: new Map([['east', between.certPem]]) });
      assert.equal(verdict(trust, 'east', await leafOf(between, 'east')), 'PEER_ROOT_MISMATCH');
    });
    it('an intermediate of another root in fabric.ca → does not vouch by itself', async () => {
      const between = await makeAuthority({ name: 'between', by: roots.theirs });
      const trust = trustOf(roots.ours.certPem + between.certPem, {
        rootsByPeer: new Map([['east', roots.theirs.certPem]]),
      });
      assert.equal(verdict(trust, 'west', await leafOf(between, 'west')), 'PEER_ROOT_MISMATCH');
    });
    it('an intermediate under a root that allows none → PEER_ROOT_MISMATCH; under one that does → believed', async () => {
      const open = await makeAuthority({ name: 'open' });
      for (const [root, expected] of [
        [roots.ours, 'PEER_ROOT_MISMATCH'],
        [open, 'believed'],
      ] as const) {
        const between = await makeAuthority({ name: 'between', by: root });
        const leaf = await leafOf(between, 'west');
        assert.equal(verdict(trustOf(root.certPem + between.certPem), 'west', leaf), expected);
      }
    });
    it('a CA that may vouch for some names only → vouches for none: these rules are not evaluated here', async () => {
      const constrained = await makeAuthority({ name: 'constrained', constrained: 'yes' });
      const leaf = await leafOf(constrained, 'west');
      assert.equal(verdict(trustOf(constrained.certPem), 'west', leaf), 'PEER_ROOT_MISMATCH');
    });
    it('more names of roots than a server can tell → the peers beyond are refused, with the reason', async () => {
      const units = Array.from({ length: 7 }, () => 'u'.repeat(60));
      const many = Math.ceil(ROOT_NAMES_BYTES_MAX / 400);
      const root = roots.theirs.certPem;
      const rootsByPeer = new Map([['a', root]]);
      for (let index = 0; index < many; index++) {
        const { certPem } = await makeAuthority({ name: `n${index}`, units });
        rootsByPeer.set(`p${String(index).padStart(4, '0')}`, certPem);
      }
      const trust = trustOf(roots.ours.certPem, { rootsByPeer });
      assert.ok(trust.rootsFor('a').ok);
      const last = trust.rootsFor(`p${String(many - 1).padStart(4, '0')}`);
      assert.ok(!last.ok);
      assert.match(last.why.message, /no room/);
    });
  });

  describe('revocation', () => {
    const revokedBy = (ca: CertificateAndKey, leaf: X509Certificate): TrustInput['revoked'] => [
      {
        issuer: fingerprintOf(new X509Certificate(ca.certPem).publicKey),
        list: 'x',
        serials: [toSerial(leaf.serialNumber)],
      },
    ];

    it('its serial number by the key that signed it → REVOKED, another of that peer → believed', async () => {
      const [leaf, other] = [await leafOf(roots.ours, 'east'), await leafOf(roots.ours, 'east')];
      const trust = trustOf(roots.ours.certPem, { revoked: revokedBy(roots.ours, leaf) ?? [] });
      assert.equal(verdict(trust, 'east', leaf), 'REVOKED');
      assert.equal(verdict(trust, 'east', other), 'believed');
    });
    it('its serial number by another root, of the same name → believed', async () => {
      const leaf = await leafOf(roots.ours, 'east');
      const trust = trustOf(roots.ours.certPem + roots.next.certPem, { revoked: revokedBy(roots.next, leaf) ?? [] });
      assert.equal(verdict(trust, 'east', leaf), 'believed');
    });
    it('an intermediate that its root has revoked → REVOKED for all below it', async () => {
      const open = await makeAuthority({ name: 'open' });
      const between = await makeAuthority({ name: 'between', by: open });
      const revoked = revokedBy(open, new X509Certificate(between.certPem)) ?? [];
      const trust = trustOf(open.certPem + between.certPem, { revoked });
      assert.equal(verdict(trust, 'west', await leafOf(between, 'west')), 'REVOKED');
    });
  });

  it('its last moment → believed; one millisecond later → CERT_EXPIRED', async () => {
    const leaf = await leafOf(roots.ours, 'east', 1);
    const trust = trustOf(roots.ours.certPem);
    assert.equal(verdict(trust, 'east', leaf, leaf.validToDate.getTime()), 'believed');
    assert.equal(verdict(trust, 'east', leaf, leaf.validToDate.getTime() + 1), 'CERT_EXPIRED');
    assert.ok(leaf.validToDate.getTime() - Date.now() <= DAY_MS);
  });
});
