/** Dials over several addresses of one name, on real sockets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { connectAny } from '#src/gateway/connect-any.ts';
import { waitFor } from '#test/support/wait.ts';

describe('connectAny', () => {
  let server: Server;
  let port: number;
  let open: number;
  const signal = new AbortController().signal;

  beforeEach(async () => {
    open = 0;
    server = createServer((socket) => {
      open++;
      socket.on('close', () => open--).on('error', () => undefined);
      socket.resume();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(() => void server.close());

  it('the first two refuse → the third, at once, and nothing else is left open', async () => {
    const startMs = performance.now();
    const { socket, address } = await connectAny({
      addresses: ['127.0.0.8', '127.0.0.9', '127.0.0.1'],
      port,
      signal,
    });
    assert.equal(address, '127.0.0.1');
    assert.ok(performance.now() - startMs < 250, 'nobody waited for an address that had refused');
    await waitFor('it is taken', () => open === 1);
    socket.destroy();
    await waitFor('it is gone', () => open === 0);
  });

  it('all refuse → the error of the first', async () => {
    const dialled = connectAny({ addresses: ['127.0.0.8', '127.0.0.9'], port, signal });
    await assert.rejects(dialled, { code: 'ECONNREFUSED', address: '127.0.0.8' });
  });

  for (const when of ['before', 'during'] as const) {
    it(`aborted ${when} → rejected with its reason, and no connection is left`, async () => {
      const gone = new AbortController();
      if (when === 'before') gone.abort(new Error('nobody waits'));
      const dialled = connectAny({ addresses: ['127.0.0.1'], port, signal: gone.signal });
      gone.abort(new Error('nobody waits'));
      await assert.rejects(dialled, { message: 'nobody waits' });
      await waitFor('nothing is open', () => open === 0);
    });
  }
});
