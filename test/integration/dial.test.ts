/** Dials to endpoints that nobody waits for any more. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { dialEndpoint } from '#src/gateway/dial.ts';
import { makeAsker } from '#test/support/asker.ts';

describe('dialEndpoint', () => {
  it('given up after the kernel has connected it, before this process has heard of that → the endpoint sees a reset, no clean end', async () => {
    const seen = Promise.withResolvers<string>();
    const server = createServer((socket) => {
      socket
        .on('end', () => seen.resolve('end'))
        .on('error', ({ code }: NodeJS.ErrnoException) => seen.resolve(`${code}`));
      socket.resume();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const asker = makeAsker();
    const dialled = dialEndpoint({
      endpoints: [{ host: '127.0.0.1', port }],
      namespace: 'shop',
      targets: { allows: () => true },
      asker,
    });
    // Node connects in the tick after the call, and hears of it a turn later: this is in between.
    process.nextTick(() => asker.leave());
    const [{ ok }, end] = await Promise.all([dialled, seen.promise]);
    server.close();
    assert.deepEqual({ ok, end }, { ok: false, end: 'ECONNRESET' });
  });
});
