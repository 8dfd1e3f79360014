/** Certificates, keys and roots that are replaced: as files, and under running data planes over real TLS. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFabricFiles, createPeerCertFiles, loadIdentity, type PeerIdentity } from '#src/fabric/files.ts';
import { followIdentity, type FollowedIdentity } from '#src/fabric/follow-identity.ts';
import type { IdentityFiles } from '#src/fabric/peer-identity.ts';
import { renewPeerCertFiles } from '#src/fabric/renew.ts';
import { createRequestFiles, signRequestFile } from '#src/fabric/request-files.ts';
import { openYamux } from '#src/gateway/yamux/session.ts';
import { dialAs, helloLine } from '#test/support/hostile.ts';
import { allowAll, startTestPlane, type TestPlane } from '#test/support/planes.ts';
import { makeWorld } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

const DAY_MS = 86_400_000;
const LOOK_MS = 20;
const VIP = '127.99.2.1';

function openssl(...parameters: string[]): string {
  return execFileSync('openssl', parameters, { encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'pipe', 'pipe'] });
}

function serialOf(pem: string): string {
  return new X509Certificate(pem).serialNumber;
}

describe('certificates that are requested, signed and renewed', () => {
  let path: string;
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'mcs-renewal-'));
    await createFabricFiles({ path, fabric: 'acme' });
  });
  afterEach(() => rm(path, { recursive: true, force: true }));
  const modeOf = async (file: string): Promise<string> => ((await stat(file)).mode & 0o777).toString(8);

  it('request and sign, each where its key is → a good identity; openssl agrees with both', async () => {
    const out = join(path, 'elsewhere');
    const asked = await createRequestFiles({ peer: 'east', out });
    assert.equal(await modeOf(asked.key ?? ''), '600');
    assert.deepEqual((await readdir(join(out, 'east'))).sort(), ['key.pem', 'request.pem']);
    assert.match(openssl('req', '-in', asked.request, '-noout', '-verify', '-text'), /DNS:east/);
    assert.doesNotMatch(await readFile(asked.request, 'utf8'), /PRIVATE/);
    const signed = await signRequestFile({ request: asked.request, path, fabric: 'acme', peer: 'east', days: 10 });
    assert.equal(signed.fingerprint, asked.fingerprint);
    assert.equal(Math.round((signed.notAfter.getTime() - Date.now()) / DAY_MS), 10);
    assert.match(openssl('verify', '-x509_strict', '-CAfile', signed.ca, signed.cert), /: OK/);
    assert.equal((await loadIdentity({ ...signed, key: asked.key ?? '' })).peer, 'east');
    await assert.rejects(createRequestFiles({ peer: 'east', out }), { code: 'ERR_ALREADY_EXISTS' });
  });

  it('the request of another peer, or a dry run → nothing is written', async () => {
    const { request } = await createRequestFiles({ peer: 'east', out: path });
    const signed = signRequestFile({ request, path, fabric: 'acme', peer: 'west' });
    await assert.rejects(signed, { code: 'ERR_CERTIFICATE', message: /request of peer east, not of west/ });
    await signRequestFile({ request, path, fabric: 'acme', mode: 'dry-run' });
    assert.deepEqual((await readdir(join(path, 'east'))).sort(), ['key.pem', 'request.pem']);
  });

  it('a certificate for another key is there → ERR_ALREADY_EXISTS; for the same key → replaced', async () => {
    const east = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    const other = await createRequestFiles({ peer: 'east', out: join(path, 'other') });
    const signed = signRequestFile({ request: other.request, path, fabric: 'acme', out: east.directory });
    await assert.rejects(signed, { code: 'ERR_ALREADY_EXISTS', message: /for another key/ });
    const again = await createRequestFiles({ peer: 'east', out: path, key: east.key });
    assert.equal(again.key, undefined);
    const before = await readFile(east.cert, 'utf8');
    await signRequestFile({ request: again.request, path, fabric: 'acme' });
    assert.notEqual(serialOf(await readFile(east.cert, 'utf8')), serialOf(before));
    assert.equal((await loadIdentity(east)).peer, 'east');
  });

  it('signed under another root → both roots are in ca.pem, once each', async () => {
    const east = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    await createFabricFiles({ path, fabric: 'next' });
    const { request } = await createRequestFiles({ peer: 'east', out: path, key: east.key });
    for (let time = 0; time < 2; time++) await signRequestFile({ request, path, fabric: 'next' });
    assert.equal((await readFile(east.ca, 'utf8')).match(/BEGIN CERTIFICATE/g)?.length, 2);
    assert.equal((await loadIdentity(east)).peer, 'east');
  });

  for (const key of ['same', 'new'] as const) {
    it(`renewal for ${key === 'same' ? 'the same' : 'a new'} key → at every moment the files that are read belong together`, async () => {
      const east = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
      const before = await loadIdentity(east);
      let isOver = false;
      const reads: Promise<number> = (async () => {
        let count = 0;
        for (; !isOver; count++) {
          // Each file on its own: what is read in between is what a renewal must allow for. The certificate comes last.
          const { keyPem, certPem } = await loadIdentity(east);
          assert.ok(new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem)));
        }
        return count;
      })();
      await renewPeerCertFiles({ path, fabric: 'acme', peer: 'east', key });
      isOver = true;
      assert.ok((await reads) > 0);
      const after = await loadIdentity(east);
      assert.notEqual(serialOf(after.certPem), serialOf(before.certPem));
      assert.equal(after.keyPem === before.keyPem, key === 'same');
      assert.deepEqual((await readdir(east.directory)).sort(), ['ca.pem', 'cert.pem', 'key.pem']);
      assert.equal(await modeOf(east.key), '600');
      assert.match(openssl('verify', '-x509_strict', '-CAfile', east.ca, east.cert), /: OK/);
    });
  }

  it('a renewal that was killed at any step → the files do, and the next renewal goes through', async () => {
    const east = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    const [oldKey, oldCert] = await Promise.all([east.key, east.cert].map((file) => readFile(file, 'utf8')));
    await renewPeerCertFiles({ path, fabric: 'acme', peer: 'east', key: 'new' });
    const [newKey, newCert] = await Promise.all([east.key, east.cert].map((file) => readFile(file, 'utf8')));
    const both = `${oldKey ?? ''}${newKey ?? ''}`;
    for (const [keyPem, certPem] of [
      [both, oldCert],
      [both, newCert],
    ]) {
      await Promise.all([writeFile(east.key, keyPem ?? ''), writeFile(east.cert, certPem ?? '')]);
      assert.equal((await loadIdentity(east)).certPem, certPem);
      await renewPeerCertFiles({ path, fabric: 'acme', peer: 'east', key: 'same' });
      assert.equal((await loadIdentity(east)).peer, 'east');
    }
    await mkdir(join(east.directory, '.clusterlink-mcs-renewal'));
    const renewed = renewPeerCertFiles({ path, fabric: 'acme', peer: 'east', key: 'same' });
    await assert.rejects(renewed, { code: 'ERR_ALREADY_EXISTS', fix: /remove that folder/ });
  });

  it('a key of another certificate, a peer that is not there, three keys → refused, nothing changes', async () => {
    const east = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    const west = await createPeerCertFiles({ path, fabric: 'acme', peer: 'west' });
    const nobody = renewPeerCertFiles({ path, fabric: 'acme', peer: 'north', key: 'same' });
    await assert.rejects(nobody, { code: 'ERR_NOT_FOUND', fix: /sign cert/ });
    const before = await readFile(east.cert, 'utf8');
    await copyFile(west.key, east.key);
    await chmod(east.key, 0o600);
    const foreign = renewPeerCertFiles({ path, fabric: 'acme', peer: 'east', key: 'new' });
    await assert.rejects(foreign, { code: 'ERR_CERTIFICATE', message: /does not belong to the key/ });
    await writeFile(east.key, (await readFile(west.key, 'utf8')).repeat(3));
    await assert.rejects(loadIdentity(east), { code: 'ERR_BOUND_EXCEEDED' });
    assert.equal(await readFile(east.cert, 'utf8'), before);
  });
});

describe('an identity that is followed', () => {
  let path: string;
  let east: IdentityFiles & { readonly directory: string };
  let problems: string[];
  let mended: number;
  let followed: FollowedIdentity;
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'mcs-follow-'));
    await createFabricFiles({ path, fabric: 'acme' });
    east = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    problems = [];
    mended = 0;
    followed = await follow(east);
  });
  afterEach(async () => {
    followed.close();
    await rm(path, { recursive: true, force: true });
  });

  async function follow(files: IdentityFiles): Promise<FollowedIdentity> {
    return followIdentity({
      files: { ca: files.ca, cert: files.cert, key: files.key, peer: 'east' },
      first: await loadIdentity(files),
      onChange: () => undefined,
      onProblem: ({ message, fix }) => problems.push(`${message} | ${fix ?? ''}`),
      onMended: () => mended++,
      lookMs: LOOK_MS,
    });
  }
  const inForce = (): string => serialOf(followed.current().certPem);

  it('renewed, with the same key and a new one → in force, without a word of a problem', async () => {
    for (const key of ['same', 'new'] as const) {
      const before = inForce();
      await renewPeerCertFiles({ path, fabric: 'acme', peer: 'east', key });
      await waitFor('the new certificate is in force', () => inForce() !== before);
    }
    assert.deepEqual(problems, []);
    assert.deepEqual(followed.current(), await loadIdentity(east));
  });

  it('files behind a symbolic link that is swapped, as the kubelet does → in force', async () => {
    const mount = join(path, 'mount');
    await mkdir(mount);
    await symlink(east.directory, join(mount, 'now'));
    const files = {
      ca: join(mount, 'now', 'ca.pem'),
      cert: join(mount, 'now', 'cert.pem'),
      key: join(mount, 'now', 'key.pem'),
    };
    followed.close();
    followed = await follow(files);
    const before = inForce();
    const { request } = await createRequestFiles({ peer: 'east', out: join(path, 'new') });
    await signRequestFile({ request, path, fabric: 'acme' });
    await symlink(join(path, 'new', 'east'), join(mount, 'next'));
    await rename(join(mount, 'next'), join(mount, 'now'));
    await waitFor('the new pair is in force', () => inForce() !== before);
    assert.deepEqual(problems, []);
  });

  const broken: readonly (readonly [string, () => Promise<void>, RegExp])[] = [
    [
      'a certificate cut in half',
      async () => writeFile(east.cert, (await readFile(east.cert, 'utf8')).slice(0, 300)),
      /cert\.pem: has no certificate in PEM \| /,
    ],
    [
      'a key that is not that of the certificate',
      async () => copyFile((await createPeerCertFiles({ path, fabric: 'acme', peer: 'west' })).key, east.key),
      /cert\.pem: does not belong to the key in .*key\.pem \| give the cert\.pem and key\.pem of one folder/,
    ],
    ['a key that others can read', () => chmod(east.key, 0o644), /key\.pem: others .* \| chmod 600/],
    ['a CA file that is gone', () => rm(east.ca), /ca\.pem: there is no such file \| /],
    [
      'a CA that did not sign it',
      () => createFabricFiles({ path, fabric: 'other' }).then(({ cert }) => copyFile(cert, east.ca)),
      /not signed by the CA in/,
    ],
  ];
  for (const [title, damage, message] of broken) {
    it(`${title} → the old identity stays, one warning with file and remedy; mended → said once`, async () => {
      const before = followed.current();
      const texts = await Promise.all([east.ca, east.cert, east.key].map((file) => readFile(file, 'utf8')));
      await damage();
      await waitFor('there is a warning', () => problems.length > 0);
      // Nothing can be waited for: that nothing more is said is the point.
      await sleep(10 * LOOK_MS);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', message);
      assert.equal(followed.current(), before);
      for (const [index, file] of [east.ca, east.cert, east.key].entries()) await writeFile(file, texts[index] ?? '');
      await chmod(east.key, 0o600);
      await waitFor('it is in order again', () => mended === 1);
      assert.equal(serialOf(followed.current().certPem), serialOf(before.certPem));
    });
  }
});

describe('a running peer whose certificate is replaced', function () {
  this.timeout(60_000);

  it('renewed → in force within 10 s, said in status, log and metric; then broken → as it was, one warning', async () => {
    const world = await makeWorld();
    try {
      const east = await world.peer('east');
      const expiresMs = async (): Promise<number> => Date.parse((await east.status()).certificateExpires);
      const metric = async (): Promise<number> => {
        const text = await (await fetch(`http://127.0.0.1:${east.metricsPort}/metrics`)).text();
        return Number(/^clusterlink_mcs_certificate_expiry_seconds (\S+)$/m.exec(text)?.[1]);
      };
      const inDays = (ms: number): number => Math.round((ms - Date.now()) / DAY_MS);
      assert.equal(inDays(await expiresMs()), 365);
      await renewPeerCertFiles({ path: world.root, fabric: 'fabric', peer: 'east', days: 30, key: 'new' });
      await waitFor('the new certificate is in force', async () => inDays(await expiresMs()) === 30, 10_000);
      assert.equal(Math.round((await metric()) / 86_400), 30);
      assert.match(east.log(), /were replaced/);
      const cert = join(world.root, 'fabric', 'east', 'cert.pem');
      await writeFile(cert, (await readFile(cert, 'utf8')).slice(0, 100));
      await waitFor('there is a warning', () => /stay as they were/.test(east.log()), 10_000);
      assert.match(east.log(), /cert\.pem: has no certificate in PEM\. Fix: /);
      assert.equal(Math.round((await metric()) / 86_400), 30);
      assert.equal(east.log().match(/stay as they were/g)?.length, 1);
    } finally {
      await world.close();
    }
  });
});

describe('gateways whose certificates are replaced', function () {
  this.timeout(30_000);
  let path: string;
  const open: { close(): unknown }[] = [];
  const identities = new Map<string, PeerIdentity>();

  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'mcs-rotation-'));
    await createFabricFiles({ path, fabric: 'acme' });
    for (const peer of ['east', 'west']) {
      identities.set(peer, await loadIdentity(await createPeerCertFiles({ path, fabric: 'acme', peer })));
    }
  });
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
    await rm(path, { recursive: true, force: true });
  });

  const filesOf = (peer: string): IdentityFiles => {
    const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((file) => join(path, 'acme', peer, file));
    return { ca: ca ?? '', cert: cert ?? '', key: key ?? '', peer };
  };
  function identityOf(peer: string): PeerIdentity {
    const identity = identities.get(peer);
    assert.ok(identity !== undefined);
    return identity;
  }
  /** What `run` does when the files have changed. */
  async function reload(plane: TestPlane): Promise<void> {
    identities.set(plane.name, await loadIdentity(filesOf(plane.name)));
    plane.post({ kind: 'identity-changed' });
  }
  async function startEcho(): Promise<number> {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push({
      close() {
        sockets.forEach((socket) => socket.destroy());
        server.close();
      },
    });
    return (server.address() as AddressInfo).port;
  }
  /** East exports to west; only west dials. */
  async function linked(): Promise<{ east: TestPlane; west: TestPlane; port: number }> {
    const start = async (name: string, listen?: 'no'): Promise<TestPlane> => {
      const identity = (): PeerIdentity => identityOf(name);
      const fabric = { identity: (peer: string) => Promise.resolve(identityOf(peer)) };
      const plane = await startTestPlane({ fabric, identity, name, ...(listen === undefined ? {} : { listen }) });
      open.push(plane);
      return plane;
    };
    const [east, west, service] = [await start('east'), await start('west', 'no'), await startEcho()];
    const peer = { labels: {}, mayAssert: [] };
    const endpoints = [{ host: '127.0.0.1', port: service }];
    east.apply({
      peers: [{ ...peer, name: 'west', gateways: [] }],
      exports: [
        {
          namespace: 'shop',
          name: 'db',
          uid: 'u',
          labels: {},
          ports: [{ name: '', protocol: 'TCP', port: 5432, endpoints }],
        },
      ],
      policies: allowAll('shop'),
    });
    west.apply({
      peers: [{ ...peer, name: 'east', gateways: [{ host: '127.0.0.1', port: east.port }] }],
      imports: [
        {
          key: { namespace: 'store', name: 'db' },
          ips: [VIP],
          ports: [{ name: '', protocol: 'TCP', port: 5432 }],
          sources: [{ peer: 'east', namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 }],
          labels: {},
          localFirst: true,
        },
      ],
      policies: allowAll('store'),
    });
    const listener = await waitFor('west listens', () =>
      west.imports.get('store/db')?.listeners.find(({ state }) => state !== 'Failed' && state !== 'Closed'),
    );
    return { east, west, port: listener.listenPort ?? 5432 };
  }
  /** Sends a byte and waits for it. */
  function talk(socket: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.once('data', () => resolve());
      socket.once('close', () => reject(new Error('closed')));
      socket.write('x');
    });
  }
  async function openConnection(port: number): Promise<Socket> {
    const socket = connect({ port, host: VIP });
    socket.on('error', () => undefined);
    open.push({ close: () => socket.destroy() });
    await talk(socket);
    return socket;
  }

  it('renewal under 50 open connections and a new one each 10 ms → none is dropped, none refused', async () => {
    const { east, west, port } = await linked();
    const tunnels = await Promise.all(Array.from({ length: 50 }, () => openConnection(port)));
    let isOver = false;
    let count = 0;
    const stream = (async () => {
      for (; !isOver; count++) {
        (await openConnection(port)).end();
        await sleep(10);
      }
    })();
    for (const [index, plane] of [east, west, east, west].entries()) {
      await renewPeerCertFiles({ path, fabric: 'acme', peer: plane.name, key: index < 2 ? 'same' : 'new' });
      await reload(plane);
      const until = count + 10;
      await waitFor('new connections pass', () => count > until);
    }
    isOver = true;
    await stream;
    await Promise.all(tunnels.map(talk));
    assert.deepEqual([...east.refusals, ...west.refusals], []);
    assert.deepEqual(
      [...east.closings, ...west.closings].filter(({ reason }) => reason !== 'DONE'),
      [],
    );
  });

  it('renewed between the handshake of a caller and its hello → its session, which shows the old one, is replaced too', async () => {
    const { east } = await linked();
    const socket = await dialAs(identityOf('west'), { name: 'east', port: east.port });
    await renewPeerCertFiles({ path, fabric: 'acme', peer: 'east', key: 'same' });
    await reload(east);
    const yamux = openYamux({
      ...{ socket, role: 'dialler', streamsMax: 10 },
      onStream: (stream) => stream.reset(),
      onClose: () => undefined,
    });
    open.push({ close: () => yamux.destroy() });
    const control = yamux.openStream();
    let heard = '';
    control.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    control.write(helloLine('west', 'late'));
    await waitFor('it is told to make another one', () => heard.includes('"drain"'));
  });

  it('two roots → old and new certificates are taken; without the old root → its sessions end, with a reason', async () => {
    const { east, west, port } = await linked();
    const socket = await openConnection(port);
    const next = await createFabricFiles({ path, fabric: 'next' });
    const newRoot = await readFile(next.cert, 'utf8');
    for (const plane of [east, west]) {
      const { ca } = filesOf(plane.name);
      await writeFile(ca, (await readFile(ca, 'utf8')) + newRoot);
      await reload(plane);
    }
    await talk(socket);
    // East shows the new one from now on, west still the old one.
    const request = await createRequestFiles({ peer: 'east', out: path, key: filesOf('east').key });
    await signRequestFile({ request: request.request, path, fabric: 'next' });
    await reload(east);
    await talk(socket);
    (await openConnection(port)).end();
    // Without the old root at east: the session of west's old certificate ends, and west is turned away.
    await writeFile(filesOf('east').ca, newRoot);
    const ended = new Promise((resolve) => socket.once('close', resolve));
    await reload(east);
    await ended;
    const told = await waitFor('east says why', () => east.peers.get('west')?.reason);
    assert.equal(told, 'PEER_ROOT_MISMATCH');
    const cut = await waitFor('there is a closing record', () =>
      east.closings.find(({ reason }) => reason === 'PEER_ROOT_MISMATCH'),
    );
    assert.match(cut.message, /its certificate is not signed by a CA that is in fabric\.ca/);
    await waitFor('west is turned away', () => east.refusals.some((line) => line.startsWith('PEER_ROOT_MISMATCH')));
    // West's certificate under the new root: it is back.
    const late = await createRequestFiles({ peer: 'west', out: path, key: filesOf('west').key });
    await signRequestFile({ request: late.request, path, fabric: 'next' });
    await reload(west);
    await waitFor('west has a session', () => (east.peers.get('west')?.sessions ?? 0) > 0);
  });
});
