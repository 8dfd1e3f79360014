import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { makeHealth, type Health } from '#src/runtime/health.ts';
import { startHttp, type HttpServer } from '#src/runtime/http.ts';
import { HTTP_CONNECTIONS_MAX, HTTP_HEAD_BYTES_MAX } from '#src/runtime/limits.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { makeMetrics, type Metrics } from '#src/runtime/metrics.ts';

describe('startHttp', () => {
  let health: Health;
  let metrics: Metrics;
  let server: HttpServer;
  const listen = { host: '127.0.0.1', port: 0 };
  const logger = makeSilentLogger();

  beforeEach(async () => {
    health = makeHealth();
    metrics = makeMetrics({ version: '0.1.0', processMetrics: 'collected' });
    server = await startHttp({ listen, health, metrics, logger });
  });
  afterEach(async () => {
    await server.close();
  });

  async function ask(
    path: string,
    { method = 'GET', body = '' } = {},
  ): Promise<{ message: IncomingMessage; body: string }> {
    const headers = { 'content-length': Buffer.byteLength(body) };
    const sent = request({ ...server.address, path, method, headers, agent: false });
    sent.end(body);
    const [message] = (await once(sent, 'response')) as [IncomingMessage];
    return { message, body: await text(message) };
  }

  it('/livez → 200 while the process turns, ready or not', async () => {
    const { message, body } = await ask('/livez');
    assert.deepEqual([message.statusCode, body], [200, 'ok\n']);
  });

  it('/readyz → 503 that names each missing thing, then 200', async () => {
    const store = health.expect('store');
    const dns = health.expect('dns');
    dns.missing('waits for its first snapshot');
    const before = await ask('/readyz');
    assert.equal(before.message.statusCode, 503);
    assert.equal(before.body, 'store: has not started\ndns: waits for its first snapshot\nnot ready\n');
    store.ready();
    assert.equal(
      (await ask('/readyz?verbose')).body,
      '[+] store: ready\n[-] dns: waits for its first snapshot\nnot ready\n',
    );
    dns.ready();
    const ready = await ask('/readyz');
    assert.deepEqual([ready.message.statusCode, ready.body], [200, 'ok\n']);
    health.drain();
    assert.equal((await ask('/readyz')).message.statusCode, 503);
  });

  it('/metrics → the exposition with its content type, process metrics included', async () => {
    metrics.storeProblems.set(3);
    const { message, body } = await ask('/metrics');
    assert.equal(message.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(body, /^clusterlink_mcs_store_problems 3$/m);
    assert.match(body, /^process_cpu_seconds_total /m);
  });

  it('HEAD → the head alone', async () => {
    const { message, body } = await ask('/livez', { method: 'HEAD' });
    assert.deepEqual([message.statusCode, message.headers['content-length'], body], [200, '3', '']);
  });

  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    it(`${method} → 405 with what is allowed`, async () => {
      const { message } = await ask('/metrics', { method, body: 'x'.repeat(100) });
      assert.deepEqual([message.statusCode, message.headers.allow], [405, 'GET, HEAD']);
    });
  }

  for (const path of ['/', '/metrics/', '/livez/x', '//livez', '/%6civez']) {
    it(`${path} → 404`, async () => assert.equal((await ask(path)).message.statusCode, 404));
  }

  it('/client of a process that is no pod → 404', async () =>
    assert.equal((await ask('/client')).message.statusCode, 404));

  for (const [host, family] of [
    ['127.0.0.1', 'IPv4'],
    ['::', 'both families'],
  ] as const) {
    it(`/client of one that listens for ${family} → JSON with the caller's IPv4 address`, async () => {
      const describeCaller = (client: string): object => ({ pod: 'dns-1', client });
      const other = await startHttp({ listen: { host, port: 0 }, health, metrics, logger, describeCaller });
      const sent = request({ host: '127.0.0.1', port: other.address.port, path: '/client', agent: false }).end();
      const [message] = (await once(sent, 'response')) as [IncomingMessage];
      assert.deepEqual([message.statusCode, message.headers['content-type']], [200, 'application/json']);
      assert.equal(await text(message), '{"pod":"dns-1","client":"127.0.0.1"}\n');
      await other.close();
    });
  }

  it('a scrape that fails → 500 without its cause', async () => {
    const failing = { contentType: 'text/plain', expose: () => Promise.reject(new Error('secret')) };
    const other = await startHttp({ listen, health, metrics: failing, logger });
    const sent = request({ ...other.address, path: '/metrics', agent: false }).end();
    const [message] = (await once(sent, 'response')) as [IncomingMessage];
    assert.deepEqual([message.statusCode, await text(message)], [500, 'internal error\n']);
    await other.close();
  });

  async function send(bytes: string): Promise<string> {
    const socket = createConnection(server.address);
    socket.on('error', () => undefined);
    socket.write(bytes);
    return await text(socket);
  }

  it(`a head of more than ${HTTP_HEAD_BYTES_MAX} bytes → 431, connection closed`, async () => {
    assert.match(
      await send(`GET /livez HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(HTTP_HEAD_BYTES_MAX)}\r\n\r\n`),
      /^HTTP\/1\.1 431 /,
    );
  });

  it('garbage → 400, connection closed', async () => {
    assert.match(await send('\u0016\u0003\u0001\u0000\r\n\r\n'), /^HTTP\/1\.1 400 /);
  });

  it(`somebody keeps ${HTTP_CONNECTIONS_MAX} connections open → others are answered, and his oldest are closed for it`, async () => {
    const sockets: Socket[] = [];
    while (sockets.length < HTTP_CONNECTIONS_MAX) {
      const socket = createConnection(server.address).on('error', () => undefined);
      await once(socket, 'connect');
      sockets.push(socket);
    }
    const kept: Socket[] = [];
    for (const localAddress of ['127.0.0.2', '127.0.0.2', '127.0.0.3']) {
      const other = createConnection({ ...server.address, localAddress });
      kept.push(other);
      other.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
      const [answer] = (await once(other, 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
    }
    await Promise.all(sockets.slice(0, 3).map(async (socket) => socket.closed || once(socket, 'close')));
    const isOpen = (socket: Socket): boolean => !socket.destroyed;
    assert.deepEqual([sockets.slice(3).every(isOpen), kept.every(isOpen)], [true, true]);
    for (const socket of [...sockets, ...kept]) socket.destroy();
  });

  it('an address that is taken → ERR_LISTEN that names it', async () => {
    const taken = startHttp({ listen: server.address, health, metrics, logger });
    await assert.rejects(taken, {
      code: 'ERR_LISTEN',
      message: `metrics 127.0.0.1:${server.address.port}: EADDRINUSE`,
    });
  });
});
