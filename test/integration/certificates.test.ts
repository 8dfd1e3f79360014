import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFabric } from '#src/fabric/authority.ts';
import { createFabricFiles, createPeerCertFiles, loadIdentity } from '#src/fabric/files.ts';
import { createRequest } from '#src/fabric/request.ts';
import { signRequest } from '#src/fabric/sign.ts';

const DAY_MS = 86_400_000;

function openssl(...parameters: string[]): string {
  return execFileSync('openssl', parameters, { encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'pipe', 'pipe'] });
}

describe('certificate files', () => {
  let path: string;
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'mcs-certificates-'));
  });
  afterEach(async () => {
    await rm(path, { recursive: true, force: true });
  });
  const modeOf = async (file: string): Promise<string> => ((await stat(file)).mode & 0o777).toString(8);

  it('createFabricFiles and createPeerCertFiles → ClusterLink’s layout, keys for their owner only', async () => {
    const fabric = await createFabricFiles({ path, fabric: 'acme' });
    const peer = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    assert.equal(fabric.cert, join(path, 'acme', 'cert.pem'));
    assert.equal(peer.key, join(path, 'acme', 'east', 'key.pem'));
    assert.deepEqual((await readdir(join(path, 'acme'))).sort(), ['cert.pem', 'east', 'issued.txt', 'key.pem']);
    assert.deepEqual((await readdir(join(path, 'acme', 'east'))).sort(), ['ca.pem', 'cert.pem', 'key.pem']);
    assert.deepEqual(await Promise.all([fabric.key, peer.key].map(modeOf)), ['600', '600']);
    assert.equal((await readFile(peer.cert, 'utf8')).match(/BEGIN CERTIFICATE/g)?.length, 2, 'leaf and issuer');
    assert.equal(await readFile(peer.ca, 'utf8'), await readFile(fabric.cert, 'utf8'));
  });

  it('openssl verify -x509_strict → the chain is good for both purposes', async () => {
    const fabric = await createFabricFiles({ path, fabric: 'acme' });
    const peer = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    for (const purpose of ['sslserver', 'sslclient']) {
      assert.match(openssl('verify', '-x509_strict', '-purpose', purpose, '-CAfile', fabric.cert, peer.cert), /: OK/);
    }
    assert.match(
      openssl('verify', '-x509_strict', '-CAfile', fabric.cert, '-verify_hostname', 'east', peer.cert),
      /: OK/,
    );
    const text = openssl('x509', '-in', fabric.cert, '-noout', '-text');
    assert.match(text, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    assert.match(text, /Key Usage: critical\s+Certificate Sign, CRL Sign\s/);
  });

  it('an RSA fabric in PKCS#1, made by openssl as ClusterLink’s CLI would → peers of ours under it', async () => {
    const directory = join(path, 'default_fabric');
    await mkdir(directory);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = join(directory, 'key.pem');
    await writeFile(key, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
    const cert = join(directory, 'cert.pem');
    openssl(
      'req',
      '-x509',
      '-key',
      key,
      '-out',
      cert,
      '-days',
      '3650',
      '-subj',
      '/CN=default_fabric',
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    );
    const peer = await createPeerCertFiles({ path, fabric: 'default_fabric', peer: 'east' });
    assert.match(openssl('verify', '-x509_strict', '-CAfile', cert, peer.cert), /: OK/);
    assert.equal((await loadIdentity(peer)).peer, 'east');
  });

  it('a folder that exists, even empty or a link → ERR_ALREADY_EXISTS, and nothing is changed', async () => {
    const fabric = await createFabricFiles({ path, fabric: 'acme' });
    const before = await readFile(fabric.key, 'utf8');
    await assert.rejects(createFabricFiles({ path, fabric: 'acme' }), {
      code: 'ERR_ALREADY_EXISTS',
      fix: /choose another/,
    });
    assert.equal(await readFile(fabric.key, 'utf8'), before);
    await mkdir(join(path, 'empty'));
    await assert.rejects(createFabricFiles({ path, fabric: 'empty' }), { code: 'ERR_ALREADY_EXISTS' });
    await symlink(join(path, 'nowhere'), join(path, 'link'));
    await assert.rejects(createFabricFiles({ path, fabric: 'link' }), { code: 'ERR_ALREADY_EXISTS' });
    await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    await assert.rejects(createPeerCertFiles({ path, fabric: 'acme', peer: 'east' }), { code: 'ERR_ALREADY_EXISTS' });
    assert.deepEqual((await readdir(path)).sort(), ['acme', 'empty', 'link']);
  });

  it('a peer of a fabric that is not there → ERR_NOT_FOUND that names the command', async () => {
    const made = createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    await assert.rejects(made, { code: 'ERR_NOT_FOUND', fix: /create fabric --name acme/ });
  });

  it('names that would leave the folder → ERR_USAGE', async () => {
    await assert.rejects(createFabricFiles({ path, fabric: '../x' }), { code: 'ERR_USAGE' });
    await assert.rejects(createPeerCertFiles({ path, fabric: '..', peer: 'east' }), { code: 'ERR_USAGE' });
    await assert.rejects(createPeerCertFiles({ path, fabric: 'acme', peer: '../x' }), { code: 'ERR_USAGE' });
  });

  it('a fabric key that its group can read → ERR_KEY_PERMISSIONS, no certificate', async () => {
    const fabric = await createFabricFiles({ path, fabric: 'acme' });
    await chmod(fabric.key, 0o640);
    const made = createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    await assert.rejects(made, { code: 'ERR_KEY_PERMISSIONS', fix: `chmod 600 ${fabric.key}` });
    assert.deepEqual((await readdir(join(path, 'acme'))).sort(), ['cert.pem', 'key.pem']);
  });
});

describe('loadIdentity', () => {
  let path: string;
  let files: { ca: string; cert: string; key: string };
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'mcs-identity-'));
    await createFabricFiles({ path, fabric: 'acme' });
    const { ca, cert, key } = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    files = { ca, cert, key };
  });
  afterEach(async () => {
    await rm(path, { recursive: true, force: true });
  });

  it('good files → the peer, its PEMs and when it expires', async () => {
    const identity = await loadIdentity({ ...files, peer: 'east' });
    assert.equal(identity.peer, 'east');
    assert.equal(identity.certPem, await readFile(files.cert, 'utf8'));
    assert.equal(identity.notAfter.getTime(), new X509Certificate(identity.certPem).validToDate.getTime());
  });

  it('a certificate of another peer → ERR_CERTIFICATE that names both', async () => {
    await assert.rejects(loadIdentity({ ...files, peer: 'west' }), {
      code: 'ERR_CERTIFICATE',
      message: `${files.cert}: is the certificate of peer east, not of west`,
      fix: /peer: east/,
    });
  });

  it('a key of another owner: readable by the group → taken, as a mounted Secret is; by everybody → refused', async function () {
    // Only root can give a file away; as somebody else this is a named skip.
    if (process.getuid?.() !== 0) return this.skip();
    await chown(files.key, 65_532, 65_532);
    await chmod(files.key, 0o440);
    assert.equal((await loadIdentity(files)).peer, 'east');
    await chmod(files.key, 0o444);
    await assert.rejects(loadIdentity(files), { code: 'ERR_KEY_PERMISSIONS' });
  });

  for (const mode of [0o640, 0o604, 0o620, 0o610, 0o644]) {
    it(`key file with mode ${mode.toString(8)} → ERR_KEY_PERMISSIONS with the remedy`, async () => {
      await chmod(files.key, mode);
      await assert.rejects(loadIdentity(files), { code: 'ERR_KEY_PERMISSIONS', fix: `chmod 600 ${files.key}` });
    });
  }
  it('key file with mode 400 → accepted', async () => {
    await chmod(files.key, 0o400);
    assert.equal((await loadIdentity(files)).peer, 'east');
  });

  it('the key of another peer → ERR_CERTIFICATE that names both files', async () => {
    const west = await createPeerCertFiles({ path, fabric: 'acme', peer: 'west' });
    const loaded = loadIdentity({ ...files, key: west.key });
    await assert.rejects(loaded, {
      code: 'ERR_CERTIFICATE',
      message: `${files.cert}: does not belong to the key in ${west.key}`,
    });
  });

  it('a foreign CA, also one of the same name → ERR_CERTIFICATE', async () => {
    await createFabricFiles({ path: join(path, 'elsewhere'), fabric: 'acme' });
    const ca = join(path, 'elsewhere', 'acme', 'cert.pem');
    await assert.rejects(loadIdentity({ ...files, ca }), {
      code: 'ERR_CERTIFICATE',
      message: /is not signed by the CA in/,
    });
  });

  it('one of two roots in the CA file has signed it → accepted', async () => {
    const other = await createFabric({ name: 'other' });
    await writeFile(files.ca, other.certPem + (await readFile(files.ca, 'utf8')));
    assert.equal((await loadIdentity(files)).peer, 'east');
  });

  it('17 certificates in the CA file → ERR_BOUND_EXCEEDED, 16 → accepted', async () => {
    const root = await readFile(files.ca, 'utf8');
    await writeFile(files.ca, root.repeat(16));
    assert.equal((await loadIdentity(files)).peer, 'east');
    await writeFile(files.ca, root.repeat(17));
    await assert.rejects(loadIdentity(files), { code: 'ERR_BOUND_EXCEEDED' });
  });

  it('expired, and not yet valid → ERR_CERTIFICATE that names the file and the date', async () => {
    const later = new Date(Date.now() + 366 * DAY_MS);
    await assert.rejects(loadIdentity({ ...files, now: later }), {
      code: 'ERR_CERTIFICATE',
      message: /cert\.pem: has expired on 20/,
    });
    const sooner = new Date(Date.now() - DAY_MS);
    await assert.rejects(loadIdentity({ ...files, now: sooner }), {
      code: 'ERR_CERTIFICATE',
      message: /not valid before 20/,
      fix: /clock/,
    });
  });

  it('a leaf that was signed in the past and has run out → ERR_CERTIFICATE', async () => {
    const past = new Date(Date.now() - 3 * DAY_MS);
    const fabric = await createFabric({ name: 'old', now: past });
    const { csrPem, keyPem } = await createRequest({ peer: 'east' });
    const leaf = await signRequest({ caCertPem: fabric.certPem, caKeyPem: fabric.keyPem, csrPem, days: 1, now: past });
    await Promise.all([writeFile(files.ca, fabric.certPem), writeFile(files.cert, leaf), writeFile(files.key, keyPem)]);
    await assert.rejects(loadIdentity(files), { code: 'ERR_CERTIFICATE', message: /has expired/ });
  });

  const leaves: readonly (readonly [string, string[], RegExp])[] = [
    ['two names', ['subjectAltName=DNS:east,DNS:west'], /2 DNS names/],
    ['no name but the common name', [], /0 DNS names/],
    ['a wildcard', ['subjectAltName=DNS:*'], /not an RFC 1123 label/],
    ['capitals', ['subjectAltName=DNS:East'], /not an RFC 1123 label/],
    ['only serverAuth', ['subjectAltName=DNS:east', 'extendedKeyUsage=serverAuth'], /clientAuth/],
  ];
  for (const [title, extensions, message] of leaves) {
    it(`a leaf with ${title}, made by openssl → ERR_CERTIFICATE`, async () => {
      const addext = extensions.flatMap((extension) => ['-addext', extension]);
      const authority = ['-CA', join(path, 'acme', 'cert.pem'), '-CAkey', join(path, 'acme', 'key.pem')];
      openssl(
        'req',
        '-x509',
        '-new',
        '-key',
        files.key,
        ...authority,
        '-out',
        files.cert,
        '-days',
        '1',
        '-subj',
        '/CN=east',
        ...addext,
      );
      await assert.rejects(loadIdentity(files), { code: 'ERR_CERTIFICATE', message });
    });
  }

  it('a key that TLS itself does not take, as RSA of 1024 bits → ERR_CERTIFICATE, before anybody calls', async () => {
    const authority = ['-CA', join(path, 'acme', 'cert.pem'), '-CAkey', join(path, 'acme', 'key.pem')];
    const request = ['-newkey', 'rsa:1024', '-nodes', '-keyout', files.key, '-subj', '/', '-days', '1'];
    openssl('req', '-x509', ...request, ...authority, '-out', files.cert, '-addext', 'subjectAltName=DNS:east');
    await chmod(files.key, 0o600);
    await assert.rejects(loadIdentity(files), {
      code: 'ERR_CERTIFICATE',
      message: /cert\.pem: cannot be used for TLS/,
    });
  });

  it('a CA beside the right one whose public key cannot be read → ERR_CERTIFICATE, before it is asked to vouch', async () => {
    const ca = await readFile(files.ca, 'utf8');
    const { raw } = new X509Certificate(ca);
    // id-ecPublicKey (RFC 5480 §2.1.1) becomes an algorithm that nobody knows.
    const at = raw.indexOf(Buffer.from('06072a8648ce3d0201', 'hex'));
    const unknown = Buffer.from(raw).fill(0x09, at + 8, at + 9);
    const pem = `-----BEGIN CERTIFICATE-----\n${unknown.toString('base64')}\n-----END CERTIFICATE-----\n`;
    await writeFile(files.ca, ca + pem);
    await assert.rejects(loadIdentity(files), { code: 'ERR_CERTIFICATE', message: /ca\.pem: .*public key/ });
  });

  it('missing, empty, foreign or huge files → an error that names the file', async () => {
    const other = join(path, 'other.pem');
    await assert.rejects(loadIdentity({ ...files, ca: other }), { code: 'ERR_NOT_FOUND', message: /other\.pem/ });
    await assert.rejects(loadIdentity({ ...files, key: path }), { code: 'ERR_CERTIFICATE' });
    await writeFile(other, '', { mode: 0o600 });
    for (const file of ['ca', 'cert', 'key']) {
      await assert.rejects(loadIdentity({ ...files, [file]: other }), {
        code: 'ERR_CERTIFICATE',
        message: /other\.pem/,
      });
    }
    await writeFile(other, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    await assert.rejects(loadIdentity({ ...files, ca: other }), { code: 'ERR_CERTIFICATE', message: /other\.pem/ });
    await writeFile(other, 'x'.repeat(64 * 1024 + 1));
    await assert.rejects(loadIdentity({ ...files, ca: other }), { code: 'ERR_BOUND_EXCEEDED', message: /other\.pem/ });
  });
});
