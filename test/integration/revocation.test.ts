/** Trust that is taken back, and that two companies have in each other's roots: files, data planes over real TLS, processes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { findCondition } from '#src/api/conditions.ts';
import type { IImportBinding } from '#src/api/generated/ImportBinding.ts';
import type { IPeer } from '#src/api/generated/Peer.ts';
import { createFabricFiles, createPeerCertFiles, loadIdentity, type PeerIdentity } from '#src/fabric/files.ts';
import { followLists, readLists } from '#src/fabric/follow-lists.ts';
import { readIssued } from '#src/fabric/issued.ts';
import { renewPeerCertFiles } from '#src/fabric/renew.ts';
import { createRequest } from '#src/fabric/request.ts';
import { renewList, revokePeer } from '#src/fabric/revoke.ts';
import { readList, splitLists } from '#src/fabric/revocation.ts';
import { signRequest } from '#src/fabric/sign.ts';
import { toSerial } from '#src/fabric/revoked-serials.ts';
import type { PeerRoute } from '#src/gateway/messages.ts';
import { startTestPlane, type TestPlane } from '#test/support/planes.ts';
import {
  exportManifest,
  makeWorld,
  peerManifest,
  policyManifest,
  ruleManifest,
  type StandalonePeer,
} from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

const DAY_MS = 86_400_000;

function openssl(...parameters: string[]): string {
  return execFileSync('openssl', parameters, { encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function serialIn(file: string): Promise<string> {
  return toSerial(new X509Certificate(await readFile(file)).serialNumber);
}

describe('revocation lists as files', () => {
  let path: string;
  let directory: string;
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'mcs-revocation-'));
    directory = (await createFabricFiles({ path, fabric: 'acme' })).directory;
  });
  afterEach(() => rm(path, { recursive: true, force: true }));
  const listed = async (): Promise<string[]> => {
    const [text = ''] = splitLists(await readFile(join(directory, 'crl.pem'), 'utf8'));
    return readList(text).entries.map(({ serial }) => serial);
  };

  it('every certificate that a peer was given, and no other peer’s → on a list that openssl verifies', async () => {
    const east = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    await createPeerCertFiles({ path, fabric: 'acme', peer: 'west' });
    const first = await serialIn(east.cert);
    await renewPeerCertFiles({ path, fabric: 'acme', peer: 'east', key: 'new' });
    const second = await serialIn(east.cert);
    const { added, file } = await revokePeer({ path, fabric: 'acme', peer: 'east' });
    assert.deepEqual([...added].sort(), [first, second].sort());
    assert.deepEqual((await listed()).sort(), [first, second].sort());
    const text = openssl('crl', '-in', file, '-noout', '-text', '-CAfile', join(directory, 'cert.pem'), '-verify');
    assert.match(text, /Version 2[\s\S]*X509v3 CRL Number/);
    assert.equal(text.match(/Serial Number:/g)?.length, 2);
  });

  it('again, a new certificate of that name, another peer, a new date → nothing is forgotten, numbers grow', async () => {
    const east = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    const west = await createPeerCertFiles({ path, fabric: 'acme', peer: 'west' });
    const first = await serialIn(east.cert);
    await revokePeer({ path, fabric: 'acme', peer: 'east' });
    assert.deepEqual((await revokePeer({ path, fabric: 'acme', peer: 'east' })).added, []);
    await renewPeerCertFiles({ path, fabric: 'acme', peer: 'east', key: 'new' });
    assert.deepEqual(await listed(), [first]);
    await revokePeer({ path, fabric: 'acme', peer: 'west' });
    const before = await readFile(join(directory, 'crl.pem'), 'utf8');
    await renewList({ path, fabric: 'acme' });
    assert.deepEqual((await listed()).sort(), [first, await serialIn(west.cert)].sort());
    const [old, now] = [before, await readFile(join(directory, 'crl.pem'), 'utf8')].map((pem) =>
      readList(splitLists(pem)[0] ?? ''),
    );
    assert.ok((now?.number ?? 0n) > (old?.number ?? 0n));
  });

  it('a certificate from before it was noted → found in the folder, by --cert, or by --serial', async () => {
    const east = await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' });
    await rm(join(directory, 'issued.txt'));
    const serial = await serialIn(east.cert);
    assert.deepEqual((await revokePeer({ path, fabric: 'acme', peer: 'east', mode: 'dry-run' })).added, [serial]);
    const elsewhere = join(path, 'elsewhere.pem');
    await writeFile(elsewhere, await readFile(east.cert));
    await rm(east.directory, { recursive: true });
    const unknown = revokePeer({ path, fabric: 'acme', peer: 'east' });
    await assert.rejects(unknown, { code: 'ERR_NOT_FOUND', fix: /--cert FILE/ });
    const other = revokePeer({ path, fabric: 'acme', peer: 'west', certs: [elsewhere] });
    await assert.rejects(other, { code: 'ERR_CERTIFICATE', message: /not a certificate of peer west/ });
    assert.deepEqual((await revokePeer({ path, fabric: 'acme', peer: 'east', certs: [elsewhere] })).added, [serial]);
    assert.deepEqual((await revokePeer({ path, fabric: 'acme', peer: 'east', serials: ['00:AB:CD'] })).added, ['abcd']);
    await assert.rejects(revokePeer({ path, fabric: 'acme', peer: 'east', serials: ['x'] }), { code: 'ERR_USAGE' });
  });

  it('a line that was cut short, and two at once → each certificate is noted', async () => {
    await writeFile(join(directory, 'issued.txt'), '\n0123 ea');
    await Promise.all(['a', 'b', 'c'].map((peer) => createPeerCertFiles({ path, fabric: 'acme', peer })));
    const noted = await readIssued(directory);
    assert.deepEqual(noted.map(({ peer }) => peer).sort(), ['a', 'b', 'c']);
  });
});

describe('roots of two companies', () => {
  let path: string;
  const planes: TestPlane[] = [];
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'mcs-roots-'));
    // Of one name, as they are where nobody has chosen one.
    for (const company of ['a', 'b']) await createFabricFiles({ path: join(path, company), fabric: 'default_fabric' });
  });
  afterEach(async () => {
    for (const plane of planes.splice(0)) await plane.close();
    await rm(path, { recursive: true, force: true });
  });

  const rootOf = (company: string): Promise<string> =>
    readFile(join(path, company, 'default_fabric', 'cert.pem'), 'utf8');
  async function identityOf(company: string, peer: string): Promise<PeerIdentity> {
    return loadIdentity(await createPeerCertFiles({ path: join(path, company), fabric: 'default_fabric', peer }));
  }
  async function start(company: string, name: string, listen?: 'no'): Promise<TestPlane> {
    const fabric = { identity: () => identityOf(company, name) };
    const plane = await startTestPlane({ fabric, name, ...(listen === undefined ? {} : { listen }) });
    planes.push(plane);
    return plane;
  }
  const route = (name: string, port: number, roots?: string): PeerRoute => ({
    name,
    labels: {},
    mayAssert: [],
    gateways: port === 0 ? [] : [{ host: '127.0.0.1', port }],
    ...(roots === undefined ? {} : { roots }),
  });
  const reasonOf = (plane: TestPlane, peer: string): string | undefined => plane.peers.get(peer)?.reason;
  const hasSession = (plane: TestPlane, peer: string): boolean => (plane.peers.get(peer)?.sessions ?? 0) > 0;

  it('each names the other’s root → a session; the annotation is taken away → it ends, PEER_ROOT_MISMATCH', async () => {
    const [east, west] = [await start('a', 'east'), await start('b', 'west', 'no')];
    east.apply({ peers: [route('west', 0, await rootOf('b'))] });
    west.apply({ peers: [route('east', east.port, await rootOf('a'))] });
    await waitFor('they have a session', () => hasSession(east, 'west') && hasSession(west, 'east'));
    east.apply({ peers: [route('west', 0)] });
    await waitFor('east says why', () => reasonOf(east, 'west') === 'PEER_ROOT_MISMATCH');
    await waitFor('west is turned away', () => east.refusals.some((line) => line.startsWith('PEER_ROOT_MISMATCH')));
    east.apply({ peers: [route('west', 0, await rootOf('b'))] });
    await waitFor('they have a session again', () => hasSession(east, 'west'));
  });

  it('a name that is bound to one root, with a certificate of the other → refused where it is dialled and where it dials', async () => {
    const [east, west] = [await start('a', 'east'), await start('b', 'west', 'no')];
    // Both roots are believed here, but west's certificate is by b, and west is bound to a.
    east.apply({ peers: [route('south', 0, await rootOf('b')), route('west', 0, await rootOf('a'))] });
    west.apply({ peers: [route('east', east.port, await rootOf('b'))] });
    await waitFor('west, which dials, says why', () => reasonOf(west, 'east') === 'PEER_ROOT_MISMATCH');
    // West believes east now: east alone refuses.
    west.apply({ peers: [route('east', east.port, await rootOf('a'))] });
    const refusal = await waitFor('it is counted', () =>
      east.refusals.find((line) => line.startsWith('PEER_ROOT_MISMATCH west at')),
    );
    assert.match(refusal, /127\.0\.0\.1/);
    await waitFor('it is in the condition of the Peer', () => reasonOf(east, 'west') === 'PEER_ROOT_MISMATCH');
  });

  it('our own name, signed by another company’s root → PEER_ROOT_MISMATCH, not a sibling', async () => {
    const east = await start('a', 'east');
    const stolen = await identityOf('b', 'east');
    const thief = await startTestPlane({
      fabric: { identity: () => Promise.resolve(stolen) },
      name: 'thief',
      listen: 'no',
    });
    planes.push(thief);
    east.apply({ peers: [route('west', 0, await rootOf('b'))] });
    thief.apply({ peers: [route('east', east.port, await rootOf('a'))] });
    const told = await waitFor('east has refused somebody', () => east.refusals[0]);
    assert.match(told, /^PEER_ROOT_MISMATCH east at /);
  });

  it('an annotation that cannot be read → that peer alone is refused', async () => {
    const [east, west, south] = [
      await start('a', 'east'),
      await start('b', 'west', 'no'),
      await start('a', 'south', 'no'),
    ];
    east.apply({ peers: [route('south', 0), route('west', 0, 'garbage')] });
    for (const [plane, root] of [
      [west, await rootOf('a')],
      [south, undefined],
    ] as const) {
      plane.apply({ peers: [route('east', east.port, root)] });
    }
    await waitFor('south has a session', () => hasSession(east, 'south'));
    await waitFor('west is refused', () => east.refusals.some((line) => line.startsWith('PEER_ROOT_MISMATCH')));
    assert.equal(hasSession(east, 'west'), false);
  });
});

describe('a certificate that expires under a session', () => {
  it('its last moment passes → the session ends with CERT_EXPIRED', async () => {
    const path = await mkdtemp(join(tmpdir(), 'mcs-expiry-'));
    const planes: TestPlane[] = [];
    try {
      await createFabricFiles({ path, fabric: 'acme' });
      const [caCertPem, caKeyPem] = await Promise.all(
        ['cert.pem', 'key.pem'].map((file) => readFile(join(path, 'acme', file), 'utf8')),
      );
      assert.ok(caCertPem !== undefined && caKeyPem !== undefined);
      const { csrPem, keyPem } = await createRequest({ peer: 'west' });
      // Certificates end on whole seconds: this one in seven to eight, in which a slow machine has its session too.
      const now = new Date(Date.now() - DAY_MS + 8_000);
      const certPem = await signRequest({ caCertPem, caKeyPem, csrPem, days: 1, now });
      const notAfter = new X509Certificate(certPem).validToDate;
      const short: PeerIdentity = { peer: 'west', certPem, keyPem, caPem: caCertPem, notAfter };
      const long = await loadIdentity(await createPeerCertFiles({ path, fabric: 'acme', peer: 'east' }));
      const east = await startTestPlane({ fabric: { identity: () => Promise.resolve(long) }, name: 'east' });
      const west = await startTestPlane({
        fabric: { identity: () => Promise.resolve(short) },
        name: 'west',
        listen: 'no',
      });
      planes.push(east, west);
      const peer = { labels: {}, mayAssert: [] };
      east.apply({ peers: [{ ...peer, name: 'west', gateways: [] }] });
      west.apply({ peers: [{ ...peer, name: 'east', gateways: [{ host: '127.0.0.1', port: east.port }] }] });
      await waitFor('they have a session', () => east.peers.get('west')?.sessions === 1);
      // What the timer asks every ten seconds is asked here with each look.
      const hasEnded = (): boolean => {
        east.post({ kind: 'identity-changed' });
        return east.peers.get('west')?.reason === 'CERT_EXPIRED';
      };
      await waitFor('east has ended it', hasEnded, 20_000);
      assert.ok(Date.now() > notAfter.getTime());
    } finally {
      for (const plane of planes) await plane.close();
      await rm(path, { recursive: true, force: true });
    }
  });
});

describe('a file of lists that is followed', () => {
  it('absent, made, broken, mended, with another list → in force each time it does; one warning', async () => {
    const path = await mkdtemp(join(tmpdir(), 'mcs-lists-'));
    const [seen, problems]: [number[], string[]] = [[], []];
    await createFabricFiles({ path, fabric: 'acme' });
    const file = join(path, 'acme', 'crl.pem');
    const end = await followLists({
      file,
      lookMs: 20,
      onChange: (lists) => seen.push(...lists.map((list) => readList(list).entries.length)),
      onProblem: ({ message }) => problems.push(message),
    });
    try {
      assert.equal(await readLists(file), undefined);
      assert.deepEqual([seen, problems], [[], []]);
      await revokePeer({ path, fabric: 'acme', peer: 'east', serials: ['a1'] });
      await waitFor('the list is there', () => seen.length === 1);
      const good = await readFile(file, 'utf8');
      await writeFile(file, good.slice(0, 200));
      await waitFor('there is a warning', () => problems.length > 0);
      await assert.rejects(readLists(file), { code: 'ERR_MALFORMED' });
      await writeFile(file, good);
      await revokePeer({ path, fabric: 'acme', peer: 'east', serials: ['b2'] });
      await waitFor('the next list is there', () => seen.at(-1) === 2);
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? '', /crl\.pem: the revocation list has no "X509 CRL" in PEM/);
    } finally {
      end();
      await rm(path, { recursive: true, force: true });
    }
  });
});

describe('three peers, one of which is revoked', function () {
  this.timeout(60_000);

  it('the list at one peer → its sessions end at once and its tunnels are reset; one exchange later at the third', async () => {
    const world = await makeWorld();
    const service: Server = createServer((socket) => void socket.on('error', () => undefined).pipe(socket));
    let socket: Socket | undefined;
    try {
      await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
      const own = (name: string) => ({
        ca: join(world.root, 'fabric', 'cert.pem'),
        cert: join(world.root, 'fabric', name, 'cert.pem'),
        key: join(world.root, 'fabric', name, 'key.pem'),
      });
      const crl = join(world.root, 'fabric', 'crl.pem');
      const [east, west, south] = await Promise.all([
        world.peer('east', { fabric: { ...own('east'), crl } }),
        world.peer('west'),
        world.peer('south'),
      ]);
      const peers = [east, west, south];
      for (const peer of peers) {
        const others = peers.filter((other) => other !== peer).map(peerManifest);
        await peer.write('peers.yaml', others.join('---\n'));
      }
      await east.write('db.yaml', exportManifest('db', 5432, (service.address() as AddressInfo).port));
      await west.write('rule.yaml', `${ruleManifest()}---\n${stringify(policyManifest('store'))}`);
      await waitFor('all know each other', async () => {
        const seen = await Promise.all(peers.map((peer) => peer.status()));
        return seen.every((status) => status.peers.filter(({ reachable }) => reachable).length === 2);
      });
      const place = await waitFor('west listens', async () => {
        const binding = await west.get<IImportBinding>('ImportBinding', 'clusterlink-system/db.store');
        const listener = binding.status?.listeners?.find(({ state }) => state === 'Listening');
        const [host] = binding.spec.ips;
        return listener === undefined || host === undefined ? undefined : { host, port: listener.listenPort ?? 5432 };
      });
      socket = connect(place);
      const ended = new Promise<string>((resolve) => {
        socket?.once('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? ''));
        socket?.once('end', () => resolve('end'));
      });
      await new Promise<void>((resolve) => socket?.once('data', () => resolve()).write('x'));

      await revokePeer({ path: world.root, fabric: 'fabric', peer: 'west' });
      assert.equal(await ended, 'ECONNRESET');
      await assertRevoked(east);
      await assertRevoked(south);
      assert.match(east.log(), /REVOKED/);
      // South has no file: it was told.
      assert.match(south.log(), /Revocation list in force/);
      // The others still have each other.
      const { peers: seen } = await east.status();
      assert.equal(seen.find(({ name }) => name === 'south')?.reachable, true);
    } finally {
      socket?.destroy();
      service.close();
      await world.close();
    }
  });

  async function assertRevoked(peer: StandalonePeer): Promise<void> {
    await waitFor(`${peer.name} has no session with west, and says why`, async () => {
      const { peers } = await peer.status();
      const west = peers.find(({ name }) => name === 'west');
      const object = await peer.get<IPeer>('Peer', 'clusterlink-system/west');
      const condition = findCondition(object.status?.conditions, 'PeerReachable');
      return west?.reachable === false && condition?.reason === 'Revoked';
    });
  }
});
