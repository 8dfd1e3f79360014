import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { connect, createServer, type ConnectionOptions, type TLSSocket, type TlsOptions } from 'node:tls';
import { createFabric, type CertificateAndKey } from '#src/fabric/authority.ts';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { makeKeyPair, P256_SIGNING, toKeyPem, toSigningKey, parsePrivateKey } from '#src/fabric/keys.ts';
import { createRequest } from '#src/fabric/request.ts';
import { signRequest } from '#src/fabric/sign.ts';
import {
  ALPN_SESSION,
  clientTlsOptions,
  reasonOfTlsError,
  serverTlsOptions,
  verifyPeerSocket,
  type PeerVerdict,
} from '#src/fabric/tls.ts';
import { makeTrust } from '#src/fabric/trust.ts';
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '#src/fabric/x509.ts';

const DAY_MS = 86_400_000;

async function identityOf(fabric: CertificateAndKey, peer: string, now = new Date()): Promise<PeerIdentity> {
  const { csrPem, keyPem } = await createRequest({ peer });
  const leafPem = await signRequest({ caCertPem: fabric.certPem, caKeyPem: fabric.keyPem, csrPem, days: 1, now });
  const notAfter = new Date(now.getTime() + DAY_MS);
  return { peer, keyPem, certPem: leafPem + fabric.certPem, caPem: fabric.certPem, notAfter };
}

/** A leaf that our own signer would refuse to make. */
async function oddIdentity(
  fabric: CertificateAndKey,
  { sans = [], usages }: { readonly sans?: readonly string[]; readonly usages?: readonly string[] },
): Promise<PeerIdentity> {
  const keys = await makeKeyPair();
  const names = sans.map((value) => ({ type: 'dns' as const, value }));
  const leaf = await X509CertificateGenerator.create({
    subject: 'CN=west',
    issuer: new X509Certificate(fabric.certPem).subject,
    publicKey: keys.publicKey,
    signingKey: toSigningKey(parsePrivateKey(fabric.keyPem, 'CA'), 'CA').key,
    signingAlgorithm: P256_SIGNING,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + DAY_MS),
    extensions: [
      ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
      ...(usages === undefined ? [] : [new ExtendedKeyUsageExtension([...usages])]),
    ],
  });
  const keyPem = toKeyPem(keys.privateKey);
  return { peer: 'west', keyPem, certPem: leaf.toString('pem'), caPem: fabric.certPem, notAfter: leaf.notAfter };
}

/** What the server made of each caller, in order: a verdict, or the reason of a handshake that failed. */
interface Listening {
  readonly port: number;
  next(): Promise<PeerVerdict>;
  close(): Promise<void>;
}

async function listen(options: TlsOptions): Promise<Listening> {
  const trust = makeTrust({ self: 'east', caPem: String(options.ca) });
  const server = createServer(options);
  const verdicts: PeerVerdict[] = [];
  const sockets = new Set<TLSSocket>();
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    const verdict = verifyPeerSocket(socket, { trust });
    verdicts.push(verdict);
    sockets.add(socket);
    if (verdict.ok) socket.write('hello');
    else socket.destroy();
    server.emit('verdict');
  });
  server.on('tlsClientError', (error, socket) => {
    socket.destroy();
    verdicts.push({ ok: false, reason: reasonOfTlsError(error), message: error.message });
    server.emit('verdict');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async next() {
      while (verdicts.length === 0) await once(server, 'verdict');
      return verdicts.shift() as PeerVerdict;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await closeServer(server);
    },
  };
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  await closed;
}

/** What the client makes of the server. */
async function dial(
  options: ConnectionOptions,
  expected: string,
): Promise<PeerVerdict & { readonly socket: TLSSocket }> {
  const socket = connect({ host: '127.0.0.1', ...options });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(5_000) });
    socket.on('error', () => undefined);
    const trust = makeTrust({ self: 'west', caPem: String(options.ca) });
    return { ...verifyPeerSocket(socket, { trust, expected }), socket };
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    return { ok: false, reason: reasonOfTlsError(error), message: String(error), socket };
  }
}

/** Where `openssl s_server` says that it listens. */
async function portOf(output: Readable): Promise<number> {
  let text = '';
  for await (const chunk of output.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    const match = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(text);
    if (match !== null) return Number(match[1]);
  }
  throw new Error(`openssl s_server did not start: ${text}`);
}

function reasonIn(verdict: PeerVerdict): string {
  return verdict.ok ? `peer ${verdict.peer}` : verdict.reason;
}

describe('TLS between peers', () => {
  let fabric: CertificateAndKey;
  let foreign: CertificateAndKey;
  let east: PeerIdentity;
  let west: PeerIdentity;
  let listening: Listening;

  before(async () => {
    [fabric, foreign] = await Promise.all([createFabric({ name: 'acme' }), createFabric({ name: 'acme' })]);
    [east, west] = await Promise.all([identityOf(fabric, 'east'), identityOf(fabric, 'west')]);
    listening = await listen(serverTlsOptions(east));
  });
  after(async () => {
    await listening.close();
  });

  it('two peers of one fabric → TLS 1.3, our protocol, each knows the other by its certificate', async () => {
    const client = await dial({ port: listening.port, ...clientTlsOptions(west, { peer: 'east' }) }, 'east');
    assert.equal(reasonIn(client), 'peer east');
    assert.equal(reasonIn(await listening.next()), 'peer west');
    assert.equal(client.socket.getProtocol(), 'TLSv1.3');
    assert.equal(client.socket.alpnProtocol, ALPN_SESSION);
    const [bytes] = (await once(client.socket, 'data')) as [Buffer];
    assert.equal(bytes.toString(), 'hello');
    client.socket.destroy();
  });

  it('a session from before is offered again → full handshake, never resumed', async () => {
    const options = { port: listening.port, ...clientTlsOptions(west, { peer: 'east' }) };
    const first = await dial(options, 'east');
    const sessions: Buffer[] = [];
    first.socket.on('session', (session) => sessions.push(session));
    await once(first.socket, 'data');
    first.socket.destroy();
    await listening.next();
    const [session] = sessions;
    const second = await dial({ ...options, ...(session === undefined ? {} : { session }) }, 'east');
    assert.equal(second.socket.isSessionReused(), false);
    assert.equal(reasonIn(second), 'peer east');
    assert.equal(reasonIn(await listening.next()), 'peer west');
    second.socket.destroy();
  });

  describe('a server refuses, with the exact reason', () => {
    const callers: readonly (readonly [string, string, () => Promise<Partial<ConnectionOptions>>])[] = [
      ['a client of a foreign CA of the same name', 'PEER_ROOT_MISMATCH', () => certified(identityOf(foreign, 'west'))],
      ['an expired client', 'CERT_EXPIRED', () => certified(identityOf(fabric, 'west', daysAgo(3)))],
      ['a client from the future', 'CERT_EXPIRED', () => certified(identityOf(fabric, 'west', daysAgo(-3)))],
      ['a self-signed client', 'PEER_ROOT_MISMATCH', () => certified(selfSigned())],
      ['a client without a certificate', 'MALFORMED', () => Promise.resolve({ cert: undefined, key: undefined })],
      [
        'a client for servers only (EKU)',
        'PEER_ROOT_MISMATCH',
        () => certified(odd(['west'], ExtendedKeyUsage.serverAuth)),
      ],
      ['a client with two names', 'PEER_NAME_MISMATCH', () => certified(odd(['west', 'east']))],
      ['a client with a common name only', 'PEER_NAME_MISMATCH', () => certified(odd([]))],
      ['a client with a wildcard name', 'PEER_NAME_MISMATCH', () => certified(odd(['*']))],
      ['a client with capitals in its name', 'PEER_NAME_MISMATCH', () => certified(odd(['West']))],
      ['a client that offers no protocol', 'PROTOCOL_MISMATCH', () => Promise.resolve({ ALPNProtocols: [] })],
      ['a client that offers HTTP', 'PROTOCOL_MISMATCH', () => Promise.resolve({ ALPNProtocols: ['h2', 'http/1.1'] })],
      [
        'a client that offers something foreign',
        'PROTOCOL_MISMATCH',
        () => Promise.resolve({ ALPNProtocols: ['foreign'] }),
      ],
      [
        'a client of another version of ours',
        'PROTOCOL_MISMATCH',
        () => Promise.resolve({ ALPNProtocols: ['clusterlink-mcs/9'] }),
      ],
      [
        'a TLS 1.2 client',
        'PROTOCOL_MISMATCH',
        () => Promise.resolve({ minVersion: 'TLSv1.2' as const, maxVersion: 'TLSv1.2' as const }),
      ],
    ];
    const daysAgo = (days: number): Date => new Date(Date.now() - days * DAY_MS);
    const odd = (sans: readonly string[], ...usages: string[]): Promise<PeerIdentity> =>
      oddIdentity(fabric, { sans, ...(usages.length > 0 ? { usages } : {}) });
    const selfSigned = async (): Promise<PeerIdentity> => {
      const { certPem, keyPem } = await createFabric({ name: 'west' });
      return { ...west, certPem, keyPem };
    };
    const certified = async (identity: Promise<PeerIdentity>): Promise<Partial<ConnectionOptions>> => {
      const { certPem, keyPem } = await identity;
      return { cert: certPem, key: keyPem };
    };

    for (const [title, reason, make] of callers) {
      it(`${title} → ${reason}`, async () => {
        const options: ConnectionOptions = { ...clientTlsOptions(west, { peer: 'east' }), ...(await make()) };
        const client = await dial({ port: listening.port, ...options }, 'east');
        const verdict = await listening.next();
        assert.equal(reasonIn(verdict), reason, 'message' in verdict ? verdict.message : '');
        client.socket.destroy();
      });
    }

    it('an unknown ALPN offer → no fatal alert: the handshake is finished, then refused', async () => {
      const options = { ...clientTlsOptions(west, { peer: 'east' }), ALPNProtocols: ['foreign'] };
      const { socket } = await dial({ port: listening.port, ...options }, 'east');
      assert.equal(socket.alpnProtocol, 'foreign');
      assert.equal(reasonIn(await listening.next()), 'PROTOCOL_MISMATCH');
      socket.destroy();
    });

    const bytes: readonly (readonly [string, string, Buffer | string])[] = [
      ['garbage', 'MALFORMED', Buffer.alloc(64, 0xa5)],
      ['an SSH banner', 'MALFORMED', 'SSH-2.0-OpenSSH_9.2\r\n'],
      ['a record that is no handshake', 'MALFORMED', Buffer.from('1703030010' + '00'.repeat(16), 'hex')],
      ['a ClientHello of nonsense', 'MALFORMED', Buffer.from('16030100050100000100', 'hex')],
      ['plain HTTP', 'PROTOCOL_MISMATCH', 'GET / HTTP/1.1\r\nHost: east\r\n\r\n'],
      ['an HTTP proxy request', 'PROTOCOL_MISMATCH', 'CONNECT east:443 HTTP/1.1\r\nHost: east\r\n\r\n'],
    ];
    for (const [title, reason, sent] of bytes) {
      it(`${title} instead of TLS → ${reason}`, async () => {
        const socket = createConnection({ port: listening.port, host: '127.0.0.1' });
        socket.on('error', () => undefined);
        socket.resume();
        socket.write(sent);
        const verdict = await listening.next();
        assert.equal(reasonIn(verdict), reason, 'message' in verdict ? verdict.message : '');
        socket.destroy();
      });
    }

    it('a caller that hangs up before the handshake → ABORTED', async () => {
      const socket = createConnection({ port: listening.port, host: '127.0.0.1' });
      await once(socket, 'connect');
      socket.end();
      assert.equal(reasonIn(await listening.next()), 'ABORTED');
      socket.destroy();
    });

    it('a silent caller, with a deadline set by the listener → HANDSHAKE_TIMEOUT', async () => {
      const server = await listen({ ...serverTlsOptions(east), handshakeTimeout: 50 });
      const socket = createConnection({ port: server.port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      assert.equal(reasonIn(await server.next()), 'HANDSHAKE_TIMEOUT');
      socket.destroy();
      await server.close();
    });
  });

  describe('a client refuses, with the exact reason', () => {
    const servers: readonly (readonly [string, string, () => Promise<Partial<TlsOptions>>])[] = [
      ['another peer of the fabric', 'PEER_NAME_MISMATCH', () => as(identityOf(fabric, 'north'))],
      ['a server with two names', 'PEER_NAME_MISMATCH', () => as(oddIdentity(fabric, { sans: ['east', 'west'] }))],
      ['a server with a wildcard', 'PEER_NAME_MISMATCH', () => as(oddIdentity(fabric, { sans: ['*'] }))],
      ['a server without a name', 'PEER_NAME_MISMATCH', () => as(oddIdentity(fabric, {}))],
      ['a foreign CA', 'PEER_ROOT_MISMATCH', () => as(identityOf(foreign, 'east'))],
      ['an expired server', 'CERT_EXPIRED', () => as(identityOf(fabric, 'east', new Date(Date.now() - 3 * DAY_MS)))],
      [
        'a server for clients only (EKU)',
        'PEER_ROOT_MISMATCH',
        () => as(oddIdentity(fabric, { sans: ['east'], usages: [ExtendedKeyUsage.clientAuth] })),
      ],
      ['a server without ALPN', 'PROTOCOL_MISMATCH', () => Promise.resolve({ ALPNCallback: undefined })],
      [
        'a server of another protocol',
        'PROTOCOL_MISMATCH',
        () => Promise.resolve({ ALPNCallback: undefined, ALPNProtocols: ['h2'] }),
      ],
      [
        'a TLS 1.2 server',
        'PROTOCOL_MISMATCH',
        () => Promise.resolve({ minVersion: 'TLSv1.2' as const, maxVersion: 'TLSv1.2' as const }),
      ],
    ];
    const as = async (identity: Promise<PeerIdentity>): Promise<Partial<TlsOptions>> => {
      const { certPem, keyPem } = await identity;
      return { cert: certPem, key: keyPem };
    };
    for (const [title, reason, make] of servers) {
      it(`${title} → ${reason}`, async () => {
        const server = await listen({ ...serverTlsOptions(east), ...(await make()) });
        const client = await dial({ port: server.port, ...clientTlsOptions(west, { peer: 'east' }) }, 'east');
        assert.equal(reasonIn(client), reason, 'message' in client ? client.message : '');
        client.socket.destroy();
        await server.close();
      });
    }

    it('a server that rejects our certificate with an alert, as OpenSSL and Go do → PEER_ROOT_MISMATCH', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'mcs-tls-'));
      const [cert, key, ca] = ['cert.pem', 'key.pem', 'ca.pem'].map((name) => join(directory, name)) as [
        string,
        string,
        string,
      ];
      await Promise.all([writeFile(cert, east.certPem), writeFile(key, east.keyPem), writeFile(ca, foreign.certPem)]);
      const parameters = [
        '-cert',
        cert,
        '-key',
        key,
        '-CAfile',
        ca,
        '-Verify',
        '2',
        '-verify_return_error',
        '-alpn',
        ALPN_SESSION,
      ];
      const server = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', '-tls1_3', ...parameters]);
      try {
        const port = await portOf(server.stdout);
        const socket = connect({ host: '127.0.0.1', port, ...clientTlsOptions(west, { peer: 'east' }) });
        const [error] = (await once(socket, 'error')) as [Error];
        assert.equal(reasonOfTlsError(error), 'PEER_ROOT_MISMATCH', error.message);
        socket.destroy();
      } finally {
        server.kill('SIGKILL');
        await once(server, 'close');
        await rm(directory, { recursive: true });
      }
    });

    for (const [title, answer, reason] of [
      ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'MALFORMED'],
      ['a server that hangs up', '', 'ABORTED'],
    ] as const) {
      it(`${title} → ${reason}`, async () => {
        const server = createTcpServer((socket) => {
          socket.on('error', () => undefined);
          socket.once('data', () => socket.end(answer));
        });
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        const { port } = server.address() as AddressInfo;
        const client = await dial({ port, ...clientTlsOptions(west, { peer: 'east' }) }, 'east');
        assert.equal(reasonIn(client), reason);
        await closeServer(server);
      });
    }

    it('nobody there → PEER_UNREACHABLE', async () => {
      const server = createTcpServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      await closeServer(server);
      const client = await dial({ port, ...clientTlsOptions(west, { peer: 'east' }) }, 'east');
      assert.equal(reasonIn(client), 'PEER_UNREACHABLE');
    });
  });
});
