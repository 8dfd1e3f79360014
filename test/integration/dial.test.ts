/** Dials to endpoints that nobody waits for any more. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { dialEndpoint } from '#src/gateway/dial.ts';

describe('dialEndpoint', () => {
  it('given up after the kernel has connected it, before this process has heard of that → the endpoint sees a reset, no clean end', async () => {
    const seen = Promise.withResolvers<string>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket
        .on('end', () => seen.resolve('end'))
        .on('error', ({ code }: NodeJS.ErrnoException) => seen.resolve(`${code}`));
      socket.resume();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const gone = new AbortController();
    const dialled = dialEndpoint({
      endpoints: [{ host: '127.0.0.1', port }],
      namespace: 'shop',
      targets: { allows: () => true },
      signal: gone.signal,
    });
    // The connection is made within the call; its event comes in a later turn.
    gone.abort();
    assert.equal((await dialled).ok, false);
    assert.equal(await seen.promise, 'ECONNRESET');
    server.close();
    await once(server, 'close');
  });
});
