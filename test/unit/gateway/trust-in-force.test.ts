import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createFabric, type CertificateAndKey } from '#src/fabric/authority.ts';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { createRequest, fingerprintOf } from '#src/fabric/request.ts';
import { toSerial } from '#src/fabric/revoked-serials.ts';
import { signRequest } from '#src/fabric/sign.ts';
import type { GatewaySnapshot } from '#src/gateway/messages.ts';
import { toRoutes } from '#src/gateway/routes.ts';
import { desiredSnapshot } from '#src/gateway/snapshot.ts';
import { makeTrustInForce } from '#src/gateway/trust-in-force.ts';
import { compilePolicies } from '#src/policy/compile.ts';

const POLICIES = compilePolicies({ privileged: [], regular: [], baseline: [] });

function snapshotOf(annotations: Record<string, string>, revoked: GatewaySnapshot['revoked'] = []): GatewaySnapshot {
  const desired = desiredSnapshot({
    self: 'north',
    bindings: [],
    peers: [
      {
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'Peer',
        metadata: { name: 'west', namespace: 'clusterlink-system', annotations },
        spec: { gateways: [] },
      },
    ],
    catalogue: { entries: [], verdicts: [] },
    policies: POLICIES,
    revoked,
  });
  return { ...structuredClone(desired), version: 1 };
}

describe('makeTrustInForce', () => {
  let ours: CertificateAndKey;
  let theirs: CertificateAndKey;
  let certificate: X509Certificate;
  before(async () => {
    [ours, theirs] = await Promise.all([createFabric({ name: 'acme' }), createFabric({ name: 'acme' })]);
    const { csrPem } = await createRequest({ peer: 'west' });
    certificate = new X509Certificate(
      await signRequest({ caCertPem: theirs.certPem, caKeyPem: theirs.keyPem, csrPem }),
    );
  });

  it('annotation, revocation and roots of the fabric change → so does the verdict; nothing has → the same trust', () => {
    const identityWith = (caPem: string): PeerIdentity => ({
      peer: 'north',
      certPem: '',
      keyPem: '',
      caPem,
      notAfter: new Date(0),
    });
    let identity = identityWith(ours.certPem);
    let routes = toRoutes(snapshotOf({}));
    const trust = makeTrustInForce({ self: 'north', identity: () => identity, routes: () => routes });
    const verdict = (): string => trust().judge({ peer: 'west', certificate, nowMs: Date.now() })?.reason ?? 'believed';
    const roots = { 'mcs.clusterlink.net/roots': theirs.certPem };
    assert.equal(verdict(), 'PEER_ROOT_MISMATCH');
    routes = toRoutes(snapshotOf(roots));
    assert.equal(verdict(), 'believed');
    const before = trust();
    routes = toRoutes(snapshotOf(roots));
    assert.equal(trust(), before);
    const issuer = fingerprintOf(new X509Certificate(theirs.certPem).publicKey);
    routes = toRoutes(snapshotOf(roots, [{ issuer, list: 'x', serials: [toSerial(certificate.serialNumber)] }]));
    assert.equal(verdict(), 'REVOKED');
    routes = toRoutes(snapshotOf({ 'mcs.clusterlink.net/roots': 'garbage' }));
    assert.equal(verdict(), 'PEER_ROOT_MISMATCH');
    routes = toRoutes(snapshotOf({}));
    identity = identityWith(ours.certPem + theirs.certPem);
    assert.equal(verdict(), 'believed');
  });
});
