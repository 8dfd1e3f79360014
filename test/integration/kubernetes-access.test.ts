/** Kubeconfigs, credentials and connections, against a server that only counts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { stringify } from 'yaml';
import { AppError } from '#src/api/errors.ts';
import type { CertificateAndKey } from '#src/fabric/authority.ts';
import { loadAccess, type AccessOptions, type KubernetesAccess } from '#src/store/kubernetes/access.ts';
import { ANSWER_BYTES_MAX, RETRY_AFTER_MAX_MS } from '#src/store/kubernetes/limits.ts';
import { makeAuthority, signCertificate } from '#test/support/api-server/authority.ts';
import { waitFor } from '#test/support/wait.ts';

const SECRET = 'very-secret-text';

describe('loadAccess', () => {
  let authority: CertificateAndKey;
  let serving: CertificateAndKey;
  let folder: string;
  let server: Server;
  let connections: number;
  let open: Set<TLSSocket>;
  let access: KubernetesAccess | undefined;
  let handle: (request: IncomingMessage, response: ServerResponse) => void;

  before(async () => {
    authority = await makeAuthority('test');
    serving = await signCertificate(authority, { user: 'server', addresses: ['127.0.0.1'] });
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kubernetes-access-'));
    [connections, open] = [0, new Set()];
    handle = (_, response) => response.end('{"kind":"Status"}');
    server = createServer(
      {
        cert: serving.certPem,
        key: serving.keyPem,
        ca: authority.certPem,
        requestCert: true,
        rejectUnauthorized: false,
      },
      (request, response) => handle(request, response),
    );
    server.on('secureConnection', (socket) => {
      connections += 1;
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      socket.on('error', () => undefined);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    await access?.close();
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });

  function url(): string {
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  function configOf(name: string, parts: { cluster?: object; user?: object; current?: string } = {}): object {
    const ca = Buffer.from(authority.certPem).toString('base64');
    return {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster: { server: url(), 'certificate-authority-data': ca, ...parts.cluster } }],
      users: [{ name, user: parts.user ?? { token: SECRET } }],
      contexts: [{ name, context: { cluster: name, user: name, namespace: `ns-${name}` } }],
      'current-context': parts.current ?? name,
    };
  }

  async function write(name: string, content: object | string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, typeof content === 'string' ? content : stringify(content), { mode: 0o600 });
    return path;
  }

  async function load(parts: Parameters<typeof configOf>[1] = {}): Promise<KubernetesAccess> {
    return (access = loadAccess({ kubeconfig: await write('config', configOf('east', parts)) }));
  }

  function get(from: KubernetesAccess, { timeoutMs = 5_000, path = '/api' } = {}) {
    return from.request({ method: 'GET', path, timeoutMs });
  }

  function configErrorOf(options: AccessOptions): AppError {
    try {
      loadAccess(options);
    } catch (error) {
      assert.ok(error instanceof AppError, String(error));
      assert.equal(error.code, 'ERR_CONFIG');
      return error;
    }
    return assert.fail('no error');
  }

  it('50 requests → two connections at most (HTTP/1.1), each with the token', async () => {
    const seen: (string | undefined)[] = [];
    handle = (request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    };
    const opened = await load();
    for (let count = 0; count < 50; count += 1) assert.equal((await get(opened)).status, 200);
    assert.ok(connections <= 2, `${connections} connections`);
    assert.deepEqual([seen.length, [...new Set(seen)]], [50, [`Bearer ${SECRET}`]]);
    assert.deepEqual([opened.cluster, opened.namespace], ['east', 'ns-east']);
  });

  it('many at once as the first → all answered', async () => {
    const opened = await load();
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(opened)));
    assert.ok(answers.every(({ status }) => status === 200));
  });

  it('a server below a path → the path is kept', async () => {
    const paths: (string | undefined)[] = [];
    handle = (request, response) => {
      paths.push(request.url);
      response.end('{}');
    };
    await get(await load({ cluster: { server: `${url()}/k8s/clusters/x/` } }), { path: '/api/v1/pods?limit=1' });
    assert.deepEqual(paths, ['/k8s/clusters/x/api/v1/pods?limit=1']);
  });

  it('a client certificate that is renewed on disk → the next request shows the new one', async () => {
    const users: unknown[] = [];
    handle = (request, response) => {
      users.push((request.socket as TLSSocket).getPeerCertificate().subject.CN);
      response.end('{}');
    };
    const renew = async (user: string): Promise<object> => {
      const identity = await signCertificate(authority, { user });
      return {
        'client-certificate': await write('client.pem', identity.certPem),
        'client-key': await write('client-key.pem', identity.keyPem),
      };
    };
    const opened = await load({ user: await renew('first') });
    await get(opened);
    await get(opened);
    await renew('second');
    await get(opened);
    assert.deepEqual(users, ['first', 'first', 'second']);
  });

  it('a server of another authority, or none at the address → ERR_STORE_UNAVAILABLE, retryable, without secrets', async () => {
    const other = await makeAuthority('other');
    const ca = Buffer.from(other.certPem).toString('base64');
    for (const cluster of [{ 'certificate-authority-data': ca }, { server: 'https://127.0.0.1:1' }]) {
      const error = await rejection(get(await load({ cluster })));
      assert.deepEqual([error.code, error.retryable], ['ERR_STORE_UNAVAILABLE', true]);
      assert.doesNotMatch(error.message, new RegExp(SECRET));
      await access?.close();
    }
  });

  it('a credential plugin that fails → ERR_STORE_UNAVAILABLE, and nothing of what it said', async () => {
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'sh',
      args: ['-c', `echo ${SECRET} >&2; exit 1`],
      interactiveMode: 'Never',
    };
    const error = await rejection(get(await load({ user: { exec } })));
    assert.equal(error.code, 'ERR_STORE_UNAVAILABLE');
    assert.doesNotMatch(`${error.message}${error.fix}${String(error.cause)}`, new RegExp(SECRET));
  });

  it('no answer in time → ERR_TIMEOUT; the next request takes another connection', async () => {
    const opened = await load();
    // Once it is connected the time is that of the answer alone.
    assert.equal((await get(opened)).status, 200);
    handle = () => undefined;
    const error = await rejection(get(opened, { timeoutMs: 100 }));
    assert.deepEqual([error.code, error.retryable], ['ERR_TIMEOUT', true]);
    const before = new Set(open);
    let isAnother = false;
    handle = (request, response) => {
      isAnother = !before.has(request.socket as TLSSocket);
      response.end('{}');
    };
    assert.equal((await get(opened)).status, 200);
    assert.ok(isAnother);
  });

  it('half an answer in time → ERR_TIMEOUT; a stream has no deadline after its head', async () => {
    handle = (_, response) => void response.write('{"half":');
    const opened = await load();
    assert.equal((await rejection(get(opened, { timeoutMs: 100 }))).code, 'ERR_TIMEOUT');
    const { promise: later, resolve: goOn } = Promise.withResolvers<void>();
    handle = (_, response) => {
      response.write('first');
      void later.then(() => response.end('last'));
    };
    const { chunks } = await opened.stream({ method: 'GET', path: '/watch', timeoutMs: 2_000 });
    const seen: string[] = [];
    setTimeout(goOn, 3_000);
    for await (const chunk of chunks) seen.push(Buffer.from(chunk).toString());
    assert.deepEqual(seen, ['first', 'last']);
  });

  it('an answer beyond the bound → ERR_BOUND_EXCEEDED', async () => {
    const block = Buffer.alloc(1024 * 1024, 'x');
    handle = (_, response) => {
      response.on('error', () => undefined);
      for (let bytes = 0; bytes <= ANSWER_BYTES_MAX; bytes += block.length) response.write(block);
      response.end();
    };
    assert.equal((await rejection(get(await load()))).code, 'ERR_BOUND_EXCEEDED');
  });

  it('Retry-After → in milliseconds, bounded; HTML → no body', async () => {
    const opened = await load();
    for (const [given, expected] of [
      ['3', 3_000],
      ['999999', RETRY_AFTER_MAX_MS],
      ['-1', undefined],
      ['tomorrow', undefined],
    ] as const) {
      handle = (_, response) => response.writeHead(429, { 'retry-after': given }).end('<html>');
      const { status, retryAfterMs, body } = await get(opened);
      assert.deepEqual([status, retryAfterMs, body], [429, expected, undefined]);
    }
  });

  it('close → requests and streams end, every connection too', async () => {
    handle = (request, response) => (request.url === '/watch' ? void response.write('first') : undefined);
    const opened = await load();
    const pending = rejection(get(opened, { timeoutMs: 60_000 }));
    const { chunks } = await opened.stream({ method: 'GET', path: '/watch', timeoutMs: 5_000 });
    const reading = assert.rejects(async () => {
      for await (const chunk of chunks) assert.ok(chunk.length > 0);
    });
    await opened.close();
    assert.equal((await pending).code, 'ERR_STORE_UNAVAILABLE');
    await reading;
    await waitFor('no connection', () => open.size === 0);
    assert.equal((await rejection(get(opened))).code, 'ERR_STORE_UNAVAILABLE');
  });

  it('KUBECONFIG with several files → one that is not there is left out, of two of one name the first counts', async () => {
    const first = await write('first', configOf('east'));
    const second = await write('second', {
      ...configOf('east', { cluster: { server: 'https://192.0.2.1' } }),
      'current-context': 'other',
    });
    const third = await write('third', configOf('west'));
    const env = { KUBECONFIG: [join(folder, 'absent'), first, second, third].join(delimiter) };
    access = loadAccess({ env });
    assert.deepEqual([access.cluster, (await get(access)).status], ['east', 200]);
    await access.close();
    access = loadAccess({ env, context: 'west' });
    assert.deepEqual([access.cluster, access.namespace], ['west', 'ns-west']);
  });

  it('what is no kubeconfig → ERR_CONFIG that quotes nothing of it', async () => {
    const absent = join(folder, 'absent');
    assert.match(configErrorOf({ kubeconfig: absent }).message, /absent/);
    assert.match(configErrorOf({ env: { HOME: folder } }).message, /\.kube/);
    const bad = await write('bad', `users:\n- name: x\n  user:\n    token: ${SECRET}\n   bad: indentation\n`);
    assert.doesNotMatch(configErrorOf({ kubeconfig: bad }).message, new RegExp(SECRET));
    for (const content of [
      '',
      '[]',
      'text',
      configOf('east', { current: 'none' }),
      configOf('east', { cluster: { server: 'ftp://x' } }),
      configOf('east', { cluster: { server: 'http://127.0.0.1:1' } }),
    ]) {
      configErrorOf({ kubeconfig: await write('odd', content) });
    }
    configErrorOf({ kubeconfig: await write('good', configOf('east')), context: 'none' });
  });
});

async function rejection(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(
    () => assert.fail('resolved'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof AppError, String(error));
  return error;
}
