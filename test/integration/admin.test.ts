import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { AppError } from '#src/api/errors.ts';
import { callAdmin, startAdmin, type AdminRoutes, type AdminServer } from '#src/runtime/admin.ts';
import { ADMIN_ANSWER_BYTES_MAX, ADMIN_BODY_BYTES_MAX, ADMIN_REQUESTS_MAX } from '#src/runtime/limits.ts';
import { makeLogger, makeSilentLogger } from '#src/runtime/log.ts';

describe('admin socket', () => {
  let folder: string;
  let path: string;
  let server: AdminServer | undefined;
  const logger = makeSilentLogger();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mcs-admin-'));
    path = join(folder, 'state', 'admin.sock');
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  async function serve(routes: AdminRoutes, deadlineMs = 5_000): Promise<void> {
    server = await startAdmin({ path, routes, logger, deadlineMs });
  }
  const call = (route: string, body?: unknown, method = 'POST'): Promise<unknown> =>
    callAdmin({ path, method, route, body, timeoutMs: 5_000 });

  it('a call → the route gets the body, the caller gets what it returns', async () => {
    await serve({
      'POST /echo': (body) => Promise.resolve({ body }),
      'GET /nothing': () => Promise.resolve(undefined),
    });
    assert.deepEqual(await call('/echo', { a: ['ü', 1, null] }), { body: { a: ['ü', 1, null] } });
    assert.deepEqual(await call('/echo'), {});
    assert.equal(await call('/nothing', undefined, 'GET'), null);
  });

  it('the socket → mode 600 in a folder of mode 700, gone after close', async () => {
    const mask = process.umask();
    await serve({});
    assert.equal(process.umask(), mask, 'the mask is as before');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(join(folder, 'state'))).mode & 0o777, 0o700);
    await server?.close();
    server = undefined;
    await assert.rejects(stat(path), { code: 'ENOENT' });
  });

  it('an AppError of a route → the same error at the caller', async () => {
    const error = new AppError('ERR_NOT_FOUND', 'Service shop/db: is not there', { fix: 'create it', retryable: true });
    await serve({ 'POST /fail': () => Promise.reject(error) });
    await assert.rejects(call('/fail'), (caught) => {
      assert.ok(caught instanceof AppError);
      assert.deepEqual(
        [caught.code, caught.message, caught.fix, caught.retryable],
        [error.code, error.message, error.fix, true],
      );
      return true;
    });
  });

  it('a route that throws before it has a promise → its error all the same', async () => {
    await serve({
      'POST /fail': () => {
        throw new AppError('ERR_USAGE', 'request: no');
      },
    });
    await assert.rejects(call('/fail'), { code: 'ERR_USAGE' });
  });

  it('any other error of a route → ERR_INTERNAL without its text, which is in the log', async () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const routes = { 'POST /fail': () => Promise.reject(new Error('inner detail')) };
    server = await startAdmin({ path, routes, logger: makeLogger({ level: 'error', destination }) });
    await assert.rejects(call('/fail'), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ERR_INTERNAL');
      assert.ok(!error.message.includes('inner'));
      return true;
    });
    assert.match(lines.join(''), /inner detail/);
  });

  for (const [method, route] of [
    ['GET', '/unknown'],
    ['GET', '/echo'],
    ['POST', '/echo?x=1'],
    ['POST', '/constructor'],
  ] as const) {
    it(`${method} ${route}, which there is not → ERR_NOT_FOUND`, async () => {
      await serve({ 'POST /echo': (body) => Promise.resolve(body) });
      await assert.rejects(call(route, undefined, method), { code: 'ERR_NOT_FOUND' });
    });
  }

  it(`a body of ${ADMIN_BODY_BYTES_MAX} bytes → taken, one more → ERR_BOUND_EXCEEDED`, async () => {
    await serve({ 'POST /size': (body) => Promise.resolve((body as string).length) });
    assert.equal(await call('/size', 'x'.repeat(ADMIN_BODY_BYTES_MAX - 2)), ADMIN_BODY_BYTES_MAX - 2);
    await assert.rejects(call('/size', 'x'.repeat(ADMIN_BODY_BYTES_MAX - 1)), { code: 'ERR_BOUND_EXCEEDED' });
  });

  it('an answer beyond the bound → ERR_BOUND_EXCEEDED at the caller', async () => {
    await serve({ 'POST /big': () => Promise.resolve('x'.repeat(ADMIN_ANSWER_BYTES_MAX)) });
    await assert.rejects(call('/big'), { code: 'ERR_BOUND_EXCEEDED' });
  });

  it('a body that is no JSON → 400 ERR_MALFORMED', async () => {
    await serve({ 'POST /echo': (body) => Promise.resolve(body) });
    const socket = createConnection(path);
    socket.write('POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\n{x}');
    assert.match(await text(socket), /^HTTP\/1\.1 400 [\s\S]*"code":"ERR_MALFORMED"/);
  });

  it('a route beyond its time → aborted, ERR_TIMEOUT at the caller', async () => {
    const aborted = Promise.withResolvers<void>();
    await serve(
      { 'POST /slow': (_body, signal) => new Promise(() => signal.addEventListener('abort', () => aborted.resolve())) },
      50,
    );
    await assert.rejects(call('/slow'), { code: 'ERR_TIMEOUT', message: /POST \/slow took longer than 50 ms/ });
    await aborted.promise;
  });

  it('a caller that has no more time → ERR_TIMEOUT, and the route is told', async () => {
    const aborted = Promise.withResolvers<void>();
    await serve({
      'POST /slow': (_body, signal) => new Promise(() => signal.addEventListener('abort', () => aborted.resolve())),
    });
    const asked = callAdmin({ path, method: 'POST', route: '/slow', timeoutMs: 50 });
    await assert.rejects(asked, { code: 'ERR_TIMEOUT', message: /no answer in 50 ms/ });
    await aborted.promise;
  });

  it(`${ADMIN_REQUESTS_MAX} requests at once → served, one more → ERR_BOUND_EXCEEDED, then served again`, async () => {
    const gate = Promise.withResolvers<string>();
    let running = 0;
    const full = Promise.withResolvers<void>();
    await serve({
      'POST /wait': () => {
        if (++running === ADMIN_REQUESTS_MAX) full.resolve();
        return gate.promise;
      },
    });
    const calls = Array.from({ length: ADMIN_REQUESTS_MAX }, () => call('/wait'));
    await full.promise;
    await assert.rejects(call('/wait'), { code: 'ERR_BOUND_EXCEEDED' });
    gate.resolve('done');
    assert.deepEqual(new Set(await Promise.all(calls)), new Set(['done']));
    assert.equal(await call('/wait'), 'done');
  });

  it('nobody listens → ERR_ADMIN_UNREACHABLE that names the command', async () => {
    await assert.rejects(call('/status'), {
      code: 'ERR_ADMIN_UNREACHABLE',
      message: /ENOENT/,
      fix: /clusterlink-mcs run/,
    });
  });

  it('somebody listens who speaks otherwise → an AppError, no hang', async () => {
    await mkdir(join(folder, 'state'));
    const other = createServer((socket: Socket) => socket.end('hello\r\n\r\n')).listen(path);
    await once(other, 'listening');
    await assert.rejects(call('/status'), { code: 'ERR_ADMIN_UNREACHABLE' });
    other.close();
  });

  it('a socket that a killed process left → replaced', async () => {
    await mkdir(join(folder, 'state'), { mode: 0o700 });
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    assert.ok((await stat(path)).isSocket());
    await assert.rejects(call('/status'), { code: 'ERR_ADMIN_UNREACHABLE', message: /ECONNREFUSED/ });
    await serve({ 'POST /ping': () => Promise.resolve('pong') });
    assert.equal(await call('/ping'), 'pong');
  });

  it('a socket that another process serves → ERR_LISTEN, and that one goes on', async () => {
    await serve({ 'POST /ping': () => Promise.resolve('first') });
    await assert.rejects(startAdmin({ path, routes: {}, logger }), {
      code: 'ERR_LISTEN',
      message: /another process serves it/,
    });
    assert.equal(await call('/ping'), 'first');
  });

  it('a file in its place → ERR_LISTEN, and the file is left alone', async () => {
    await mkdir(join(folder, 'state'), { mode: 0o700 });
    await writeFile(path, 'precious');
    await assert.rejects(serve({}), { code: 'ERR_LISTEN', message: /is not a socket/ });
    assert.equal((await stat(path)).size, 8);
  });

  it('a folder that others can write → ERR_LISTEN with the remedy', async () => {
    const state = join(folder, 'state');
    await mkdir(state);
    await chmod(state, 0o770);
    await assert.rejects(serve({}), { code: 'ERR_LISTEN', fix: new RegExp(`chmod 700 ${state}`) });
  });

  it('a path of 107 bytes → served, 108 → ERR_LISTEN that says so', async () => {
    const long = (bytes: number): string => join(folder, 'x'.repeat(bytes - Buffer.byteLength(folder) - 1));
    await assert.rejects(startAdmin({ path: long(108), routes: {}, logger }), {
      code: 'ERR_LISTEN',
      message: /108 bytes are too long/,
    });
    path = long(107);
    await serve({ 'POST /ping': () => Promise.resolve('pong') });
    assert.equal(await call('/ping'), 'pong');
  });
});
