/** What endpoints that ask for it are told of each connection, by whichever way it comes: read by hand, and by HAProxy. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { StatusReport } from '#src/cli/run/status.ts';
import type { ProbeOutcome } from '#src/gateway/messages.ts';
import { digestLabels } from '#src/gateway/introduce.ts';
import { makeFixture, type Fixture } from '#test/support/clusterlink/fixture.ts';
import type { ClusterLinkPeer } from '#test/support/clusterlink/peer.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { allowAll, startTestPlane, type TestPlane } from '#test/support/planes.ts';
import { decodeProxyHeader, type DecodedHeader } from '#test/support/proxy-header.ts';
import {
  exportManifest,
  freePort,
  makeWorld,
  policyManifest,
  ruleManifest,
  type StandalonePeer,
  type World,
} from '#test/support/standalone.ts';
import { requireTool } from '#test/support/tools.ts';
import { waitFor } from '#test/support/wait.ts';

const VIPS = { west: '127.99.8.1', east: '127.99.8.2' } as const;
const PORTS = { told: 5432, untold: 5433 } as const;
const CHECKSUM = 0x03;

/** One connection, as an endpoint sees it. */
interface Seen {
  readonly chunks: Buffer[];
  ended: boolean;
}

describe('PROXY protocol', function () {
  this.timeout(20_000);
  let fabric: TestFabric;
  let fixture: Fixture;
  let east: TestPlane;
  let west: TestPlane;
  let seen: Seen[];

  before(async () => (fabric = await makeTestFabric()));
  after(() => fabric.remove());
  beforeEach(async () => {
    seen = [];
    fixture = makeFixture(fabric);
    east = await startTestPlane({ fabric, name: 'east' });
    west = await startTestPlane({ fabric, name: 'west' });
    for (const plane of [east, west]) fixture.onClose(() => plane.close());
  });
  afterEach(() => fixture[Symbol.asyncDispose]());

  /** Echoes what comes behind the header, if it is to have one. */
  function startEndpoint(isTold: boolean): Promise<number> {
    return fixture.startService((socket) => {
      const one: Seen = { chunks: [], ended: false };
      seen.push(one);
      let isBehind = !isTold;
      socket.on('error', () => undefined);
      socket.on('end', () => {
        one.ended = true;
        socket.end();
      });
      socket.on('data', (chunk: Buffer) => {
        one.chunks.push(chunk);
        if (isBehind) return void socket.write(chunk);
        const all = Buffer.concat(one.chunks);
        const header = decodeProxyHeader(all);
        if (header === undefined) return;
        isBehind = true;
        if (all.length > header.bytes) socket.write(all.subarray(header.bytes));
      });
    });
  }

  /** East exports shop/db, of whose ports one has endpoints that are told; both import it. */
  async function share(endpointPort: number, mayAssert: ('namespace' | 'service-account' | 'labels')[] = []) {
    const endpoints = [{ host: '127.0.0.1', port: endpointPort }];
    const told = { name: 'told', protocol: 'TCP' as const, port: PORTS.told };
    const untold = { name: 'untold', protocol: 'TCP' as const, port: PORTS.untold };
    const importOf = (ip: string) => ({
      ...{ key: { namespace: 'store', name: 'db' }, ips: [ip], ports: [told, untold], labels: {}, localFirst: true },
      sources: [{ peer: 'east', namespace: 'shop', name: 'db', ports: [PORTS.told, PORTS.untold], readyEndpoints: 1 }],
    });
    const version = east.apply({
      peers: [{ name: 'west', labels: {}, gateways: [], mayAssert }],
      exports: [
        {
          ...{ namespace: 'shop', name: 'db', uid: 'u', labels: {}, defaultPort: PORTS.told },
          ports: [
            { ...told, endpoints, proxyProtocol: 'v2' },
            { ...untold, endpoints },
          ],
        },
      ],
      imports: [importOf(VIPS.east)],
      policies: allowAll('shop', 'store'),
    });
    west.apply({
      peers: [{ name: 'east', labels: {}, gateways: [{ host: '127.0.0.1', port: east.port }], mayAssert: [] }],
      imports: [importOf(VIPS.west)],
      policies: allowAll('store'),
    });
    await waitFor('east has it in force', () => east.acknowledged() === version);
    await waitFor('west can use it', () => west.imports.get('store/db')?.sources.every(({ usable }) => usable));
  }

  async function dial(plane: TestPlane, port: number): Promise<Socket> {
    const listener = await waitFor(`${plane.name} listens`, () =>
      plane.imports.get('store/db')?.listeners.find((one) => one.port === port && one.listenPort !== undefined),
    );
    const host = plane === west ? VIPS.west : VIPS.east;
    return connect({ host, port: listener.listenPort ?? 0, allowHalfOpen: true });
  }

  /** Sends it all, and resolves with what has come back when the other half is closed, too. */
  async function exchange(socket: Socket, payload: string | Buffer): Promise<Buffer> {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.end(payload);
    await once(socket, 'end');
    return Buffer.concat(chunks);
  }

  const headerOf = (one: Seen | undefined): DecodedHeader | undefined =>
    decodeProxyHeader(Buffer.concat(one?.chunks ?? []));

  /** By type, in hexadecimal digits, without the checksum. */
  function toldOf(one: Seen | undefined): Record<string, string> {
    const tlvs = headerOf(one)?.tlvs.filter(([type]) => type !== CHECKSUM) ?? [];
    return Object.fromEntries(tlvs.map(([type, value]) => [type.toString(16), value.toString()]));
  }

  /** The id under which a peer has closed the only connection it had. */
  async function connectionOf({ closings }: TestPlane): Promise<string | undefined> {
    await waitFor('a closing record', () => closings.length > 0);
    return closings[0]?.connection;
  }

  it('over a session → peer, granted attributes, export and connection, the ends of the session; then the client’s bytes', async () => {
    await share(await startEndpoint(true), ['namespace', 'labels']);
    assert.equal((await exchange(await dial(west, PORTS.told), 'hello')).toString(), 'hello');
    const id = await connectionOf(west);
    assert.deepEqual(toldOf(seen[0]), { 2: 'db.shop', 5: id, e0: 'west', e1: 'default', e3: digestLabels({}) });
    const ends = headerOf(seen[0])?.ends;
    assert.equal(ends?.destination, `127.0.0.1:${east.port}`);
    assert.match(ends?.source ?? '', /^127\.0\.0\.1:[1-9]\d+$/);
    assert.equal(await connectionOf(east), id);
    assert.equal(east.closings[0]?.sentBytes, 5);
  });

  it('a megabyte behind it → the same bytes', async () => {
    await share(await startEndpoint(true));
    const payload = randomBytes(1024 * 1024);
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    assert.equal(digest(await exchange(await dial(west, PORTS.told), payload)), digest(payload));
    assert.deepEqual(Object.keys(toldOf(seen[0])), ['2', '5', 'e0']);
  });

  it('a client that says nothing → the endpoint is told all the same', async () => {
    await share(await startEndpoint(true));
    const socket = await dial(west, PORTS.told);
    await waitFor('the header', () => headerOf(seen[0]) !== undefined);
    assert.equal((await exchange(socket, '')).length, 0);
  });

  it('a port that does not ask for it → the client’s bytes alone', async () => {
    await share(await startEndpoint(false));
    assert.equal((await exchange(await dial(west, PORTS.untold), 'hello')).toString(), 'hello');
    assert.equal(Buffer.concat(seen[0]?.chunks ?? []).toString(), 'hello');
  });

  it('a client of the exporter itself → what is known of it here, from where to where it has connected', async () => {
    await share(await startEndpoint(true));
    const socket = await dial(east, PORTS.told);
    await once(socket, 'connect');
    const { localPort, remotePort, localAddress } = socket;
    await exchange(socket, 'hello');
    const { 5: id, ...told } = toldOf(seen[0]);
    assert.deepEqual(told, { 2: 'db.shop', e0: 'east', e1: 'default', e2: 'host', e3: digestLabels({}) });
    assert.equal(id, await connectionOf(east));
    assert.deepEqual(headerOf(seen[0])?.ends, {
      source: `${localAddress}:${localPort}`,
      destination: `${VIPS.east}:${remotePort}`,
    });
  });

  /** West in ClusterLink's form. */
  async function startImporter(): Promise<ClusterLinkPeer> {
    const sources = [{ peer: 'east', exportName: 'db', exportNamespace: 'shop' }];
    const importer = await fixture.startImporter(
      'go',
      { gatewayPort: east.port },
      {
        name: 'west',
        peers: [{ name: 'east', gateways: [{ host: '127.0.0.1', port: east.port }] }],
        imports: [{ namespace: 'store', name: 'db', sources }],
      },
    );
    await waitFor('a heartbeat', () => importer.reachable('east'));
    return importer;
  }

  it('in ClusterLink’s form → the same; its connection is its own', async () => {
    await share(await startEndpoint(true));
    const importer = await startImporter();
    assert.equal((await fixture.roundTrip(importer.importPort('store/db'), 'hello')).toString(), 'hello');
    assert.deepEqual(toldOf(seen[0]), { 2: 'db.shop', 5: await connectionOf(east), e0: 'west' });
    assert.equal(headerOf(seen[0])?.ends?.destination, `127.0.0.1:${east.port}`);
  });

  it('an endpoint that resets as soon as it is told, in ClusterLink’s form → its tunnel ends, and the gateway lives', async () => {
    const port = await fixture.startService((socket) => void socket.once('data', () => socket.resetAndDestroy()));
    await share(port);
    const importer = await startImporter();
    for (let count = 0; count < 20; count++) {
      const { received } = await fixture.connectTo(importer.importPort('store/db')).ended;
      assert.equal(received.length, 0);
    }
    await waitFor('all records', () => east.closings.length === 20);
    assert.ok(
      east.closings.every(({ reason }) => reason === 'ABORTED'),
      JSON.stringify(east.closings),
    );
  });

  for (const asking of ['west', 'east'] as const) {
    it(`a probe of ${asking} that dials → LOCAL, and the end`, async () => {
      await share(await startEndpoint(true));
      const outcome = await probe(asking === 'west' ? west : east);
      assert.deepEqual(outcome, { ok: true });
      await waitFor('the end', () => seen[0]?.ended);
      assert.deepEqual(headerOf(seen[0]), { command: 'LOCAL', ends: undefined, tlvs: [], bytes: 16 });
      assert.equal(Buffer.concat(seen[0]?.chunks ?? []).length, 16);
    });
  }

  function probe(plane: TestPlane): Promise<ProbeOutcome> {
    return plane.probe({
      client: { namespace: 'default', serviceAccount: 'host', labels: {} },
      source: { peer: 'east', namespace: 'shop', name: 'db' },
      port: PORTS.told,
      mode: 'dial',
    });
  }

  it('HAProxy → it knows the connection, the export and both addresses, and has found the checksum right', async function () {
    const haproxy = requireTool(this, 'haproxy');
    const folder = await mkdtemp(join(tmpdir(), 'proxy-protocol-'));
    fixture.onClose(() => rm(folder, { recursive: true }));
    const port = await freePort();
    const file = join(folder, 'haproxy.cfg');
    await writeFile(file, HAPROXY.replace('PORT', String(port)));
    const child = spawn(haproxy, ['-db', '-f', file], { stdio: 'ignore' });
    fixture.onClose(async () => {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    });
    await waitFor('HAProxy listens', async () => {
      const socket = connect({ host: '127.0.0.1', port });
      await once(socket, 'connect');
      socket.destroy();
      return true;
    });
    await share(port);
    const answer = await exchange(await dial(west, PORTS.told), 'GET / HTTP/1.0\r\n\r\n');
    const [, body = ''] = answer.toString().split('\r\n\r\n');
    const [authority, id, source, destination] = body.trim().split(' ');
    assert.deepEqual([authority, id], ['db.shop', await connectionOf(west)], answer.toString());
    assert.match(source ?? '', /^127\.0\.0\.1:[1-9]\d+$/);
    assert.equal(destination, `127.0.0.1:${east.port}`);
  });
});

describe('PROXY protocol, from manifests', function () {
  this.timeout(60_000);
  let world: World;
  let east: StandalonePeer;
  let server: Server;
  let heard: string;

  before(async () => {
    world = await makeWorld();
    east = await world.peer('east');
    heard = '';
    server = createServer((socket) => {
      socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1'))).on('error', () => undefined);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await east.write('rule.yaml', `${ruleManifest()}---\n${stringify(policyManifest('store'))}`);
  });
  after(async () => {
    await world.close();
    server.close();
  });

  async function share(annotation: string): Promise<void> {
    const { port } = server.address() as AddressInfo;
    const annotations = `annotations: {mcs.clusterlink.net/proxy-protocol: "${annotation}"}`;
    const text = exportManifest('db', 5432, port);
    await east.write('db.yaml', text.replace(/(kind: ServiceExport\nmetadata:\n)/, `$1  ${annotations}\n`));
  }
  const validOf = async (): Promise<StatusReport['exports'][number] | undefined> =>
    (await east.status()).exports.find(({ name }) => name === 'shop/db');

  it('a ServiceExport that names its port → the endpoint is told; a port that is not there → not valid, and what was meant', async () => {
    await share('v2:main');
    const found = await waitFor('the import is ready', async () =>
      (await east.status()).imports.find(({ name, ready }) => name === 'store/db' && ready === 'True'),
    );
    const socket = connect({ host: found.ip, port: Number(/at (\d+)/.exec(found.ports)?.[1] ?? 5432) });
    socket.on('error', () => undefined);
    socket.write('hello');
    await waitFor('the bytes', () => heard.endsWith('hello'));
    const header = decodeProxyHeader(Buffer.from(heard, 'latin1'));
    assert.ok(header !== undefined);
    assert.equal(header.bytes + 'hello'.length, heard.length);
    const peer = header.tlvs.find(([type]) => type === 0xe0)?.[1];
    assert.equal(peer?.toString(), 'east');

    await share('v2:mian');
    const refused = await waitFor('it is refused', async () => {
      const one = await validOf();
      return one?.valid.startsWith('False') === true ? one : undefined;
    });
    assert.match(refused.message, /the Service has no TCP port "mian", it has "main 5432"/);
    await waitFor('the connection is cut', () => socket.closed);
  });
});

const HAPROXY = `
defaults
  mode http
  timeout client 10s
frontend told
  bind 127.0.0.1:PORT accept-proxy
  http-request return content-type text/plain lf-string "%[fc_pp_authority] %[fc_pp_unique_id] %[src]:%[src_port] %[dst]:%[dst_port]"
`;
