/** The emulated ClusterLink peer as importer, against itself and against gateways played by hand; `§` as in the reference. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { makePolicy } from '#test/support/clusterlink/decision-rows.ts';
import { echo, makeFixture, type Fixture } from '#test/support/clusterlink/fixture.ts';
import { FLAVOURS as TABLES, type FlavourName } from '#test/support/clusterlink/flavour.ts';
import type { ClusterLinkPeer } from '#test/support/clusterlink/peer.ts';
import { startRawGateway, type RawEnd } from '#test/support/clusterlink/raw.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { waitFor } from '#test/support/wait.ts';

const FLAVOURS: readonly FlavourName[] = ['go', 'envoy'];
const NEVER = 1_000_000;
const HEALTHY = 'HTTP/1.1 200 OK\r\nClusterLinkPeerLabels: e30=\r\nContent-Length: 0\r\n\r\n';
const GRANTED = 'HTTP/1.1 200 OK\r\nx-access-token: secret\r\nContent-Length: 0\r\n\r\n';
const OPEN = 'HTTP/1.1 200 OK\r\n\r\n';
const withField = (field: string): string => OPEN.replace('\r\n\r\n', `\r\n${field}\r\n\r\n`);

/** A gateway by hand: what it is asked, and what it answers. */
interface Script {
  readonly healthz?: (end: RawEnd) => Promise<void>;
  readonly authz?: (end: RawEnd) => Promise<void>;
  readonly connect?: (end: RawEnd) => Promise<void>;
}

interface Scripted {
  readonly gatewayPort: number;
  /** Heads and bodies, as they came. */
  readonly asked: string[];
}

describe('startClusterLinkPeer, as importer', () => {
  let fabric: TestFabric;
  let fixture: Fixture;
  before(async () => {
    fabric = await makeTestFabric();
    fixture = makeFixture(fabric);
  });
  afterEach(() => fixture[Symbol.asyncDispose]());
  after(() => fabric.remove());

  async function startScripted({
    healthz = (end) => end.send(HEALTHY),
    authz = (end) => end.send(GRANTED),
    connect = (end) => end.send(OPEN),
  }: Script): Promise<Scripted> {
    const asked: string[] = [];
    const gateway = await startRawGateway(await fabric.identity('west'), async (end) => {
      for (;;) {
        const { head, beside } = await end.head();
        const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
        let body = String(beside);
        while (body.length < length) body += String((await end.record()) ?? assert.fail('a body that is cut'));
        asked.push(head + body);
        if (head.startsWith('CONNECT')) return connect(end);
        await (head.startsWith('GET') ? healthz(end) : authz(end));
      }
    });
    fixture.onClose(async () => gateway[Symbol.asyncDispose]());
    return { gatewayPort: gateway.port, asked };
  }

  const tunnelsOf = ({ asked }: Scripted): string[] => asked.filter((head) => head.startsWith('CONNECT'));
  const portOf = (east: ClusterLinkPeer): number => east.importPort('store/db');

  describe('§10 the matrix', () => {
    for (const flavour of FLAVOURS) {
      for (const other of FLAVOURS) {
        it(`§10 ${flavour} imports from ${other} → small, large, server first, 50 at once`, async () => {
          const west = await fixture.startExporter(other, {
            coalesceEvery: NEVER,
            service(socket) {
              socket.write('220 hello\r\n');
              echo(socket);
            },
          });
          const east = await fixture.startImporter(flavour, west);
          const large = randomBytes(1_048_576);
          const expected = Buffer.concat([Buffer.from('220 hello\r\n'), large]);
          const client = fixture.connectTo(portOf(east));
          client.socket.write(large);
          await waitFor('all bytes', () => client.received().length === expected.length);
          assert.equal(hash(client.received()), hash(expected));
          client.socket.destroy();
          const greeted = Array.from({ length: 50 }, () => fixture.roundTrip(portOf(east), 'x'.repeat(11)));
          for (const answer of await Promise.all(greeted)) assert.match(String(answer), /^220 hello\r\n/);
          await waitFor('no tunnel', () => east.openTunnels() === 0 && west.openTunnels() === 0);
        });

        it(`§3.6 ${flavour} imports from ${other}: a half-close → the reply of later is lost`, async () => {
          const heard: string[] = [];
          const west = await fixture.startExporter(other, {
            coalesceEvery: NEVER,
            service(socket) {
              socket.on('data', (bytes: Buffer) => heard.push(String(bytes)));
              socket.on('end', () => setTimeout(() => socket.end('reply'), 50));
            },
          });
          const east = await fixture.startImporter(flavour, west);
          const client = fixture.connectTo(portOf(east));
          client.socket.end('question');
          assert.equal(String((await client.ended).received), '');
          await waitFor('the question', () => heard.join('') === 'question');
        });
      }
    }

    it('§3.6 (3, 8) go imports from envoy, 200 and greeting in one record → the greeting is lost', async () => {
      const west = await fixture.startExporter('envoy', {
        coalesceEvery: 1,
        service(socket) {
          socket.write('220 hello\r\n');
          echo(socket);
        },
      });
      const answers: string[] = [];
      for (const flavour of FLAVOURS) {
        const east = await fixture.startImporter(flavour, west);
        const client = fixture.connectTo(portOf(east));
        client.socket.write('ping');
        await waitFor('the echo', () => String(client.received()).endsWith('ping'));
        answers.push(String(client.received()));
        assert.equal(east.attempts()[0]?.lostBytes, flavour === 'go' ? 11 : 0);
      }
      assert.deepEqual(answers, ['ping', '220 hello\r\nping']);
    });
  });

  describe('what it sends', () => {
    const client = { namespace: 'web', serviceAccount: 'front', labels: { app: 'ui' } };

    it('§3.2, §3.4, §3.6 go → these bytes', async () => {
      const west = await startScripted({});
      const east = await fixture.startImporter('go', west, {
        workloads: { '127.0.0.1': client },
        labels: { region: 'us' },
      });
      fixture.connectTo(portOf(east));
      await waitFor('a tunnel', () => tunnelsOf(west).length === 1);
      const host = `127.0.0.1:${west.gatewayPort}`;
      const body =
        '{"ServiceName":"db","ServiceNamespace":"shop","SrcAttributes":{"client.clusterlink.net/labels.app":"ui",' +
        '"client.clusterlink.net/namespace":"web","client.clusterlink.net/service-account":"front",' +
        '"peer.clusterlink.net/labels.region":"us","peer.clusterlink.net/name":"east"}}';
      assert.deepEqual(
        [...new Set(west.asked)],
        [
          `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n\r\n`,
          `POST /authz HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: ${body.length}\r\n` +
            `Content-Type: application/json; charset=utf-8\r\nAccept-Encoding: gzip\r\n\r\n${body}`,
          'CONNECT west:443 HTTP/1.1\r\nHost: west:443\r\nUser-Agent: Go-http-client/1.1\r\n' +
            'Authorization: Bearer secret\r\nAccept-Encoding: gzip\r\n\r\n',
        ],
      );
    });

    it("§3.6, §8.1 (10) envoy → lower case, and the client's address with it; no client known → null", async () => {
      const west = await startScripted({});
      const east = await fixture.startImporter('envoy', west);
      fixture.connectTo(portOf(east));
      const head = await waitFor('a tunnel', () => tunnelsOf(west)[0]);
      assert.equal(
        head.replace(/[0-9a-f]{8}-[-0-9a-f]{27}/, 'ID'),
        'CONNECT west:443 HTTP/1.1\r\nhost: west:443\r\nx-import-name: db\r\nx-import-namespace: store\r\n' +
          'x-client-ip: 127.0.0.1\r\nx-forwarded-proto: http\r\nx-request-id: ID\r\nauthorization: Bearer secret\r\n' +
          'x-envoy-expected-rq-timeout-ms: 15000\r\nx-envoy-original-host: remote-peer-west\r\n\r\n',
      );
      assert.match(west.asked.find((text) => text.startsWith('POST')) ?? '', /"SrcAttributes":null}$/);
    });

    it('§2.3 empty names of a source → those of the import, in the request alone', async () => {
      const west = await startScripted({});
      const sources = [{ peer: 'west', exportName: '', exportNamespace: '' }];
      const east = await fixture.startImporter('go', west, { imports: [{ namespace: 'store', name: 'db', sources }] });
      fixture.connectTo(portOf(east));
      const request = await waitFor('a decision', () => west.asked.find((text) => text.startsWith('POST')));
      assert.match(request, /"ServiceName":"db","ServiceNamespace":"store"/);
    });

    for (const flavour of FLAVOURS) {
      it(`§3.6 (5) ${flavour}: a client that speaks first → not a byte before the 200`, async () => {
        const early: (Buffer | undefined)[] = [];
        const west = await startScripted({
          async connect(end) {
            const next = end.record();
            early.push(await Promise.race([next, sleep(100).then(() => undefined)]));
            await end.send(OPEN);
            await end.send((await next) ?? '');
          },
        });
        const east = await fixture.startImporter(flavour, west);
        assert.equal(String(await fixture.roundTrip(portOf(east), 'first')), 'first');
        assert.deepEqual(early, [undefined]);
      });
    }
  });

  describe('what it takes', () => {
    /** What a gateway sends in answer to CONNECT, record by record, and what reaches the client of each flavour. */
    const rows: readonly {
      readonly name: string;
      readonly records: readonly string[];
      readonly go: string;
      readonly envoy: string;
    }[] = [
      { name: '200, then bytes', records: [OPEN, 'hello'], go: 'hello', envoy: 'hello' },
      {
        name: '(1) HTTP/1.0 and any text',
        records: ['HTTP/1.0 200 fine\r\nx: y\r\n\r\n', 'hello'],
        go: 'hello',
        envoy: 'hello',
      },
      { name: '(1) 204', records: ['HTTP/1.1 204 No Content\r\n\r\n', 'hello'], go: '', envoy: '' },
      { name: '(1) 201', records: ['HTTP/1.1 201 Created\r\n\r\n', 'hello'], go: '', envoy: '' },
      { name: '(2) Content-Length: 0', records: [withField('Content-Length: 0'), 'hello'], go: '', envoy: '' },
      { name: 'another length', records: [withField('Content-Length: 5'), 'hello'], go: 'hello', envoy: 'hello' },
      { name: 'chunked', records: [withField('Transfer-Encoding: chunked'), 'hello'], go: 'hello', envoy: 'hello' },
      { name: 'gzip', records: [withField('Content-Encoding: gzip'), 'hello'], go: 'hello', envoy: 'hello' },
      { name: '100 before it', records: ['HTTP/1.1 100 Continue\r\n\r\n', OPEN, 'hello'], go: 'hello', envoy: 'hello' },
      { name: '103 six times', records: Array<string>(6).fill('HTTP/1.1 103 Early Hints\r\n\r\n'), go: '', envoy: '' },
      { name: '403', records: ['HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'], go: '', envoy: '' },
      { name: '(3) bytes beside the head', records: [`${OPEN}hello`, 'more'], go: 'more', envoy: 'hellomore' },
      { name: '(4) 302', records: ['HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n', 'hello'], go: '', envoy: '' },
      { name: 'a head in two records', records: ['HTTP/1.1 200 OK\r\n', '\r\n', 'hello'], go: 'hello', envoy: 'hello' },
      { name: 'no HTTP', records: ['SSH-2.0\r\n\r\n'], go: '', envoy: '' },
      { name: 'no end of the head', records: ['x'.repeat(70_000)], go: '', envoy: '' },
    ];
    for (const flavour of FLAVOURS) {
      for (const { name, records, [flavour]: expected } of rows) {
        it(`§3.6 ${name}, ${flavour} → ${expected === '' ? 'no tunnel' : expected}`, async () => {
          const west = await startScripted({
            async connect(end) {
              for (const record of records) {
                await end.send(record);
                // Long enough for the other side to read one record before the next.
                await sleep(5);
              }
              end.socket.end();
            },
          });
          const east = await fixture.startImporter(flavour, west);
          const { received } = await fixture.connectTo(portOf(east)).ended;
          assert.equal(String(received), expected);
        });
      }
    }

    it('§3.6 (3) more beside the 200 than the 4 KiB of a Go reader → the rest comes through', async () => {
      const west = await startScripted({
        connect: (end) => end.send(OPEN + 'E'.repeat(6_000)).then(() => void end.socket.end()),
      });
      const east = await fixture.startImporter('go', west);
      const { received } = await fixture.connectTo(portOf(east)).ended;
      assert.equal(received.length, OPEN.length + 6_000 - 4_096);
      assert.equal(east.attempts()[0]?.lostBytes, 4_096 - OPEN.length);
    });

    it('§3.3 a heartbeat without labels in it → unreachable, as v0.4.0 is to v0.4.1', async () => {
      const west = await startScripted({ healthz: (end) => end.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n') });
      const peers = [{ name: 'west', gateways: [{ host: '127.0.0.1', port: west.gatewayPort }] }];
      const east = await fixture.startImporter('go', west, { peers });
      await waitFor('two probes', () => west.asked.length >= 2);
      assert.deepEqual(east.status('west'), { reachable: false, labels: undefined });
    });

    it('§3.3, §8.3 (32) labels → those of the transition, over one connection; down → gone', async () => {
      const labels = ['{"a":"1"}', '{"a":"2"}'].map((text) => Buffer.from(text).toString('base64'));
      let good = true;
      let round = 0;
      const west = await startScripted({
        healthz: (end) =>
          end.send(
            good
              ? HEALTHY.replace('e30=', labels[Math.min(round++, 1)] ?? '')
              : 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n',
          ),
      });
      const east = await fixture.startImporter('go', west);
      await waitFor('later labels', () => round >= 4);
      assert.deepEqual(east.status('west'), { reachable: true, labels: { a: '1' } });
      good = false;
      await waitFor('it is down', () => !east.reachable('west'));
      assert.equal(east.status('west').labels, undefined);
      good = true;
      await waitFor('it is up', () => east.reachable('west'));
      assert.deepEqual(east.status('west').labels, { a: '2' });
    });

    it('§3.4 an answer after 200 ms of deciding → too late for Envoy, not for Go', async () => {
      const west = await startScripted({ authz: (end) => sleep(300).then(() => end.send(GRANTED)) });
      for (const flavour of FLAVOURS) {
        const { egressMs } = TABLES[flavour].timeouts;
        const east = await fixture.startImporter(flavour, west, { timeouts: { egressMs } });
        const client = fixture.connectTo(portOf(east));
        const outcome = flavour === 'go' ? 'open' : 'egress-failed';
        await waitFor(outcome, () => east.attempts()[0]?.outcome === outcome);
        client.socket.destroy();
      }
    });

    it('§3.4 the gateway closes what idles → the next decision comes over a new connection', async () => {
      const west = await fixture.startExporter('go', { timeouts: { keepAliveMs: 30 } });
      const east = await fixture.startImporter('go', west);
      const asked = (): number[] =>
        west.requests().flatMap(({ method, connection }) => (method === 'POST' ? [connection] : []));
      assert.equal(String(await fixture.roundTrip(portOf(east), 'one')), 'one');
      await sleep(100);
      assert.equal(String(await fixture.roundTrip(portOf(east), 'two')), 'two');
      assert.equal(new Set(asked()).size, 2);
    });

    it('§3.3, §3.4 no answer in time → one more try, on another connection', async () => {
      let tries = 0;
      const west = await startScripted({
        authz: (end) => (tries++ === 0 ? new Promise(() => undefined) : end.send(GRANTED)),
      });
      const east = await fixture.startImporter('go', west, { timeouts: { requestMs: 200 } });
      fixture.connectTo(portOf(east));
      await waitFor('a tunnel', () => east.attempts()[0]?.outcome === 'open');
      assert.equal(tries, 2);
    });
  });

  describe('§3.7 several gateways', () => {
    it('§3.7 the first one dead → decisions still come; Go has no tunnel, Envoy every other one', async () => {
      const west = await fixture.startExporter('envoy', { gateways: 2, coalesceEvery: NEVER });
      west.closeGateway(0);
      const peers = [{ name: 'west', gateways: west.gatewayPorts.map((port) => ({ host: '127.0.0.1', port })) }];
      for (const flavour of FLAVOURS) {
        const east = await fixture.startImporter(flavour, west, { peers });
        await waitFor('a heartbeat', () => east.reachable('west'));
        const answers: string[] = [];
        for (let tunnel = 0; tunnel < 4; tunnel++) answers.push(String(await fixture.roundTrip(portOf(east), 'ping')));
        assert.deepEqual(answers, flavour === 'go' ? ['', '', '', ''] : ['', 'ping', '', 'ping']);
      }
    });

    it('§3.7 both alive → each is asked about every connection', async () => {
      const west = await fixture.startExporter('go', { gateways: 2 });
      const peers = [{ name: 'west', gateways: west.gatewayPorts.map((port) => ({ host: '127.0.0.1', port })) }];
      const east = await fixture.startImporter('go', west, { peers });
      await waitFor('a heartbeat', () => east.reachable('west'));
      assert.equal(String(await fixture.roundTrip(portOf(east), 'ping')), 'ping');
      const gatewaysOf = (method: string) =>
        west.requests().flatMap((request) => (request.method === method ? [request.gateway] : []));
      await waitFor('both', () => new Set(gatewaysOf('POST')).size === 2 && new Set(gatewaysOf('GET')).size === 2);
      assert.deepEqual(gatewaysOf('CONNECT'), [0]);
    });
  });

  describe('§5 sources', () => {
    /** Three peers that each answer their own name. */
    async function startThree(options: Parameters<Fixture['startExporter']>[1] = {}): Promise<ClusterLinkPeer[]> {
      const names = ['peer0', 'peer1', 'peer2'];
      return Promise.all(
        names.map((name) =>
          fixture.startExporter('go', { name, service: (socket) => void socket.end(name), ...options }),
        ),
      );
    }

    async function importFrom(
      peers: readonly ClusterLinkPeer[],
      lbScheme: 'round-robin' | 'static',
    ): Promise<ClusterLinkPeer> {
      const sources = peers.map(({ name }) => ({ peer: name, exportName: 'db', exportNamespace: 'shop' }));
      const east = await fixture.startPeer({
        name: 'east',
        flavour: 'go',
        imports: [{ namespace: 'store', name: 'db', sources, lbScheme }],
        peers: peers.map(({ name, gatewayPort }) => ({ name, gateways: [{ host: '127.0.0.1', port: gatewayPort }] })),
        policies: [makePolicy('allow', undefined)],
      });
      await waitFor('heartbeats', () => peers.every(({ name }) => east.reachable(name)));
      return east;
    }

    async function visit(east: ClusterLinkPeer, connections: number): Promise<string> {
      const visited: string[] = [];
      for (let connection = 0; connection < connections; connection++) {
        visited.push(String((await fixture.connectTo(portOf(east)).ended).received).replace('peer', ''));
      }
      return visited.join(' ');
    }

    it('§5, §7 round-robin → begins at index 1; an export deleted → the others in turn; no connection fails', async () => {
      const peers = await startThree();
      const east = await importFrom(peers, 'round-robin');
      assert.equal(await visit(east, 6), '1 2 0 1 2 0');
      peers[0]?.setExports([]);
      assert.equal(await visit(east, 4), '1 2 1 2');
      peers[1]?.setExports([]);
      assert.equal(await visit(east, 3), '2 2 2');
    });

    it('§5 static: a peer denies, another is gone → the next; its own policy denies → the next', async () => {
      const peers = await startThree();
      const east = await importFrom(peers, 'static');
      assert.equal(await visit(east, 2), '0 0');
      peers[0]?.setPolicies([]);
      assert.equal(await visit(east, 2), '1 1');
      await peers[1]?.close();
      await waitFor('it is down', () => !east.reachable('peer1'));
      assert.equal(await visit(east, 1), '2');
      const peer2 = { to: [{ matchLabels: { 'peer.clusterlink.net/name': 'peer2' } }] };
      east.setPolicies([makePolicy('allow', undefined), makePolicy('deny', undefined, peer2)]);
      assert.equal(await visit(east, 1), '');
      assert.equal(east.attempts().at(-1)?.outcome, 'egress-failed');
    });

    it('§5 (4), §8.3 (25) a source without a Peer object → the connection fails, whatever comes after it', async () => {
      const [peer0] = await startThree();
      assert.ok(peer0);
      const east = await importFrom([peer0], 'static');
      const source = { exportName: 'db', exportNamespace: 'shop' };
      const sources = [
        { ...source, peer: 'nobody' },
        { ...source, peer: 'peer0' },
      ];
      await east.setImports([{ namespace: 'store', name: 'db', lbScheme: 'static', sources }]);
      assert.equal(await visit(east, 1), '');
    });

    it('§8.4 (44) a CONNECT that is refused after the token → no other source is tried', async () => {
      const peers = await startThree();
      peers[0]?.setExports([{ namespace: 'shop', name: 'db', target: { host: '127.0.0.1', port: 1 } }]);
      const east = await importFrom(peers, 'static');
      assert.equal(await visit(east, 1), '');
      assert.deepEqual([east.attempts()[0]?.outcome, east.attempts()[0]?.status], ['refused', 500]);
    });

    it('§4.4, §8.3 (26) a client that is not known, and a policy that asks → closed, nobody asked', async () => {
      const west = await fixture.startExporter('go');
      const asks = { from: [{ matchLabels: { 'client.clusterlink.net/namespace': 'x' } }] };
      const policies = [makePolicy('allow', undefined), makePolicy('allow', 'far', asks)];
      const east = await fixture.startImporter('go', west, { policies });
      await fixture.connectTo(portOf(east)).ended;
      assert.equal(east.attempts()[0]?.outcome, 'egress-failed');
      assert.ok(west.requests().every(({ method }) => method === 'GET'));
    });
  });

  describe('its listeners', () => {
    it('§8.4 (37) clients at once → Go decides about one after the other, Envoy about all', async () => {
      let [deciding, most, together] = [0, 0, 0];
      const west = await startScripted({
        async authz(end) {
          most = Math.max(most, ++deciding);
          // Time for more than there should be to come, and as long as it takes for those that should.
          await sleep(60);
          await waitFor('the others', () => most >= together);
          deciding--;
          await end.send(GRANTED);
        },
      });
      for (const flavour of FLAVOURS) {
        [most, together] = [0, flavour === 'go' ? 1 : 5];
        const east = await fixture.startImporter(flavour, west);
        const clients = Array.from({ length: 5 }, () => fixture.connectTo(portOf(east)));
        await waitFor('decisions', () => east.attempts().filter(({ source }) => source !== undefined).length === 5);
        assert.equal(most, together, flavour);
        clients.forEach(({ socket }) => socket.destroy());
      }
    });

    it('§1.4 no sources → connects, and is closed; the import deleted → refused, its tunnel lives on', async () => {
      const west = await fixture.startExporter('go');
      const east = await fixture.startImporter('go', west);
      const client = fixture.connectTo(portOf(east));
      client.socket.write('one');
      await waitFor('the echo', () => String(client.received()) === 'one');
      const port = portOf(east);
      await east.setImports([{ namespace: 'store', name: 'empty', sources: [] }]);
      const refused = fixture.connectTo(port);
      assert.equal((await refused.ended).reset, true);
      assert.deepEqual((await fixture.connectTo(east.importPort('store/empty')).ended).received, Buffer.alloc(0));
      client.socket.write('two');
      await waitFor('the echo', () => String(client.received()) === 'onetwo');
    });

    it('§7 TestDynamicPeerCertificates: another fabric on one side → down; on both → up again, no restart', async () => {
      const west = await fixture.startExporter('go');
      const east = await fixture.startImporter('go', west);
      const next = await makeTestFabric();
      fixture.onClose(() => next.remove());
      east.swapCertificate(await next.identity('east'));
      await waitFor('it is down', () => !east.reachable('west'));
      assert.equal(String(await fixture.roundTrip(portOf(east), 'ping')), '');
      west.swapCertificate(await next.identity('west'));
      await waitFor('it is up', () => east.reachable('west'));
      assert.equal(String(await fixture.roundTrip(portOf(east), 'ping')), 'ping');
    });

    it('§1.2 a peer that imports from itself → served', async () => {
      const west = await fixture.startExporter('go');
      const sources = [{ peer: 'west', exportName: 'db', exportNamespace: 'shop' }];
      await west.setPeers([{ name: 'west', gateways: [{ host: '127.0.0.1', port: west.gatewayPort }] }]);
      await west.setImports([{ namespace: 'store', name: 'db', sources }]);
      await waitFor('a heartbeat', () => west.reachable('west'));
      assert.equal(String(await fixture.roundTrip(portOf(west), 'ping')), 'ping');
    });

    it('a port that is taken → the start fails', async () => {
      const west = await fixture.startExporter('go');
      await assert.rejects(fixture.startPeer({ name: 'east', flavour: 'go', gatewayPort: west.gatewayPort }), {
        code: 'EADDRINUSE',
      });
    });

    for (const flavour of FLAVOURS) {
      it(`close, ${flavour}, with tunnels, waiting clients and late answers → nothing is left`, async () => {
        const slow = await startScripted({ authz: () => new Promise(() => undefined) });
        const west = await fixture.startExporter('go');
        const gateways = ({ gatewayPort }: { readonly gatewayPort: number }) => [
          { host: '127.0.0.1', port: gatewayPort },
        ];
        const peers = [
          { name: 'west', gateways: gateways(west) },
          { name: 'slow', gateways: gateways(slow) },
        ];
        const source = { exportName: 'db', exportNamespace: 'shop' };
        const imports = ['west', 'slow'].map((peer) => ({
          namespace: 'store',
          name: peer,
          sources: [{ ...source, peer }],
        }));
        const east = await fixture.startImporter(flavour, west, { peers, imports });
        const clients = [
          fixture.connectTo(east.importPort('store/west')),
          fixture.connectTo(east.importPort('store/slow')),
        ];
        await waitFor('a tunnel', () => east.openTunnels() === 1);
        await east.close();
        await Promise.all(clients.map(({ ended }) => ended));
        await waitFor('the far end', () => west.openTunnels() === 0);
        assert.equal(east.openTunnels(), 0);
      });
    }
  });
});

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
