import assert from 'node:assert/strict';
import { generateKeyPairSync, webcrypto, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { makeKeyPair, P256_SIGNING } from '#src/fabric/keys.ts';
import { PEM_BYTES_MAX } from '#src/fabric/limits.ts';
import { parseRequest } from '#src/fabric/parse-request.ts';
import { createRequest, createRequestFor } from '#src/fabric/request.ts';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
} from '#src/fabric/x509.ts';

type Parameters = NonNullable<ConstructorParameters<typeof SubjectAlternativeNameExtension>[0]>;
type Extensions = NonNullable<Parameters0['extensions']>;
type Parameters0 = globalThis.Parameters<typeof Pkcs10CertificateRequestGenerator.create>[0];

const EAST = new SubjectAlternativeNameExtension([{ type: 'dns', value: 'east' }]);
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };

/** A request as somebody else's tool might make it. */
async function requestWith(changes: Partial<Parameters0> = {}): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=east',
    keys: await makeKeyPair(),
    signingAlgorithm: P256_SIGNING,
    extensions: [EAST],
    ...changes,
  });
  return request.toString('pem');
}

function rsaKeys(modulusLength: number, publicExponent = 65_537): webcrypto.CryptoKeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength, publicExponent });
  return {
    privateKey: privateKey.toCryptoKey(RSA, false, ['sign']),
    publicKey: publicKey.toCryptoKey(RSA, true, ['verify']),
  };
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----.*-----|\s/g, ''), 'base64');
}

function pemOf(der: Buffer): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}

describe('parseRequest', () => {
  it('our own request → the peer and the key', async () => {
    const { peer } = await parseRequest((await createRequest({ peer: 'east' })).csrPem);
    assert.equal(peer, 'east');
  });

  for (const [title, key] of [
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['RSA 2048', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
  ] as readonly (readonly [string, KeyObject])[]) {
    it(`a request for a key on ${title} that is there → taken`, async () => {
      assert.equal((await parseRequest(await createRequestFor({ peer: 'east', key, what: 'key' }))).peer, 'east');
    });
  }

  it('what tools add to a request → taken: no CA, TLS only, the hash of the key, other parts of the subject', async () => {
    const keys = await makeKeyPair();
    const extensions = [
      EAST,
      new BasicConstraintsExtension(false),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ];
    assert.equal((await parseRequest(await requestWith({ keys, extensions, name: 'O=Acme, CN=east' }))).peer, 'east');
    assert.equal((await parseRequest(await requestWith({ name: 'O=Acme' }))).peer, 'east');
  });

  it('the older label of PEM → taken', async () => {
    const pem = (await requestWith()).replaceAll('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST');
    assert.equal((await parseRequest(pem)).peer, 'east');
  });

  const sans = (...names: Parameters[]): Extensions => names.map((name) => new SubjectAlternativeNameExtension(name));
  const dns = (value: string): { type: 'dns'; value: string } => ({ type: 'dns', value });
  const extensions: readonly (readonly [string, Extensions, RegExp])[] = [
    ['no name but the common name', [], /0 subject alternative names/],
    ['an empty list of names', sans([]), /0 subject alternative names|cannot be read/],
    ['two names', sans([dns('east'), dns('west')]), /2 subject alternative names/],
    ['two extensions of one name', sans([dns('east')], [dns('west')]), /2\.5\.29\.17 twice/],
    ['a name and an address', sans([dns('east'), { type: 'ip', value: '10.0.0.1' }]), /2 subject alternative names/],
    ['a URI', sans([{ type: 'url', value: 'https://east' }]), /of type DNS/],
    ['a wildcard', sans([dns('*')]), /RFC 1123/],
    ['capitals', sans([dns('East')]), /RFC 1123/],
    ['a name of two labels', sans([dns('east.acme')]), /RFC 1123/],
    ['a zero octet in the name', sans([dns('east\0.west')]), /RFC 1123/],
    ['64 characters', sans([dns('a'.repeat(64))]), /RFC 1123/],
    ['another name than its common name', sans([dns('west')]), /common name "east" and asks for west/],
    ['CA:TRUE', [EAST, new BasicConstraintsExtension(true, undefined, true)], /asks to be a CA/],
    ['keyCertSign', [EAST, new KeyUsagesExtension(KeyUsageFlags.keyCertSign)], /asks to sign certificates/],
    ['cRLSign', [EAST, new KeyUsagesExtension(KeyUsageFlags.cRLSign)], /asks to sign certificates/],
    ['codeSigning', [EAST, new ExtendedKeyUsageExtension([ExtendedKeyUsage.codeSigning])], /other things than TLS/],
    ['anyExtendedKeyUsage', [EAST, new ExtendedKeyUsageExtension(['2.5.29.37.0'])], /other things than TLS/],
    [
      'no CA, and CA:TRUE after it',
      [EAST, new BasicConstraintsExtension(false), new BasicConstraintsExtension(true)],
      /2\.5\.29\.19 twice/,
    ],
  ];
  for (const [title, asked, message] of extensions) {
    it(`${title} → ERR_CERTIFICATE`, async () => {
      const csrPem = await requestWith({ extensions: asked });
      await assert.rejects(parseRequest(csrPem), { code: 'ERR_CERTIFICATE', message });
    });
  }

  it('an extension that nobody knows, critical or not → ERR_CERTIFICATE that names it', async () => {
    for (const critical of [false, true]) {
      const unknown = new SubjectKeyIdentifierExtension('00', critical);
      const raw = Buffer.from(unknown.rawData);
      // 2.5.29.14 -> 2.5.29.30, nameConstraints.
      raw[raw.indexOf(Buffer.from('0603551d0e', 'hex')) + 4] = 0x1e;
      const extension = { ...unknown, rawData: new Uint8Array(raw).buffer } as unknown as SubjectKeyIdentifierExtension;
      const csrPem = await requestWith({ extensions: [EAST, extension] });
      await assert.rejects(parseRequest(csrPem), { code: 'ERR_CERTIFICATE', message: /not known here, 2\.5\.29\.30/ });
    }
  });

  const keys: readonly (readonly [string, () => Promise<webcrypto.CryptoKeyPair> | webcrypto.CryptoKeyPair, object])[] =
    [
      ['RSA 1024', () => rsaKeys(1024), RSA],
      ['RSA with the exponent 3', () => rsaKeys(2048, 3), RSA],
      [
        'Ed25519',
        async () =>
          (await webcrypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair,
        { name: 'Ed25519' },
      ],
      [
        'P-521',
        () => webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-521' }, true, ['sign', 'verify']),
        { name: 'ECDSA', hash: 'SHA-512' },
      ],
    ];
  for (const [title, make, algorithm] of keys) {
    it(`a key on ${title} → ERR_CERTIFICATE: not every peer could verify it`, async () => {
      const csrPem = await requestWith({ keys: await make(), signingAlgorithm: algorithm as typeof P256_SIGNING });
      await assert.rejects(parseRequest(csrPem), { code: 'ERR_CERTIFICATE', message: /neither P-256/ });
    });
  }

  it('signed by another key, or changed afterwards → ERR_CERTIFICATE', async () => {
    const [own, other] = [await makeKeyPair(), await makeKeyPair()];
    const stolen = await requestWith({ keys: { privateKey: other.privateKey, publicKey: own.publicKey } });
    const der = derOf(await requestWith({ name: '' }));
    der.write('west', der.indexOf('east'));
    for (const csrPem of [stolen, pemOf(der)]) {
      await assert.rejects(parseRequest(csrPem), { code: 'ERR_CERTIFICATE', message: /not signed by its own key/ });
    }
  });

  it('bytes behind the request, in it or beside it in the file → ERR_CERTIFICATE', async () => {
    const pem = await requestWith();
    const der = derOf(pem);
    const shorter = Buffer.from(der);
    shorter.writeUInt16BE(shorter.readUInt16BE(2) - 1, 2);
    for (const csrPem of [
      pemOf(Buffer.concat([der, Buffer.of(0)])),
      pemOf(shorter),
      pemOf(der.subarray(0, -1)),
      pem + pem,
      `Certificate Request:\n${pem}`,
      `${pem}west`,
      pem.replace('\n', '\n\t!'),
      derOf(pem).toString('base64'),
      derOf(pem).toString('hex'),
      '',
      'hello',
      pem.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE'),
    ]) {
      await assert.rejects(parseRequest(csrPem), { code: 'ERR_CERTIFICATE' }, csrPem.slice(0, 60));
    }
  });

  it('as large as may be → read; one byte more → ERR_CERTIFICATE', async () => {
    const pem = await requestWith();
    const padded = pem + ' '.repeat(PEM_BYTES_MAX - Buffer.byteLength(pem));
    assert.equal((await parseRequest(padded)).peer, 'east');
    await assert.rejects(parseRequest(`${padded} `), { code: 'ERR_CERTIFICATE', message: /larger than/ });
  });

  it('one bit of a request turned → ERR_CERTIFICATE, or outside of what is signed the same name and key', async () => {
    const der = derOf(await requestWith());
    const { publicKey } = await parseRequest(pemOf(der));
    await fc.assert(
      fc.asyncProperty(fc.nat(der.length - 1), fc.nat(7), async (at, bit) => {
        const turned = Buffer.from(der);
        turned[at] = (turned[at] ?? 0) ^ (1 << bit);
        const read = await parseRequest(pemOf(turned)).catch((error: unknown) => error as { code: string });
        if ('code' in read) assert.equal(read.code, 'ERR_CERTIFICATE');
        else assert.deepEqual([read.peer, read.publicKey.rawData], ['east', publicKey.rawData]);
      }),
      { numRuns: 200 },
    );
  });
});
