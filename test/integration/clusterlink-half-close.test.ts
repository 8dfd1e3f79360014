/** A client that has ended, at a service of a ClusterLink peer that waits for the end: how long the connection lasts, on real sockets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { END_ANSWERED_MS } from '#src/gateway/clusterlink/limits.ts';
import { makeFixture } from '#test/support/clusterlink/fixture.ts';
import { makeTestFabric } from '#test/support/fabric.ts';
import { allowAll, startTestPlane } from '#test/support/planes.ts';
import { waitFor } from '#test/support/wait.ts';

const VIP = '127.99.7.2';
const GREETING = 'hello\n';
/** The end is told, and comes back. */
const SLACK_MS = 1_500;

describe('a client that has ended at a service that waits for it', function () {
  this.timeout(20_000);

  it('greeting, 3,000 bytes, end → all comes back, and the connection ends END_ANSWERED_MS after the last byte', async () => {
    const fabric = await makeTestFabric();
    await using fixture = makeFixture(fabric);
    fixture.onClose(() => fabric.remove());
    const west = await fixture.startExporter('go', {
      service(socket) {
        socket.on('error', () => undefined).write(GREETING);
        socket.pipe(socket);
      },
    });
    const east = await startTestPlane({ fabric, name: 'east', listen: 'no' });
    fixture.onClose(() => east.close());
    const gateways = west.gatewayPorts.map((port) => ({ host: '127.0.0.1', port }));
    east.apply({
      peers: [{ name: 'west', labels: {}, gateways, mayAssert: [] }],
      imports: [
        {
          ...{ key: { namespace: 'store', name: 'db' }, ips: [VIP], labels: {}, localFirst: false, scheme: 'Static' },
          ports: [{ name: '', protocol: 'TCP', port: 5432, lastListenPort: 26_008 }],
          sources: [{ ...{ peer: 'west', namespace: 'shop', name: 'db' }, ports: [5432], readyEndpoints: 1 }],
        },
      ],
      policies: allowAll('store'),
    });
    const port = await waitFor('it can be used', () => {
      const seen = east.imports.get('store/db');
      const isUsable = seen?.sources.some(({ usable }) => usable) ?? false;
      return isUsable ? seen?.listeners.find(({ listenPort }) => listenPort !== undefined)?.listenPort : undefined;
    });

    const client = connect({ host: VIP, port, allowHalfOpen: true });
    const closed = once(client, 'close');
    fixture.onClose(() => {
      client.destroy();
      return closed;
    });
    const sent = Buffer.alloc(3_000, 'abc');
    const pieces: Buffer[] = [];
    let lastMs = 0;
    client.on('data', (piece: Buffer) => {
      pieces.push(piece);
      lastMs = performance.now();
    });
    client.end(sent);
    await once(client, 'end');
    const quietMs = performance.now() - lastMs;
    assert.equal(Buffer.concat(pieces).toString(), GREETING + sent.toString());
    assert.ok(quietMs > END_ANSWERED_MS - SLACK_MS && quietMs < END_ANSWERED_MS + SLACK_MS, `${quietMs} ms`);
    await waitFor('its record', () => east.closings.some(({ reason }) => reason === 'DONE'));
  });
});
