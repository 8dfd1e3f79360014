/** Fabrics and certificates as files that both CLIs use: what ClusterLink's has written is read here, and the other way round. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createFabricFiles, createPeerCertFiles, loadIdentity } from '#src/fabric/files.ts';
import { typeOfKey } from '#src/fabric/keys.ts';
import { renewPeerCertFiles } from '#src/fabric/renew.ts';
import { createRequestFiles, signRequestFile } from '#src/fabric/request-files.ts';
import { readList, splitLists } from '#src/fabric/revocation.ts';
import { toSerial } from '#src/fabric/revoked-serials.ts';
import { revokePeer } from '#src/fabric/revoke.ts';
import { callAdmin } from '#src/runtime/admin.ts';
import { freePort, MAIN } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

const FABRIC = 'default_fabric';
/** Theirs are RSA 4096, and ten years. */
const THEIR_BITS = '4096';
const THEIR_DAYS = '3650';

function openssl(...parameters: string[]): string {
  return execFileSync('openssl', parameters, { encoding: 'utf8', timeout: 30_000, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** As ClusterLink's CLI leaves it (reference §6.1, §6.2): PKCS#1 keys, no ca.pem beside the leaf, a leaf without KeyUsage. */
async function writeTheirFiles(path: string, peer: string): Promise<void> {
  const fabric = join(path, FABRIC);
  const folder = join(fabric, peer);
  await mkdir(folder, { recursive: true });
  const at = (...names: string[]): string => join(fabric, ...names);
  for (const key of [at('key.pem'), at(peer, 'key.pem')]) {
    openssl('genrsa', '-traditional', '-out', key, THEIR_BITS);
  }
  const ofAuthority = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
  openssl(
    ...['req', '-x509', '-new', '-sha256', '-key', at('key.pem'), '-out', at('cert.pem')],
    ...['-days', THEIR_DAYS, '-subj', `/CN=${FABRIC}`, ...ofAuthority],
  );
  const [request, extensions, leaf] = [join(path, 'csr.pem'), join(path, 'extensions'), join(path, 'leaf.pem')];
  openssl('req', '-new', '-key', at(peer, 'key.pem'), '-out', request, '-subj', `/CN=${peer}`);
  await writeFile(extensions, `subjectAltName=DNS:${peer}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  openssl(
    ...['x509', '-req', '-sha256', '-in', request, '-CA', at('cert.pem'), '-CAkey', at('key.pem'), '-set_serial'],
    ...['4611686018427387905', '-out', leaf, '-days', THEIR_DAYS, '-extfile', extensions],
  );
  await writeFile(at(peer, 'cert.pem'), (await readFile(leaf, 'utf8')) + (await readFile(at('cert.pem'), 'utf8')), {
    mode: 0o600,
  });
}

describe('files of ClusterLink’s CLI (RSA 4096, PKCS#1, leaf without KeyUsage, no ca.pem)', function () {
  // Two keys of 4096 bits: a second or several.
  this.timeout(60_000);
  let path: string;
  before(async () => {
    path = await mkdtemp(join(tmpdir(), 'mcs-their-files-'));
    await writeTheirFiles(path, 'east');
  });
  after(() => rm(path, { recursive: true, force: true }));
  const at = (...names: string[]): string => join(path, FABRIC, ...names);
  const theirs = () => ({ ca: at('cert.pem'), cert: at('east', 'cert.pem'), key: at('east', 'key.pem') });
  const verify = (cert: string): string => openssl('verify', '-CAfile', at('cert.pem'), cert);

  it('loadIdentity → the peer of its DNS name', async () => {
    assert.match(await readFile(at('east', 'key.pem'), 'utf8'), /^-----BEGIN RSA PRIVATE KEY-----/);
    assert.doesNotMatch(openssl('x509', '-in', at('east', 'cert.pem'), '-noout', '-text'), /X509v3 Key Usage/);
    assert.equal((await loadIdentity({ ...theirs(), peer: 'east' })).peer, 'east');
  });

  it('create peer-cert → another peer under their fabric', async () => {
    const west = await createPeerCertFiles({ path, fabric: FABRIC, peer: 'west' });
    assert.match(verify(west.cert), /: OK/);
    assert.equal((await loadIdentity(west)).peer, 'west');
    await assert.rejects(createPeerCertFiles({ path, fabric: FABRIC, peer: 'east' }), { code: 'ERR_ALREADY_EXISTS' });
  });

  it('request cert and sign cert → another peer under their fabric', async () => {
    const { request } = await createRequestFiles({ peer: 'south', out: path });
    const { cert, ca } = await signRequestFile({ request, path, fabric: FABRIC });
    assert.match(verify(cert), /: OK/);
    assert.equal((await loadIdentity({ ca, cert, key: join(path, 'south', 'key.pem') })).peer, 'south');
  });

  it('run → serves with their files', async () => {
    const ended = await runUntilReady(path, theirs());
    assert.equal(ended, 0);
  });

  it('renew cert → for the same key, which stays as it was; --new-key → RSA again, in PKCS#1', async () => {
    const before = await readFile(at('east', 'key.pem'), 'utf8');
    await renewPeerCertFiles({ path, fabric: FABRIC, peer: 'east', key: 'same' });
    assert.equal(await readFile(at('east', 'key.pem'), 'utf8'), before);
    assert.match(verify(at('east', 'cert.pem')), /: OK/);
    await access(at('east', 'ca.pem'));
    await renewPeerCertFiles({ path, fabric: FABRIC, peer: 'east', key: 'new' });
    assert.match(await readFile(at('east', 'key.pem'), 'utf8'), /^-----BEGIN RSA PRIVATE KEY-----[^-]+-----END RSA/);
    assert.equal((await loadIdentity(theirs())).peer, 'east');
  });

  it('renew cert --key-type ecdsa → on P-256, for who has left ClusterLink', async () => {
    await renewPeerCertFiles({ path, fabric: FABRIC, peer: 'east', key: 'new', keyType: 'ecdsa' });
    assert.equal(typeOfKey(createPrivateKey(await readFile(at('east', 'key.pem')))), 'ecdsa');
    assert.match(verify(at('east', 'cert.pem')), /: OK/);
  });

  it('revoke peer → a list signed by their CA, with the certificate on it', async () => {
    const serial = toSerial(new X509Certificate(await readFile(at('east', 'cert.pem'))).serialNumber);
    await revokePeer({ path, fabric: FABRIC, peer: 'east' });
    const [list = ''] = splitLists(await readFile(at('crl.pem'), 'utf8'));
    assert.ok(readList(list).entries.some((entry) => entry.serial === serial));
    const all = join(path, 'all.pem');
    await writeFile(all, (await readFile(at('cert.pem'), 'utf8')) + (await readFile(at('crl.pem'), 'utf8')));
    assert.throws(() => openssl('verify', '-crl_check', '-CAfile', all, at('east', 'cert.pem')), /revoked/);
  });
});

/** @returns the exit code after SIGTERM. */
async function runUntilReady(path: string, fabric: object): Promise<number | null> {
  const folder = join(path, 'run');
  const [manifests, state, config] = [join(folder, 'manifests'), join(folder, 'state'), join(folder, 'peer.yaml')];
  await mkdir(manifests, { recursive: true });
  const [gateway, dns] = [await freePort(), await freePort()];
  await writeFile(
    config,
    stringify({
      peer: 'east',
      fabric,
      gateway: { listen: `127.0.0.1:${gateway}` },
      dns: { listen: `127.0.0.1:${dns}` },
      drainSeconds: 0,
    }),
  );
  const child: ChildProcess = spawn(
    process.execPath,
    [MAIN, 'run', '--store', `dir:${manifests}`, '--state', state, '--config', config],
    { stdio: 'ignore' },
  );
  const exited = once(child, 'exit') as Promise<[number | null]>;
  try {
    await waitFor(
      'the peer is ready',
      async () => {
        if (child.exitCode !== null) return true;
        const path = join(state, 'admin.sock');
        const { missing } = (await callAdmin({ path, method: 'GET', route: '/ready', timeoutMs: 5_000 })) as {
          readonly missing: readonly string[];
        };
        return missing.length === 0;
      },
      30_000,
    );
  } finally {
    if (child.exitCode === null) child.kill('SIGTERM');
  }
  return (await exited)[0];
}

describe('files for ClusterLink’s CLI (--key-type rsa)', () => {
  let path: string;
  before(async () => {
    path = await mkdtemp(join(tmpdir(), 'mcs-for-them-'));
  });
  after(() => rm(path, { recursive: true, force: true }));

  it('create fabric and create peer-cert → RSA 3072 in PKCS#1, leaf and CA in cert.pem, a chain that openssl takes', async () => {
    const fabric = await createFabricFiles({ path, fabric: FABRIC, keyType: 'rsa' });
    const peer = await createPeerCertFiles({ path, fabric: FABRIC, peer: 'east', keyType: 'rsa' });
    for (const { key } of [fabric, peer]) {
      const pem = await readFile(key, 'utf8');
      assert.match(pem, /^-----BEGIN RSA PRIVATE KEY-----[^-]+-----END RSA PRIVATE KEY-----\n$/);
      assert.equal(createPrivateKey(pem).asymmetricKeyDetails?.modulusLength, 3_072);
      assert.match(openssl('rsa', '-in', key, '-check', '-noout'), /RSA key ok/);
    }
    assert.equal((await readFile(peer.cert, 'utf8')).match(/BEGIN CERTIFICATE/g)?.length, 2);
    for (const purpose of ['sslserver', 'sslclient']) {
      assert.match(openssl('verify', '-x509_strict', '-purpose', purpose, '-CAfile', fabric.cert, peer.cert), /: OK/);
    }
    assert.equal((await loadIdentity(peer)).peer, 'east');
  });

  it('request cert → an RSA request that sign cert takes, under an authority on P-256', async () => {
    await createFabricFiles({ path, fabric: 'other' });
    const { request } = await createRequestFiles({ peer: 'south', out: path, keyType: 'rsa' });
    const { cert, ca } = await signRequestFile({ request, path, fabric: 'other' });
    assert.equal((await loadIdentity({ ca, cert, key: join(path, 'south', 'key.pem') })).peer, 'south');
  });
});
