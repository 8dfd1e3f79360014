/** ClusterLink peers, of both data planes, use exports of ours: what they see on the wire, and what they cannot get away with. */
import assert from 'node:assert/strict';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { IAccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import { toAuthority } from '#src/fabric/authority-facts.ts';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { toSerial } from '#src/fabric/revoked-serials.ts';
import { REQUEST_BODY_BYTES_MAX } from '#src/gateway/clusterlink/limits.ts';
import type { ExportRoute, PeerRoute } from '#src/gateway/messages.ts';
import { ask, authzOf, connectOf, echo, HEARTBEAT, makeFixture, WANTED } from '#test/support/clusterlink/fixture.ts';
import type { Client, Fixture } from '#test/support/clusterlink/fixture.ts';
import { runCrowd } from '#test/support/clusterlink/crowd.ts';
import { makePolicy } from '#test/support/clusterlink/decision-rows.ts';
import type { FlavourName } from '#test/support/clusterlink/flavour.ts';
import type { ClusterLinkPeer } from '#test/support/clusterlink/peer.ts';
import { dialRaw, type RawDial, type RawEnd } from '#test/support/clusterlink/raw.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { allowAll, startTestPlane, type TestPlane, type TestPlaneOptions } from '#test/support/planes.ts';
import { waitFor } from '#test/support/wait.ts';

const EAST: PeerRoute = { name: 'east', labels: {}, gateways: [], mayAssert: [] };
const FLAVOURS: readonly FlavourName[] = ['go', 'envoy'];
/** From the change to the end of an open connection (DESIGN §3.2). */
const CUT_WITHIN_MS = 2_000;
const POLICIES = allowAll('shop');

describe('exports for ClusterLink peers', function () {
  this.timeout(20_000);
  let fabric: TestFabric;
  let fixture: Fixture;
  let west: TestPlane;
  let route: ExportRoute;
  before(async () => (fabric = await makeTestFabric()));
  after(() => fabric.remove());
  beforeEach(() => {
    fixture = makeFixture(fabric);
  });
  afterEach(() => fixture[Symbol.asyncDispose]());

  const deny = (from: Record<string, string>): IAccessPolicy =>
    ({ ...makePolicy('deny', 'shop', { from: [{ matchLabels: from }] }) }) as IAccessPolicy;

  function exportAt(port: number): ExportRoute {
    const endpoints = [{ host: '127.0.0.1', port }];
    return {
      ...{ namespace: 'shop', name: 'db', uid: 'u', labels: {}, defaultPort: 5432 },
      ports: [
        { name: 'admin', protocol: 'TCP', port: 8080, endpoints },
        { name: 'pg', protocol: 'TCP', port: 5432, endpoints },
      ],
    };
  }

  /** west is ours; it exports shop/db to everybody, and east is its peer. */
  async function startWest(
    service: (socket: Socket) => void = echo,
    options: Partial<TestPlaneOptions> = {},
  ): Promise<TestPlane> {
    const plane = await startTestPlane({ fabric, name: 'west', ...options });
    fixture.onClose(() => plane.close());
    west = plane;
    route = exportAt(await fixture.startService(service));
    await apply();
    return plane;
  }

  async function apply(parts: Parameters<TestPlane['apply']>[0] = {}): Promise<void> {
    const version = west.apply({ peers: [EAST], exports: [route], policies: POLICIES, ...parts });
    await waitFor('it is in force', () => west.acknowledged() >= version);
  }

  const gateway = (): Pick<ClusterLinkPeer, 'gatewayPort'> => ({ gatewayPort: west.port });
  const importer = (flavour: FlavourName, options = {}): Promise<ClusterLinkPeer> =>
    fixture.startImporter(flavour, gateway(), options);
  const clientOf = (east: ClusterLinkPeer): Client => fixture.connectTo(east.importPort('store/db'));
  const dial = (options: Partial<RawDial> = {}): Promise<RawEnd> => fixture.dial(gateway(), options);

  async function takeToken(body: unknown = WANTED): Promise<string> {
    const { status, token } = await ask(await dial(), authzOf(body));
    assert.equal(status, 200);
    return token;
  }

  async function connectWith(token: string, options: Partial<RawDial> = {}): Promise<RawEnd & { status: number }> {
    const end = await dial(options);
    const { status } = await ask(end, connectOf(`Bearer ${token}`));
    return { ...end, status };
  }

  async function openTunnel(): Promise<RawEnd> {
    const end = await connectWith(await takeToken());
    assert.equal(end.status, 200);
    return end;
  }

  const closed = (reason: string): Promise<unknown> =>
    waitFor(`closed for ${reason}`, () => west.closings.some((record) => record.reason === reason));

  /** To be called before it is cut; the result waits for that. */
  function watchReset({ socket }: RawEnd): () => Promise<void> {
    const errors: string[] = [];
    socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? '')).resume();
    return async () => {
      await waitFor('it is closed', () => socket.closed, CUT_WITHIN_MS);
      assert.deepEqual([errors, socket.readableEnded], [['ECONNRESET'], false]);
    };
  }

  for (const flavour of FLAVOURS) {
    describe(`a ${flavour} importer`, () => {
      it('CFL-§3 bytes back and forth, one closing record', async () => {
        await startWest();
        const east = await importer(flavour);
        assert.equal((await fixture.roundTrip(east.importPort('store/db'), 'hello')).toString(), 'hello');
        await waitFor('a record', () => west.closings.length === 1);
        const [record] = west.closings;
        assert.ok(record !== undefined);
        const { direction, object, peer, opened, sentBytes, receivedBytes } = record;
        assert.deepEqual([direction, object, peer, opened], ['ingress', 'shop/db', 'east', true]);
        assert.deepEqual([sentBytes, receivedBytes, west.opened(), west.refusals], [5, 5, 1, []]);
      });

      it('50 MB → the same bytes arrive', async () => {
        const size = 50_000_000;
        const sent = createHash('sha256');
        await startWest((socket) => {
          const piece = randomBytes(1 << 16);
          let left = size;
          const fill = (): void => {
            while (left > 0) {
              const part = piece.subarray(0, left);
              sent.update(part);
              left -= part.length;
              if (!socket.write(part)) return void socket.once('drain', fill);
            }
            socket.end();
          };
          fill();
        });
        const client = clientOf(await importer(flavour));
        const { received, reset } = await client.ended;
        assert.equal(reset, false);
        assert.equal(createHash('sha256').update(received).digest('hex'), sent.digest('hex'));
      });

      it('(39) a service that speaks first → its first bytes are never in the record of the 200', async () => {
        await startWest((socket) => void socket.end('SSH-2.0-here'));
        const east = await importer(flavour);
        for (let round = 0; round < 20; round++) {
          assert.equal((await clientOf(east).ended).received.toString(), 'SSH-2.0-here');
        }
        assert.deepEqual([...new Set(east.attempts().map(({ lostBytes }) => lostBytes))], [0]);
      });

      it('all heads and statuses as a ClusterLink client takes them: heartbeats, labels, a refusal', async () => {
        await startWest();
        const east = await importer(flavour);
        assert.deepEqual(east.status('west'), { reachable: true, labels: {} });
        await apply({ policies: [] });
        await clientOf(east).ended;
        await closed('INGRESS_DENIED');
        assert.equal(east.attempts().at(-1)?.outcome, 'egress-failed');
      });
    });
  }

  it('a caller that half-closes → the answer of the service arrives whole, then the end', async () => {
    await startWest((socket) => socket.resume().once('end', () => socket.end('x'.repeat(300_000))));
    const end = await openTunnel();
    end.socket.end('question');
    assert.equal((await end.rest()).length, 300_000);
    await closed('DONE');
  });

  it('(39) bytes in the record of the CONNECT → they reach the service, after the 200', async () => {
    await startWest();
    const token = await takeToken();
    const end = await dial();
    await end.send(`${connectOf(`Bearer ${token}`)}early`);
    const { head, beside } = await end.head();
    assert.deepEqual([head, beside.length], ['HTTP/1.1 200 OK\r\n\r\n', 0]);
    assert.equal((await end.record())?.toString(), 'early');
  });

  it('requests in one record, then CONNECT over the same connection → each is answered in order', async () => {
    await startWest();
    const end = await dial();
    await end.send(`${HEARTBEAT}${HEARTBEAT}${authzOf(WANTED)}`);
    const heads = [await end.head(), await end.head(), await end.head()].map(({ head }) => head);
    assert.match(heads[0] ?? '', /^HTTP\/1\.1 200 OK\r\nClusterLinkPeerLabels: e30=\r\nContent-Length: 0\r\n\r\n$/);
    const [, token = ''] = /x-access-token: (.*)\r\n/.exec(heads[2] ?? '') ?? [];
    await end.send(`${HEARTBEAT}${connectOf(`Bearer ${token}`)}hello`);
    assert.match((await end.head()).head, /^HTTP\/1\.1 200 OK\r\nClusterLink/);
    assert.match((await end.head()).head, /^HTTP\/1\.1 200 OK\r\n\r\n$/);
    assert.equal((await end.record())?.toString(), 'hello');
  });

  it('a body in chunks with null attributes, over TLS 1.2 → granted; by port name too', async () => {
    await startWest();
    const end = await dial({ tls: { maxVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'] } });
    const text = JSON.stringify({
      servicename: 'db.admin',
      SERVICENAMESPACE: 'shop',
      SrcAttributes: { 'client.clusterlink.net/namespace': null },
      more: 1,
    });
    const chunks = `${text.slice(0, 9).length.toString(16)}\r\n${text.slice(0, 9)}\r\n${(text.length - 9).toString(16)}\r\n${text.slice(9)}\r\n0\r\n\r\n`;
    const { status } = await ask(end, `POST /authz HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
    assert.equal(status, 200);
    assert.equal(end.socket.getProtocol(), 'TLSv1.2');
  });

  it('1,000 tunnels at once from one peer → all are served', async function () {
    this.timeout(60_000);
    await startWest();
    await importer('go');
    const crowd = { port: west.port, identity: await fabric.identity('east'), count: 1_000 };
    assert.deepEqual(await runCrowd(crowd), { open: 1_000, failures: [] });
    await waitFor('all have ended', () => west.closings.length === 1_000);
    assert.deepEqual([...new Set(west.closings.map(({ reason }) => reason))], ['DONE']);
  });

  describe('(8.1) what an importer cannot get away with', () => {
    it('(1) attributes that the Peer does not grant → they do not count; its name in them → 403, PEER_NAME_MISMATCH', async () => {
      await startWest();
      await apply({ policies: [...POLICIES, deny({ 'client.clusterlink.net/namespace': 'banned' })] });
      const asks = async (attributes: Record<string, string>): Promise<number> =>
        (await ask(await dial(), authzOf({ ...WANTED, SrcAttributes: attributes }))).status;
      // What is not known may be what is denied.
      assert.equal(await asks({ 'client.clusterlink.net/namespace': 'good' }), 403);
      await apply({
        policies: [...POLICIES, deny({ 'client.clusterlink.net/namespace': 'banned' })],
        peers: [{ ...EAST, mayAssert: ['namespace'] }],
      });
      assert.equal(await asks({ 'client.clusterlink.net/namespace': 'good' }), 200);
      assert.equal(await asks({ 'client.clusterlink.net/namespace': 'banned' }), 403);
      assert.equal(await asks({ 'peer.clusterlink.net/name': 'east', 'client.clusterlink.net/namespace': 'a' }), 200);
      assert.equal(await asks({ 'peer.clusterlink.net/name': 'north' }), 403);
      await closed('PEER_NAME_MISMATCH');
    });

    it('(2) a token that was given to another peer → 403', async () => {
      await startWest();
      await apply({ peers: [EAST, { ...EAST, name: 'north' }] });
      const token = await takeToken();
      assert.equal((await connectWith(token, { identity: await fabric.identity('north') })).status, 403);
      await closed('PEER_NAME_MISMATCH');
      assert.equal((await connectWith(token)).status, 200);
    });

    it('(2) tokens that are none: truncated, changed, of another peer’s key, of 10 KiB → 403; not of the scheme → 400', async () => {
      await startWest();
      const token = await takeToken();
      const north = await startTestPlane({ fabric, name: 'north' });
      fixture.onClose(() => north.close());
      north.apply({ peers: [EAST], exports: [route], policies: POLICIES });
      await waitFor('north is ready', () => north.acknowledged() === 1);
      const ofNorth = await fixture.dial({ gatewayPort: north.port }, { peer: 'north' });
      const { token: foreign } = await ask(ofNorth, authzOf(WANTED));
      const middle = token.length >> 1;
      const changed = `${token.slice(0, middle)}${token[middle] === 'A' ? 'B' : 'A'}${token.slice(middle + 1)}`;
      for (const bad of [token.slice(0, -1), changed, foreign, 'x'.repeat(10_240), 'x']) {
        assert.equal((await connectWith(bad)).status, 403);
      }
      for (const authorization of [undefined, `bearer ${token}`, `Bearer${token}`, `Bearer ${token} x`, 'Bearer ']) {
        assert.equal((await ask(await dial(), connectOf(authorization))).status, 400);
      }
    });

    it('(3) denied, or the export deleted, between /authz and CONNECT → 403, 404; no byte reaches the service', async () => {
      let calls = 0;
      await startWest(() => void calls++);
      const token = await takeToken();
      await apply({ policies: [...POLICIES, deny({ 'client.clusterlink.net/namespace': 'x' })] });
      assert.equal((await connectWith(token)).status, 403);
      await apply({ exports: [] });
      assert.equal((await connectWith(token)).status, 404);
      assert.equal(calls, 0);
    });

    it('(3) a service that refuses → 503 with a complete answer, then the end', async () => {
      await startWest();
      route = exportAt(1);
      await apply();
      const end = await connectWith(await takeToken());
      assert.equal(end.status, 503);
      assert.equal((await end.rest()).length, 0);
      await closed('DIAL_FAILED');
    });

    it('(5) no Peer object → turned away, PEER_UNKNOWN; with compat=fabric the policies decide, and it may assert nothing', async () => {
      await startWest();
      const identity = await fabric.identity('stranger');
      await (await dial({ identity })).rest();
      assert.deepEqual(west.refusals, ['PEER_UNKNOWN stranger at 127.0.0.1']);
      await startWest(echo, { compat: 'fabric' });
      const asks = async (): Promise<number> => (await ask(await dial({ identity }), authzOf(WANTED))).status;
      assert.equal(await asks(), 200);
      await apply({ policies: [...POLICIES, deny({ 'client.clusterlink.net/namespace': 'x' })] });
      assert.equal(await asks(), 403);
      await apply({ policies: [] });
      assert.equal(await asks(), 404);
    });

    it('(12) a body beyond 64 KiB → 413 before it has come', async () => {
      await startWest();
      const length = REQUEST_BODY_BYTES_MAX + 1;
      const { status } = await ask(
        await dial(),
        `POST /authz HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n{`,
      );
      assert.equal(status, 413);
    });

    it('an export that is not there, and one that no workload of it may use → 404 both; malformed → 400', async () => {
      await startWest();
      const end = await dial();
      assert.equal((await ask(end, authzOf({ ...WANTED, ServiceName: 'nothing' }))).status, 404);
      assert.equal((await ask(end, authzOf({ ...WANTED, ServiceName: 'No Name!' }))).status, 404);
      await apply({ policies: [] });
      assert.equal((await ask(end, authzOf(WANTED))).status, 404);
      for (const body of ['', '{', '[]', '{"ServiceName":1}', '{"SrcAttributes":{"a":1}}']) {
        assert.equal((await ask(await dial(), authzOf(body))).status, 400, body);
      }
      assert.equal((await ask(await dial(), 'GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n')).status, 400);
      assert.equal((await ask(await dial(), 'GET /healthz?x HTTP/1.1\r\nHost: h\r\n\r\n')).status, 400);
    });
  });

  it('a token of one gateway of ours → honoured by another one of the same peer', async () => {
    await startWest();
    const token = await takeToken();
    const first = west;
    await startWest();
    assert.notEqual(first.port, west.port);
    assert.equal((await connectWith(token)).status, 200);
  });

  describe('(44) a tunnel that is open', () => {
    const cases: { name: string; reason: string; change(): Promise<void> }[] = [
      { name: 'policy turned to deny', reason: 'POLICY_CHANGED', change: () => apply({ policies: [] }) },
      { name: 'export deleted', reason: 'EXPORT_DELETED', change: () => apply({ exports: [] }) },
      { name: 'Peer deleted', reason: 'PEER_UNKNOWN', change: () => apply({ peers: [] }) },
      {
        name: 'certificate revoked',
        reason: 'REVOKED',
        async change() {
          const { certPem, caPem } = await fabric.identity('east');
          const issuer = toAuthority(new X509Certificate(caPem)).keyFingerprint;
          const serials = [toSerial(new X509Certificate(certPem).serialNumber)];
          await apply({ revoked: [{ issuer, list: 'l', serials }] });
        },
      },
      {
        name: 'its Peer names another root',
        reason: 'PEER_ROOT_MISMATCH',
        async change() {
          const other = await makeTestFabric();
          const { caPem } = await other.identity('east');
          await other.remove();
          await apply({ peers: [{ ...EAST, roots: caPem }] });
        },
      },
    ];
    for (const { name, reason, change } of cases) {
      it(`${name} → reset within 2 s, ${reason}; and connections that wait for a request`, async () => {
        await startWest();
        const idle = await dial();
        assert.equal((await ask(idle, HEARTBEAT)).status, 200);
        const tunnel = watchReset(await openTunnel());
        const isStillServed = reason === 'POLICY_CHANGED' || reason === 'EXPORT_DELETED';
        const waiting = isStillServed ? undefined : watchReset(idle);
        await change();
        await tunnel();
        if (waiting === undefined) assert.equal((await ask(idle, HEARTBEAT)).status, 200);
        else await waiting();
        assert.deepEqual(
          west.closings.map((record) => record.reason),
          [reason],
        );
      });
    }

    it('this gateway ends → reset', async () => {
      await startWest();
      const isReset = watchReset(await openTunnel());
      await west.close();
      await isReset();
    });

    it('the service resets → the importer sees a reset, not an end', async () => {
      const sockets: Socket[] = [];
      await startWest((socket) => void sockets.push(socket.resume()));
      const isReset = watchReset(await openTunnel());
      await waitFor('the service', () => sockets.length === 1);
      sockets[0]?.resetAndDestroy();
      await isReset();
      await closed('ABORTED');
    });
  });

  it('compat=off → PROTOCOL_MISMATCH for callers without ALPN, with http/1.1, and of TLS 1.2', async () => {
    await startWest(echo, { compat: 'off' });
    for (const tls of [{}, { ALPNProtocols: ['http/1.1'] }, { maxVersion: 'TLSv1.2' as const }]) {
      const before = west.refusals.length;
      await dial({ tls }).catch(() => undefined);
      await waitFor('a refusal', () => west.refusals.length === before + 1);
      assert.equal(west.refusals.at(-1), 'PROTOCOL_MISMATCH 127.0.0.1');
    }
  });

  it('a TLS session from before is offered again → full handshake, never resumed', async () => {
    await startWest();
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = await dial({ tls: { maxVersion } });
      assert.equal((await ask(first, HEARTBEAT)).status, 200);
      const session = first.socket.getSession() ?? assert.fail('no session');
      const second = await dial({ tls: { maxVersion, session } });
      assert.equal((await ask(second, HEARTBEAT)).status, 200);
      assert.equal(second.socket.isSessionReused(), false);
    }
  });

  it('a session over TLS 1.2, weak suites, a certificate of nobody → refused', async () => {
    await startWest();
    const identity: PeerIdentity = await fabric.identity('east');
    await dial({ tls: { maxVersion: 'TLSv1.2', ALPNProtocols: ['clusterlink-mcs/1'] } }).catch(() => undefined);
    await waitFor('a refusal', () => west.refusals.length === 1);
    await assert.rejects(dial({ tls: { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' } }));
    await waitFor('a refusal', () => west.refusals.length === 2);
    await dialRaw({ port: west.port, peer: 'west', caPem: identity.caPem }).catch(() => undefined);
    await waitFor('a refusal', () => west.refusals.length === 3);
    assert.deepEqual(
      west.refusals.map((text) => text.split(' ')[0]),
      ['PROTOCOL_MISMATCH', 'PROTOCOL_MISMATCH', 'MALFORMED'],
    );
  });
});
