import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { resetSocket } from '#src/runtime/reset-socket.ts';

/** More than the kernel takes for a reader that does not read. */
const TOO_MUCH = Buffer.alloc(32 << 20);

describe('resetSocket', () => {
  const server = createServer({ allowHalfOpen: true });
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => server.close());

  async function makePair(): Promise<{ near: Socket; far: Socket }> {
    const far = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
    far.on('error', () => undefined);
    const [near] = (await once(server, 'connection')) as [Socket];
    near.on('error', (error) => assert.fail(error));
    return { near, far };
  }

  /** How the other end hears of it. To one that has had the end, the kernel says it when it writes. */
  async function assertReset(far: Socket): Promise<void> {
    const writing = setInterval(() => far.write('?'), 1);
    const [error] = (await Promise.race([once(far, 'close').then(() => []), onceFailed(far)])) as [
      NodeJS.ErrnoException?,
    ];
    clearInterval(writing);
    far.destroy();
    assert.ok(error?.code === 'ECONNRESET' || error?.code === 'EPIPE', error?.code ?? 'no error');
  }

  const openSockets = (): number => readdirSync('/proc/self/fd').length;

  for (const { state, prepare } of [
    { state: 'open', prepare: () => undefined },
    { state: 'with its end just said', prepare: (near: Socket) => void near.end() },
    {
      state: 'with its end just said, and bytes that the other end sends',
      prepare(near: Socket, far: Socket) {
        far.write('not read any more');
        near.end();
      },
    },
    { state: 'with more to write than the other end takes', prepare: (near: Socket) => void near.end(TOO_MUCH) },
  ]) {
    it(`a connection ${state} → ECONNRESET at the other end, closed here`, async () => {
      const before = openSockets();
      const { near, far } = await makePair();
      prepare(near, far);
      resetSocket(near);
      if (!near.closed) await once(near, 'close');
      await assertReset(far.resume());
      assert.equal(openSockets(), before);
    });
  }

  it('its end is over → the same', async () => {
    const { near, far } = await makePair();
    near.end();
    await once(near, 'finish');
    resetSocket(near);
    await assertReset(far.resume());
  });

  it('twice, and destroyed in between → closed once', async () => {
    const { near, far } = await makePair();
    let closed = 0;
    near.on('close', () => closed++);
    near.end();
    resetSocket(near);
    near.destroy();
    resetSocket(near);
    await once(near, 'close');
    far.destroy();
    assert.equal(closed, 1);
  });
});

function onceFailed(socket: Socket): Promise<[Error]> {
  return new Promise((resolve) => socket.once('error', (error) => resolve([error])));
}
