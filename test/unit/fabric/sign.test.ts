import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { createFabric, type CertificateAndKey } from '#src/fabric/authority.ts';
import { peerNameOf } from '#src/fabric/identity.ts';
import { makeSerialNumber } from '#src/fabric/keys.ts';
import { createRequest } from '#src/fabric/request.ts';
import { signRequest } from '#src/fabric/sign.ts';
import { BasicConstraintsExtension, X509CertificateGenerator } from '#src/fabric/x509.ts';

const DAY_MS = 86_400_000;
const RSA_SIGNING = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };

describe('createFabric', () => {
  it('a name → a self-signed CA on P-256 for ten years, path length 0', async () => {
    const { certPem, keyPem } = await createFabric({ name: 'acme' });
    const certificate = new X509Certificate(certPem);
    assert.equal(certificate.subject, 'CN=acme');
    assert.equal(certificate.issuer, 'CN=acme');
    assert.ok(certificate.ca && certificate.verify(certificate.publicKey));
    assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
    assert.ok(certificate.validFromDate.getTime() <= Date.now() - 59_000, 'valid from a minute ago');
    assert.equal(Math.round((certificate.validToDate.getTime() - Date.now()) / DAY_MS), 3650);
    assert.match(keyPem, /^-----BEGIN PRIVATE KEY-----/);
  });
  for (const name of ['', '.', '..', 'a/b', '-a', 'a'.repeat(64), 'a b', 'é']) {
    it(`name ${JSON.stringify(name.slice(0, 8))} → ERR_USAGE`, async () => {
      await assert.rejects(createFabric({ name }), { code: 'ERR_USAGE' });
    });
  }
  it('the name that ClusterLink gives by default → accepted', async () => {
    assert.equal(
      new X509Certificate((await createFabric({ name: 'default_fabric' })).certPem).subject,
      'CN=default_fabric',
    );
  });
});

describe('createRequest', () => {
  for (const peer of ['East', '*', 'a.b', '', 'a'.repeat(64)]) {
    it(`peer ${JSON.stringify(peer.slice(0, 8))} → ERR_USAGE`, async () => {
      await assert.rejects(createRequest({ peer }), { code: 'ERR_USAGE' });
    });
  }
});

describe('signRequest', () => {
  let fabric: CertificateAndKey;
  let other: CertificateAndKey;
  let signing: { caCertPem: string; caKeyPem: string };
  before(async () => {
    [fabric, other] = await Promise.all([createFabric({ name: 'acme' }), createFabric({ name: 'other' })]);
    signing = { caCertPem: fabric.certPem, caKeyPem: fabric.keyPem };
  });

  it('a request → a leaf for a year with the one name, both uses, and a long serial number', async () => {
    const { csrPem } = await createRequest({ peer: 'east' });
    const leaf = new X509Certificate(await signRequest({ ...signing, csrPem }));
    assert.equal(leaf.subject, 'CN=east');
    assert.equal(leaf.subjectAltName, 'DNS:east');
    assert.equal(peerNameOf(leaf), 'east');
    assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    assert.equal(leaf.ca, false);
    assert.ok(leaf.verify(new X509Certificate(fabric.certPem).publicKey));
    assert.equal(leaf.serialNumber.length, 32);
    assert.equal(Math.round((leaf.validToDate.getTime() - Date.now()) / DAY_MS), 365);
  });

  it('two signings of one request → two serial numbers', async () => {
    const { csrPem } = await createRequest({ peer: 'east' });
    const [a, b] = await Promise.all([signRequest({ ...signing, csrPem }), signRequest({ ...signing, csrPem })]);
    assert.notEqual(new X509Certificate(a).serialNumber, new X509Certificate(b).serialNumber);
  });

  it('more days than the CA has → ends with the CA', async () => {
    const now = new Date(Date.now() + 1000 * DAY_MS);
    const { csrPem } = await createRequest({ peer: 'east' });
    const leaf = new X509Certificate(await signRequest({ ...signing, csrPem, days: 3650, now }));
    assert.equal(leaf.validTo, new X509Certificate(fabric.certPem).validTo);
  });

  it('a request that does not do → ERR_CERTIFICATE', async () => {
    for (const csrPem of ['', 'hello', fabric.certPem]) {
      await assert.rejects(signRequest({ ...signing, csrPem }), { code: 'ERR_CERTIFICATE' });
    }
  });

  it('days 0, 3651 or 1.5 → ERR_USAGE', async () => {
    const { csrPem } = await createRequest({ peer: 'east' });
    for (const days of [0, 3651, 1.5, Number.NaN]) {
      await assert.rejects(signRequest({ ...signing, csrPem, days }), { code: 'ERR_USAGE' });
    }
  });

  it('the key of another CA, a leaf as CA, an expired CA → ERR_CERTIFICATE', async () => {
    const { csrPem, keyPem } = await createRequest({ peer: 'east' });
    const leafPem = await signRequest({ ...signing, csrPem });
    const authorities = [
      { caCertPem: fabric.certPem, caKeyPem: other.keyPem },
      { caCertPem: leafPem, caKeyPem: keyPem },
      { caCertPem: 'x', caKeyPem: fabric.keyPem },
      { caCertPem: fabric.certPem, caKeyPem: 'x' },
      { ...signing, now: new Date(Date.now() + 3651 * DAY_MS) },
    ];
    for (const authority of authorities) {
      await assert.rejects(signRequest({ ...authority, csrPem }), { code: 'ERR_CERTIFICATE' });
    }
  });

  it("an RSA CA with a PKCS#1 key, as ClusterLink's are → a leaf on P-256 that it vouches for", async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const algorithm = RSA_SIGNING;
    const ca = await X509CertificateGenerator.createSelfSigned({
      name: 'CN=default_fabric',
      keys: {
        privateKey: privateKey.toCryptoKey(algorithm, false, ['sign']),
        publicKey: publicKey.toCryptoKey(algorithm, true, ['verify']),
      },
      serialNumber: makeSerialNumber(),
      signingAlgorithm: algorithm,
      extensions: [new BasicConstraintsExtension(true, undefined, true)],
    });
    const caKeyPem = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    assert.match(caKeyPem, /BEGIN RSA PRIVATE KEY/);
    const { csrPem } = await createRequest({ peer: 'east' });
    const leaf = new X509Certificate(await signRequest({ caCertPem: ca.toString('pem'), caKeyPem, csrPem }));
    assert.ok(leaf.verify(publicKey) && leaf.checkIssued(new X509Certificate(ca.toString('pem'))));
    assert.equal(leaf.publicKey.asymmetricKeyType, 'ec');
  });

  it('an Ed25519 or a short RSA key as CA → ERR_CERTIFICATE', async () => {
    const { csrPem } = await createRequest({ peer: 'east' });
    const weak = [generateKeyPairSync('ed25519'), generateKeyPairSync('rsa', { modulusLength: 1024 })];
    for (const { privateKey, publicKey } of weak) {
      const algorithm = privateKey.asymmetricKeyType === 'rsa' ? RSA_SIGNING : { name: 'Ed25519' };
      const ca = await X509CertificateGenerator.createSelfSigned({
        name: 'CN=weak',
        keys: {
          privateKey: privateKey.toCryptoKey(algorithm, false, ['sign']),
          publicKey: publicKey.toCryptoKey(algorithm, true, ['verify']),
        },
        signingAlgorithm: algorithm,
        extensions: [new BasicConstraintsExtension(true, undefined, true)],
      });
      const caKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const signed = signRequest({ caCertPem: ca.toString('pem'), caKeyPem, csrPem });
      await assert.rejects(signed, { code: 'ERR_CERTIFICATE', message: /neither P-256/ });
    }
  });
});

describe('makeSerialNumber', () => {
  it('many → all different, positive, 16 octets', () => {
    const serials = Array.from({ length: 500 }, makeSerialNumber);
    assert.equal(new Set(serials).size, 500);
    for (const serial of serials) assert.match(serial, /^[4-7][0-9a-f]{31}$/);
  });
});
