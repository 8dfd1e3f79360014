import assert from 'node:assert/strict';
import type { X509Certificate } from 'node:crypto';
import { PassThrough } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { makeAccount, type Account } from '#src/gateway/account.ts';
import {
  CONNECTION_BYTES,
  IDLE_CONNECTIONS_PER_PEER_MAX,
  REQUESTS_PER_SECOND_MAX,
} from '#src/gateway/clusterlink/limits.ts';
import {
  makeServedConnections,
  type ServedConnection,
  type ServedConnections,
} from '#src/gateway/clusterlink/served-connections.ts';
import { BUFFERS_FULL_PERCENT, HALF_OPEN_STREAMS_PER_PEER_MAX, PEER_BUFFER_BYTES_MAX } from '#src/gateway/limits.ts';
import { makePeerBounds } from '#src/gateway/peer-bounds.ts';

describe('makeServedConnections', () => {
  let account: Account;
  let connections: ServedConnections;
  let refused: string[];
  beforeEach(() => {
    refused = [];
    account = makeAccount();
    const bounds = makePeerBounds({ account, now: () => 0, onRefused: (limit) => refused.push(limit) });
    connections = makeServedConnections({ bounds, now: () => 0, onRefused: (reason) => refused.push(reason) });
  });

  /** A connection as far as the table looks at it: it closes when it is destroyed. */
  function call(peer = 'east'): ServedConnection | undefined {
    const socket = new PassThrough() as unknown as TLSSocket;
    socket.on('error', () => undefined);
    return connections.enter({ peer, socket, certificate: {} as X509Certificate });
  }
  const enter = (peer?: string): ServedConnection => call(peer) ?? assert.fail('refused');
  const closed = ({ socket }: ServedConnection): Promise<void> =>
    new Promise((resolve) => void socket.once('close', () => resolve()));

  it('each counts as memory and as a stream of its peer, until it is closed', async () => {
    const [first, second] = [enter(), enter('north')];
    assert.deepEqual([connections.count, account.of('east').bytes > CONNECTION_BYTES], [2, true]);
    first.headRead();
    assert.equal(account.of('east').bytes, CONNECTION_BYTES);
    const gone = closed(first);
    first.socket.destroy();
    await gone;
    assert.deepEqual([connections.count, account.of('east').bytes], [1, 0]);
    second.socket.destroy();
  });

  it('as many that have not asked yet as may be half open → taken; one more → OVERLOADED, and reset', () => {
    for (let count = 0; count < HALF_OPEN_STREAMS_PER_PEER_MAX; count++) enter();
    assert.equal(call(), undefined);
    assert.deepEqual(refused, ['streams_half_open', 'OVERLOADED']);
    assert.ok(call('north'));
  });

  it('memory of one peer that is full → its next connection is refused, that of another is not', () => {
    const most = Math.ceil((PEER_BUFFER_BYTES_MAX * BUFFERS_FULL_PERCENT) / 100 / CONNECTION_BYTES);
    for (let count = 0; count < most; count++) enter().headRead();
    assert.ok(most >= 1_000, `room for a thousand tunnels, not ${most}`);
    assert.equal(call(), undefined);
    assert.deepEqual(refused, ['buffers', 'OVERLOADED']);
    assert.ok(call('north'));
  });

  it('one more that waits for a request than may → the one that has waited longest is closed', () => {
    const all = Array.from({ length: IDLE_CONNECTIONS_PER_PEER_MAX }, () => enter());
    const busy = all.map((connection) => connection.idle());
    busy[0]?.();
    all[0]?.idle();
    const other = enter('north');
    other.idle();
    enter().idle();
    const destroyed = all.map(({ socket }) => socket.destroyed);
    assert.deepEqual([destroyed.indexOf(true), destroyed.lastIndexOf(true)], [1, 1]);
    assert.equal(other.socket.destroyed, false);
  });

  it('requests of one peer up to the rate, over all its connections → may; one more → may not, of another may', () => {
    const [first, second] = [enter(), enter()];
    for (let count = 0; count < REQUESTS_PER_SECOND_MAX; count++) assert.ok((count % 2 ? first : second).mayAsk());
    assert.deepEqual([first.mayAsk(), enter('north').mayAsk()], [false, true]);
    assert.deepEqual(refused, ['stream_opens']);
  });

  it('tunnels of one peer that hold more than it may → the one that was read the longest ago is cut, OVERLOADED', () => {
    const cut: string[] = [];
    const tunnels = ['a', 'b'].map((name) => {
      const tunnel = enter();
      const ended = tunnel.carries(({ reason }) => {
        cut.push(`${name} ${reason}`);
        ended();
      });
      return tunnel;
    });
    tunnels[0]?.holds(1_000);
    tunnels[1]?.holds(PEER_BUFFER_BYTES_MAX);
    assert.deepEqual(cut, ['a OVERLOADED', 'b OVERLOADED']);
    assert.ok(account.of('east').bytes < PEER_BUFFER_BYTES_MAX / 2);
  });

  it('a request that is collected when memory is short → it is cut, OVERLOADED; one that was collected is not', () => {
    const [slow, done] = [enter(), enter()];
    done.collects(1_000)();
    slow.collects(1_000);
    const tunnel = enter();
    const ended = tunnel.carries(() => ended());
    tunnel.holds(PEER_BUFFER_BYTES_MAX);
    assert.deepEqual([slow.socket.destroyed, done.socket.destroyed, refused], [true, false, ['OVERLOADED']]);
  });

  it('cutWhere → those of which it says why: a tunnel by its own way, others at once', () => {
    const [tunnel, waiting, other] = [enter(), enter(), enter('north')];
    const reasons: string[] = [];
    const ended = tunnel.carries(({ reason }) => void reasons.push(reason));
    const why = { reason: 'REVOKED', message: 'It was revoked.' } as const;
    connections.cutWhere(({ peer }) => (peer === 'east' ? why : undefined));
    assert.deepEqual([reasons, refused], [['REVOKED'], ['REVOKED']]);
    assert.deepEqual(
      [tunnel, waiting, other].map(({ socket }) => socket.destroyed),
      [false, true, false],
    );
    ended();
    tunnel.cut(why);
    assert.ok(tunnel.socket.destroyed);
  });
});
