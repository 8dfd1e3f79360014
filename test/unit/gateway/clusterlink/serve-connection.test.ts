import assert from 'node:assert/strict';
import { duplexPair, type Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { makeAccount, type Account } from '#src/gateway/account.ts';
import { makeAccessTokens } from '#src/gateway/clusterlink/access-token.ts';
import { makeServeConnection, type ServeOptions } from '#src/gateway/clusterlink/serve-connection.ts';
import { makeServedConnections } from '#src/gateway/clusterlink/served-connections.ts';
import { REQUEST_BODY_BYTES_MAX } from '#src/gateway/clusterlink/limits.ts';
import type { ExportDial, ExportAccess } from '#src/gateway/ingress.ts';
import type { ClosingRecord } from '#src/gateway/messages.ts';
import { makePeerBounds } from '#src/gateway/peer-bounds.ts';
import { toRoutes } from '#src/gateway/routes.ts';
import { makeTunnelTable, type Revocation, type TunnelTable } from '#src/gateway/tunnels.ts';
import { makeTurns } from '#src/gateway/turns.ts';
import { compilePolicies } from '#src/policy/compile.ts';
import { authzOf, connectOf, HEARTBEAT, WANTED } from '#test/support/clusterlink/fixture.ts';
import { waitFor } from '#test/support/wait.ts';

const now = (): number => 0;

describe('makeServeConnection', () => {
  let phase: ReturnType<ServeOptions['phase']>;
  /** What decisions say now; undefined: yes. */
  let denial: Revocation | undefined;
  let dials: ExportAccess[];
  /** Of the one service there is. */
  let dial: () => Promise<ExportDial>;
  let account: Account;
  let closings: ClosingRecord[];
  let refusals: string[];
  let table: TunnelTable;
  let peer: Duplex;
  let heard: string;
  let serving: Promise<void>;
  const routes = toRoutes({
    ...{ version: 1, peers: [], imports: [], policies: compilePolicies({ privileged: [], regular: [], baseline: [] }) },
    exports: [
      {
        ...{ namespace: 'shop', name: 'db', uid: 'u', labels: {} },
        ports: [{ name: '', protocol: 'TCP', port: 5432, endpoints: [] }],
      },
    ],
  });

  beforeEach(() => {
    [phase, denial, dials, closings, refusals, heard] = ['serving', undefined, [], [], [], ''];
    dial = () => Promise.resolve({ ok: false, reason: 'DIAL_FAILED', message: 'Nobody is there.' });
    table = makeTunnelTable();
    account = makeAccount();
    const bounds = makePeerBounds({ account, now, onRefused: (limit) => refusals.push(limit) });
    const onRefused = (reason: string): void => void refusals.push(reason);
    const serve = makeServeConnection({
      ...{ self: { name: 'west', labels: { a: 'b' } }, routes: () => routes, table, bounds, now, onRefused },
      ingress: {
        serveConnect: () => assert.fail('no session here'),
        decide: () => (denial === undefined ? { ok: true, message: 'Yes.' } : { ok: false, ...denial }),
        recheck: () => denial,
        toRefusal: () => ({ status: 404, reason: 'denied' }),
        open({ access }) {
          dials.push(access);
          return dial();
        },
      },
      tokens: makeAccessTokens({ keyPem: () => 'key', nowMs: now }),
      turns: makeTurns({ perTurnMax: 1, nextTurn: (run) => void setImmediate(run) }),
      phase: () => phase,
      onOpened: () => undefined,
      onClosed: (record) => void closings.push(record),
    });
    const [ours, theirs] = duplexPair();
    peer = theirs.on('data', (piece: Buffer) => (heard += piece.toString())).on('error', () => undefined);
    ours.on('error', () => undefined);
    const caller = { peer: 'east', socket: ours as unknown as TLSSocket, certificate: {} as X509Certificate };
    const connection = makeServedConnections({ bounds, now, onRefused }).enter(caller) ?? assert.fail('refused');
    serving = serve(connection);
  });
  afterEach(() => {
    peer.destroy();
    return serving;
  });

  const answers = (): string[] => heard.split(/(?<=\r\n\r\n)/).map((text) => text.split(' ')[1] ?? '');
  const hear = (...statuses: string[]): Promise<unknown> =>
    waitFor('answers', () => {
      assert.deepEqual(answers(), statuses);
      return true;
    });

  async function takeToken(): Promise<string> {
    peer.write(authzOf(WANTED));
    await hear('200');
    const [, token = ''] = /x-access-token: (\S+)/.exec(heard) ?? [];
    heard = '';
    return token;
  }

  it('requests byte by byte, and all at once → answered in order, the connection stays', async () => {
    for (const byte of HEARTBEAT) {
      peer.write(byte);
      await turn();
    }
    await hear('200');
    peer.write(`${authzOf(WANTED)}${HEARTBEAT}${authzOf({ ...WANTED, ServiceName: 'x y' })}${HEARTBEAT}`);
    await hear('200', '200', '200', '404', '200');
    assert.deepEqual([dials, closings, refusals], [[], [], ['NOTHING_OFFERED']]);
  });

  it('a denial → recorded once, remembered for other policies, the connection stays', async () => {
    denial = { reason: 'INGRESS_DENIED', message: 'No.' };
    peer.write(`${authzOf(WANTED)}${HEARTBEAT}`);
    await hear('404', '200');
    assert.deepEqual(
      closings.map(({ reason, object, peer, direction, opened }) => [reason, object, peer, direction, opened]),
      [['INGRESS_DENIED', 'shop/db', 'east', 'ingress', false]],
    );
    assert.equal(table.refused().length, 1);
    denial = undefined;
    assert.equal(table.refused()[0]?.isAllowed(routes), true);
  });

  const last: [name: string, text: string, status: string, refusal: string][] = [
    ['a head that is none', 'GET /healthz HTTP/1.0\r\n\r\n', '400', 'MALFORMED'],
    ['another request', 'PUT /authz HTTP/1.1\r\n\r\n', '400', 'MALFORMED'],
    ['a body that is no JSON', authzOf('{'), '400', 'MALFORMED'],
    [
      'a body that is too large',
      `POST /authz HTTP/1.1\r\nContent-Length: ${REQUEST_BODY_BYTES_MAX + 1}\r\n\r\n`,
      '413',
      'MALFORMED',
    ],
    ['CONNECT without a token', connectOf(), '400', 'MALFORMED'],
    ['CONNECT with any token', connectOf('Bearer abc'), '403', 'MALFORMED'],
  ];
  for (const [name, text, status, refusal] of last) {
    it(`${name} → ${status} and the end: what follows is not read as a request`, async () => {
      peer.write(`${text}${HEARTBEAT}`);
      await hear(status);
      await waitFor('its end', () => peer.readableEnded);
      assert.match(heard, /\r\nConnection: close\r\n/);
      assert.deepEqual(refusals, [refusal]);
    });
  }

  it('a token, then no endpoint → 503, its record has the same connection as the token', async () => {
    const token = await takeToken();
    peer.write(connectOf(`Bearer ${token}`));
    await hear('404');
    await waitFor('its end', () => peer.readableEnded);
    assert.deepEqual([closings.map(({ reason }) => reason), dials.length], [['DIAL_FAILED'], 1]);
    assert.match(closings[0]?.connection ?? '', /^[0-9a-f]{32}$/);
  });

  it('denied while the endpoint was dialled → no 200, the endpoint is reset', async () => {
    let isReset = false;
    const token = await takeToken();
    dial = () => {
      denial = { reason: 'POLICY_CHANGED', message: 'No more.' };
      const socket = { resetAndDestroy: () => (isReset = true) } as unknown as Socket;
      return Promise.resolve({ ok: true, socket, message: 'Yes.' });
    };
    peer.write(connectOf(`Bearer ${token}`));
    await hear('404');
    assert.deepEqual(
      [isReset, closings.map(({ reason, opened }) => [reason, opened])],
      [true, [['POLICY_CHANGED', false]]],
    );
  });

  it('bytes that come while the endpoint is dialled → counted as what they may become; none → nothing more than before', async () => {
    const dialled = Promise.withResolvers<ExportDial>();
    dial = () => dialled.promise;
    const token = await takeToken();
    const idleBytes = account.bytes;
    peer.write(connectOf(`Bearer ${token}`));
    await waitFor('the dial', () => dials.length === 1);
    assert.equal(account.bytes, idleBytes);
    peer.write('early');
    await waitFor('its account', () => account.bytes === idleBytes + peer.readableHighWaterMark);
    dialled.resolve({ ok: false, reason: 'DIAL_FAILED', message: 'Nobody is there.' });
    await hear('404');
    assert.ok(account.bytes <= idleBytes, String(account.bytes));
  });

  it('a tunnel → bytes that came early, both directions, each ended on its own, one record', async () => {
    const [near, far] = duplexPair();
    dial = () => Promise.resolve({ ok: true, socket: near as unknown as Socket, message: 'Yes.' });
    let asked = '';
    far.on('data', (piece: Buffer) => (asked += piece.toString())).on('end', () => far.end('answer'));
    const token = await takeToken();
    peer.end(`${connectOf(`Bearer ${token}`)}question`);
    await serving;
    assert.deepEqual([asked, heard], ['question', 'HTTP/1.1 200 OK\r\n\r\nanswer']);
    assert.deepEqual(
      closings.map(({ reason, sentBytes, receivedBytes }) => [reason, sentBytes, receivedBytes]),
      [['DONE', 8, 6]],
    );
  });

  it('leaving → answered, and told to go elsewhere', async () => {
    phase = 'leaving';
    peer.write(HEARTBEAT);
    await hear('200');
    await waitFor('its end', () => peer.readableEnded);
    assert.match(heard, /\r\nConnection: close\r\n/);
    assert.deepEqual(refusals, []);
  });

  it('draining → 503, DRAINED', async () => {
    phase = 'draining';
    peer.write(HEARTBEAT);
    await hear('503');
    assert.deepEqual(refusals, ['DRAINED']);
  });

  it('the peer ends between requests, or within one → nothing is told', async () => {
    peer.write(`${HEARTBEAT}GET /hea`);
    await hear('200');
    peer.end();
    await serving;
    assert.deepEqual([closings, refusals], [[], []]);
  });
});
