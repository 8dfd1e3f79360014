import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { makeConnection, type GatewayConnection } from '#src/gateway/clusterlink/connection.ts';
import { ANSWER_BODY_BYTES_MAX } from '#src/gateway/clusterlink/limits.ts';

const LONG_MS = 5_000;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

describe('makeConnection', () => {
  let socket: Duplex;
  let asked: string;
  let connection: GatewayConnection;
  let idleCloses: number;

  beforeEach(() => {
    asked = '';
    idleCloses = 0;
    socket = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        asked += chunk.toString();
        done();
      },
    });
    socket.on('error', () => undefined);
    connection = makeConnection({
      socket: socket as TLSSocket,
      now: () => performance.now(),
      onIdleClose: () => idleCloses++,
    });
  });
  afterEach(() => socket.destroy());

  const closed = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const answerWith = (text: string): Promise<number> => {
    const answer = connection.ask(Buffer.from('Q'), LONG_MS).then(({ status }) => status);
    socket.push(text);
    return answer;
  };

  for (const [what, text] of [
    [
      'as Go says yes',
      'HTTP/1.1 200 OK\r\nX-Access-Token: t\r\nDate: Sat, 21 Nov 2026 22:00:00 GMT\r\nContent-Length: 0\r\n\r\n',
    ],
    [
      'as Envoy says yes',
      'HTTP/1.1 200 OK\r\nx-access-token: t\r\ndate: Sat\r\nserver: envoy\r\ncontent-length: 0\r\n\r\n',
    ],
    ['no text for the status', 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n'],
    ['a body', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes'],
    ['204 without a length', 'HTTP/1.1 204 No Content\r\n\r\n'],
    [
      'a body as long as may be',
      `HTTP/1.1 200 OK\r\nContent-Length: ${ANSWER_BODY_BYTES_MAX}\r\n\r\n${'x'.repeat(ANSWER_BODY_BYTES_MAX)}`,
    ],
  ] as const) {
    it(`an answer ${what} → read, and the next one too`, async () => {
      await answerWith(text);
      assert.equal(connection.isOpen, true);
      assert.equal(connection.isUsed, true);
      assert.equal(await answerWith(OK), 200);
      assert.equal(asked, 'QQ');
    });
  }

  for (const [what, text] of [
    ['that says it is the last', 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 6\r\n\r\ndenied'],
    ['without a length', 'HTTP/1.1 403 Forbidden\r\n\r\n'],
  ] as const) {
    it(`an answer ${what} → read, and no other is asked there`, async () => {
      assert.equal(await answerWith(text), 403);
      assert.equal(connection.isOpen, false);
    });
  }

  for (const [what, text, code] of [
    ['in pieces', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'ERR_MALFORMED'],
    ['that is too long', `HTTP/1.1 200 OK\r\nContent-Length: ${ANSWER_BODY_BYTES_MAX + 1}\r\n\r\n`, 'ERR_MALFORMED'],
    ['with a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n', 'ERR_MALFORMED'],
    ['with two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n', 'ERR_MALFORMED'],
    ['of another protocol', 'SSH-2.0-OpenSSH_9.6\r\n\r\n', 'ERR_MALFORMED'],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\n', 'ERR_MALFORMED'],
  ] as const) {
    it(`an answer ${what} → ${code}, and the connection is gone`, async () => {
      await assert.rejects(answerWith(text), { code });
      assert.equal(socket.destroyed, true);
    });
  }

  it('no answer in time → ERR_TIMEOUT, and the connection is gone', async () => {
    await assert.rejects(connection.ask(Buffer.from('Q'), 5), { code: 'ERR_TIMEOUT' });
    assert.equal(socket.destroyed, true);
  });

  it('a body that does not come → ERR_TIMEOUT', async () => {
    const answer = connection.ask(Buffer.from('Q'), 20);
    socket.push('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ny');
    await assert.rejects(answer, { code: 'ERR_TIMEOUT' });
  });

  it('bytes that nobody asked for → gone', async () => {
    await answerWith(OK);
    socket.push('HTTP/1.1 408 Request Timeout\r\n\r\n');
    await closed();
    assert.deepEqual([connection.isOpen, idleCloses], [false, 1]);
  });

  it('bytes behind an answer that nobody asked for → gone', async () => {
    await answerWith(`${OK}more`);
    await closed();
    assert.deepEqual([connection.isOpen, idleCloses], [false, 1]);
  });

  it('closed while it is idle → told', async () => {
    await answerWith(OK);
    socket.push(null);
    await closed();
    assert.deepEqual([connection.isOpen, idleCloses], [false, 1]);
  });

  it('a tunnel → what stands behind the 200 stays in the socket (§8 item 39)', async () => {
    await answerWith(OK);
    const answer = connection.askForTunnel(Buffer.from('C'), LONG_MS);
    socket.push('HTTP/1.1 200 OK\r\n\r\n220 ready');
    assert.equal((await answer).status, 200);
    assert.equal(String(socket.read()), '220 ready');
    assert.equal(socket.destroyed, false);
  });

  for (const status of [201, 204, 403, 503]) {
    it(`a tunnel answered ${status} → gone, nothing was sent behind it`, async () => {
      const answer = connection.askForTunnel(Buffer.from('C'), LONG_MS);
      socket.push(`HTTP/1.1 ${status} So\r\nContent-Length: 2\r\n\r\nno`);
      assert.equal((await answer).status, status);
      assert.equal(socket.destroyed, true);
      assert.equal(asked, 'C');
    });
  }

  it('a tunnel with a length → malformed: two readers would see two things', async () => {
    const answer = connection.askForTunnel(Buffer.from('C'), LONG_MS);
    socket.push('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno');
    await assert.rejects(answer, { code: 'ERR_MALFORMED' });
  });
});
