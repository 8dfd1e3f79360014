import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createFabric, type CertificateAndKey } from '#src/fabric/authority.ts';
import { createRequest } from '#src/fabric/request.ts';
import { signRequest } from '#src/fabric/sign.ts';
import { makeTrust } from '#src/fabric/trust.ts';

describe('makeTrust', () => {
  let [old, next]: CertificateAndKey[] = [];
  let leaf: X509Certificate;
  before(async () => {
    // Of one name: only the signature tells them apart.
    [old, next] = [await createFabric({ name: 'acme' }), await createFabric({ name: 'acme' })];
    const { csrPem } = await createRequest({ peer: 'east' });
    leaf = new X509Certificate(await signRequest({ caCertPem: old.certPem, caKeyPem: old.keyPem, csrPem }));
  });
  const pemOf = (...roots: (CertificateAndKey | undefined)[]): string => roots.map((root) => root?.certPem).join('');

  it('the root that signed it, alone or beside another → vouched for', () => {
    assert.ok(makeTrust(pemOf(old))(leaf));
    assert.ok(makeTrust(pemOf(next, old))(leaf));
  });
  it('another root of the same name → not vouched for', () => {
    assert.equal(makeTrust(pemOf(next))(leaf), false);
  });
  it('a certificate that is among the roots but is no CA → vouches for nobody', () => {
    assert.equal(makeTrust(leaf.toString())(leaf), false);
  });
});
