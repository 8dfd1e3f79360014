/** Two exporters of one import, one of which dies by halves: no client is lost, and it is used again when it is well. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { ANSWER_TIMEOUT_MS, EJECT_AFTER_FAILURES, SWITCH_AFTER_MS } from '#src/gateway/limits.ts';
import { readHead } from '#src/gateway/read-head.ts';
import { encodeAnswer, parseStreamRequest } from '#src/gateway/wire/connect.ts';
import { makeRequestHeadParser } from '#src/gateway/wire/head.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { greetAs } from '#test/support/hostile.ts';
import { measureLateness } from '#test/support/lateness.ts';
import { startLink, type Link } from '#test/support/link.ts';
import { allowAll, startTestPlane, type SnapshotParts, type TestPlane } from '#test/support/planes.ts';
import { waitFor } from '#test/support/wait.ts';

const VIP = '127.99.5.1';
const LISTEN_PORT = 26_005;
/** A peer that falls silent is out of use within 2 s (DESIGN §7), and is noticed by who looks every few milliseconds. */
const OUT_OF_USE_MS = 2_000;
const NOTICE_MS = 500;

type Peer = NonNullable<SnapshotParts['peers']>[number];
type Export = NonNullable<SnapshotParts['exports']>[number];

function peerRoute(name: string, port?: number): Peer {
  const gateways = port === undefined ? [] : [{ host: '127.0.0.1', port }];
  return { name, labels: {}, gateways, mayAssert: [] };
}

function exporting(port: number): Export[] {
  const endpoints = [{ host: '127.0.0.1', port }];
  const ports = [{ name: '', protocol: 'TCP' as const, port: 5432, endpoints }];
  return [{ namespace: 'shop', name: 'db', uid: 'u', labels: {}, ports }];
}

function importing(...peers: string[]): NonNullable<SnapshotParts['imports']> {
  const sources = peers.map((peer) => ({ peer, namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 }));
  const ports = [{ name: '', protocol: 'TCP' as const, port: 5432, lastListenPort: LISTEN_PORT }];
  return [{ key: { namespace: 'store', name: 'db' }, ips: [VIP], ports, sources, labels: {}, localFirst: true }];
}

interface Served {
  /** Which exporter answered. */
  readonly by: string;
  readonly tookMs: number;
}

describe('failover', function () {
  this.timeout(60_000);
  let fabric: TestFabric;
  let south: TestPlane;
  let west: TestPlane;
  const open: (() => unknown)[] = [];

  before(async () => (fabric = await makeTestFabric()));
  after(() => fabric.remove());
  beforeEach(async () => {
    south = await start('south');
    west = await start('west');
    south.apply({ peers: [peerRoute('west')], exports: exporting(await service('south')), policies: allowAll('shop') });
  });
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });

  async function start(name: string): Promise<TestPlane> {
    const plane = await startTestPlane({ fabric, name });
    open.push(() => plane.close());
    return plane;
  }

  /** Says who it is, then echoes. */
  async function service(name: string): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
      socket.write(`${name} `);
      socket.pipe(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(() => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  /** West imports from both; the first in turn is east. */
  async function importBoth(east: Peer, changes: Partial<ReturnType<typeof importing>[number]> = {}): Promise<void> {
    const peers = [east, peerRoute('south', south.port)];
    const imports = importing('east', 'south').map((one) => ({ ...one, ...changes }));
    const version = west.apply({ peers, imports, policies: allowAll('store') });
    await waitFor('it is in force', () => west.acknowledged() === version);
    await waitFor('both sources can be used', () => {
      const { sources = [], listeners = [] } = west.imports.get('store/db') ?? {};
      return sources.length === 2 && sources.every(({ usable }) => usable) && listeners.some(isListening);
    });
  }

  let clients = 0;
  /** One client from connect to a clean end: whoever serves it, its bytes come back whole. Rejects otherwise. */
  async function client(): Promise<Served> {
    const port = west.imports.get('store/db')?.listeners.find(isListening)?.listenPort ?? 0;
    const startMs = performance.now();
    const payload = `client ${clients++}`;
    const socket = connect({ port, host: VIP, allowHalfOpen: true });
    socket.end(payload);
    const chunks: Buffer[] = [];
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
    const [by = '', ...rest] = Buffer.concat(chunks).toString().split(' ');
    assert.equal(rest.join(' '), payload);
    return { by, tookMs: performance.now() - startMs };
  }
  async function servedBy(name: string): Promise<void> {
    await waitFor(`${name} serves again`, async () => (await client()).by === name, 20_000);
  }
  const ejectedNow = (): string[] => {
    const last = new Map(west.ejections.map(({ source, ejected }) => [source.peer, ejected !== undefined]));
    return [...last].flatMap(([peer, isEjected]) => (isEjected ? [peer] : []));
  };

  /** East by hand: a session that takes every stream, and serves it or says nothing. */
  async function handMadeEast(): Promise<{ silent: boolean; readonly held: YamuxStream[] }> {
    const east = { silent: true, held: [] as YamuxStream[] };
    west.apply({ peers: [peerRoute('east')] });
    await waitFor('west knows east', () => west.peers.has('east'));
    const session = await greetAs(await fabric.identity('east'), west, (stream) => {
      stream.on('error', () => undefined);
      if (east.silent) return void east.held.push(stream);
      void serveByHand(stream);
    });
    open.push(() => session[Symbol.asyncDispose]());
    await importBoth(peerRoute('east'));
    return east;
  }

  it('takes streams and never answers → only who finds that out waits; well again → used again', async () => {
    const east = await handMadeEast();
    const first = await client();
    assert.equal(first.by, 'south');
    assert.ok(first.tookMs >= SWITCH_AFTER_MS && first.tookMs < ANSWER_TIMEOUT_MS, `${first.tookMs} ms`);
    const { reason, message } = west.ejections[0]?.ejected ?? {};
    assert.deepEqual([reason, message], ['PEER_UNREACHABLE', `east has not answered in ${SWITCH_AFTER_MS} ms.`]);

    const startMs = performance.now();
    const others: Served[] = [];
    while (performance.now() - startMs < 2 * SWITCH_AFTER_MS) others.push(await client());
    assert.ok(others.every(({ by }) => by === 'south'));
    // East was asked by the first, and by one more each time that it was due: after one second, and after two more.
    assert.ok(east.held.length <= 3, `${east.held.length} of ${others.length} asked east`);
    await waitFor('what was overdue is reset', () => east.held.every((stream) => stream.destroyed));

    east.silent = false;
    await servedBy('east');
    assert.deepEqual(ejectedNow(), []);
    const after = await Promise.all(Array.from({ length: 20 }, client));
    assert.equal(after.filter(({ by }) => by === 'east').length, 10, 'in turn, as before');
  });

  it('never answers while 100 clients come at once → each is served, by south', async () => {
    await handMadeEast();
    const served = await Promise.all(Array.from({ length: 100 }, client));
    assert.equal(served.filter(({ by }) => by === 'south').length, 100);
    assert.ok(served.every(({ tookMs }) => tookMs < ANSWER_TIMEOUT_MS));
    assert.deepEqual(ejectedNow(), ['east']);
  });

  it('one of two replicas never answers, and no other source is there → one client waits a second', async () => {
    west.apply({ peers: [peerRoute('east')] });
    await waitFor('west knows east', () => west.peers.has('east'));
    const identity = await fabric.identity('east');
    /** Whichever is asked first falls silent. */
    let silent = '';
    let held = 0;
    for (const instance of ['one', 'two']) {
      const answer = (stream: YamuxStream): void => {
        stream.on('error', () => undefined);
        silent ||= instance;
        if (silent === instance) held++;
        else void serveByHand(stream);
      };
      const session = await greetAs(identity, west, answer, instance);
      open.push(() => session[Symbol.asyncDispose]());
    }
    west.apply({ peers: [peerRoute('east')], imports: importing('east'), policies: allowAll('store') });
    await waitFor('west listens', () => west.imports.get('store/db')?.listeners.some(isListening));
    const served: Served[] = [];
    for (let count = 0; count < 20; count++) served.push(await client());
    assert.ok(served.every(({ by }) => by === 'east'));
    const firstMs = served[0]?.tookMs ?? 0;
    assert.ok(firstMs >= SWITCH_AFTER_MS && firstMs < ANSWER_TIMEOUT_MS, `${firstMs} ms`);
    assert.equal(held, 1);
    assert.deepEqual(west.ejections, [], 'the source itself is well');
  });

  describe('a real exporter', () => {
    let east: TestPlane;
    let link: Link;
    beforeEach(async () => {
      east = await start('east');
      link = await startLink({ host: '127.0.0.1', port: east.port });
      open.push(() => link.close());
      east.apply({ peers: [peerRoute('west')], exports: exporting(await service('east')), policies: allowAll('shop') });
      await importBoth(peerRoute('east', link.port));
    });

    it('stalls → without early data every client is served, it is out of use in 2 s without a grace; runs on → used again', async () => {
      await importBoth(peerRoute('east', link.port), { earlyData: 'Off' });
      await servedBy('east');
      const isUsable = (): boolean | undefined =>
        west.imports.get('store/db')?.sources.find(({ peer }) => peer === 'east')?.usable;
      using lateness = measureLateness();
      const stalledMs = performance.now();
      link.set('stalled');
      const gone = waitFor('east is out of use', () => isUsable() === false).then(
        () => performance.now() - lateness.lateMs,
      );
      const during: Served[] = [];
      while (isUsable() === true) during.push(await client());
      const outMs = (await gone) - stalledMs;
      assert.ok(outMs < OUT_OF_USE_MS + NOTICE_MS, `${outMs} ms`);
      during.push(...(await Promise.all(Array.from({ length: 20 }, client))));
      assert.deepEqual(new Set(during.map(({ by }) => by)), new Set(['south']));
      const waitedMs = Math.max(...during.map(({ tookMs }) => tookMs)) - lateness.lateMs;
      assert.ok(waitedMs < OUT_OF_USE_MS + NOTICE_MS, `${waitedMs} ms`);

      link.set('open');
      await servedBy('east');
      await waitFor('nothing is held against it', () => ejectedNow().length === 0);
    });

    it('its endpoint refuses → every client is served, and few ask it; it listens again → used again', async () => {
      const peers = [peerRoute('west')];
      const closed = await service('closed');
      await open.pop()?.();
      const version = east.apply({ peers, exports: exporting(closed), policies: allowAll('shop') });
      await waitFor('it is in force', () => east.acknowledged() === version);
      const during: Served[] = [];
      for (let count = 0; count < 4 * EJECT_AFTER_FAILURES; count++) during.push(await client());
      assert.deepEqual(new Set(during.map(({ by }) => by)), new Set(['south']));
      assert.deepEqual(west.ejections[0]?.ejected?.reason, 'NO_USABLE_SOURCE');
      const asked = east.closings.filter(({ reason }) => reason === 'DIAL_FAILED').length;
      assert.ok(asked >= EJECT_AFTER_FAILURES && asked <= EJECT_AFTER_FAILURES + 1, `${asked} of them asked east`);

      east.apply({ peers, exports: exporting(await service('east')), policies: allowAll('shop') });
      await servedBy('east');
      assert.deepEqual(ejectedNow(), []);
    });

    it('the other one goes as well → what is ejected is used all the same', async () => {
      const peers = [peerRoute('west')];
      const port = await service('late');
      const down = east.apply({ peers, exports: exporting(1), policies: allowAll('shop') });
      await waitFor('it is in force', () => east.acknowledged() === down);
      await waitFor('east is ejected', async () => (await client()).by === 'south' && ejectedNow().includes('east'));
      const up = east.apply({ peers, exports: exporting(port), policies: allowAll('shop') });
      await waitFor('it is in force', () => east.acknowledged() === up);
      await south.close();
      await waitFor('south is lost', () => west.peers.get('south')?.version === undefined);
      assert.equal((await client()).by, 'late');
    });
  });
});

async function serveByHand(stream: YamuxStream): Promise<void> {
  const asked = parseStreamRequest(await readHead(stream, makeRequestHeadParser(), ANSWER_TIMEOUT_MS));
  assert.equal(asked.kind, 'connect');
  stream.write(encodeAnswer({ ok: true, connection: asked.request.connection }));
  stream.write('east ');
  stream.pipe(stream);
}

function isListening({ state }: { readonly state: string }): boolean {
  return state === 'Listening';
}
