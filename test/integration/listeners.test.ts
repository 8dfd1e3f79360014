/** Listeners of imports on real ports: what becomes of one that is not wanted, wanted again, or cannot be had. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { ImportBindingStatusListener } from '#src/api/generated/ImportBinding.ts';
import { LISTEN_RETRY_MS, REMAP_ATTEMPTS_MAX } from '#src/gateway/limits.ts';
import { makeListeners, type Listeners } from '#src/gateway/listeners.ts';
import type { WantedListener } from '#src/gateway/wanted-listeners.ts';
import { waitFor } from '#test/support/wait.ts';

const ADDRESS = '127.99.3.1';
const PORT = 26_003;

function wantedAt(...ports: number[]): WantedListener[] {
  return ports.map((port) => ({ object: 'store/db', port, address: ADDRESS, listenPort: port, ifTaken: 'remap' }));
}

async function occupy(port: number): Promise<Server> {
  const server = createServer();
  server.listen({ host: ADDRESS, port, exclusive: true });
  await once(server, 'listening');
  return server;
}

describe('makeListeners', () => {
  let listeners: Listeners;
  let states: readonly ImportBindingStatusListener[];
  let history: string[];
  const squatters: Server[] = [];

  beforeEach(() => {
    states = [];
    history = [];
    listeners = makeListeners({
      onClient: (_arrival, socket) => void socket.destroy(),
      onState(_object, next) {
        states = next;
        history.push(...next.map(({ state, reason }) => reason ?? state));
      },
    });
  });
  afterEach(async () => {
    await listeners.close();
    for (const server of squatters.splice(0)) server.close();
  });
  const apply = (isUsable: boolean, ...ports: number[]): void => listeners.apply(wantedAt(...ports), () => isUsable);
  const listening = (): Promise<ImportBindingStatusListener> =>
    waitFor('it listens', () => states.find(({ state }) => state === 'Listening'));

  it('removed while it opens and wanted again at once → on its own port, not remapped by its own leftovers', async () => {
    for (let round = 0; round < 5; round++) {
      apply(true, PORT);
      apply(true);
      apply(true, PORT);
      apply(false, PORT);
      apply(true, PORT);
    }
    assert.equal((await listening()).listenPort, PORT);
    assert.ok(!history.includes('PORT_REMAPPED'), history.join(' '));
  });

  it('a port taken out of a live import → its listener is closed and no longer reported, the other stays', async () => {
    apply(true, PORT, PORT + 1);
    await waitFor('both listen', () => states.filter(({ state }) => state === 'Listening').length === 2);
    apply(true, PORT);
    assert.deepEqual(
      states.map(({ port }) => port),
      [PORT],
    );
    await waitFor('the port is free', async () => squatters.push(await occupy(PORT + 1)));
  });

  it('remapped, closed and opened again → the same other port, which is named all the time', async () => {
    squatters.push(await occupy(PORT));
    apply(true, PORT);
    const { listenPort } = await listening();
    assert.notEqual(listenPort, PORT);
    apply(false, PORT);
    await waitFor('it is closed', () => states.some(({ state }) => state === 'Closed'));
    assert.equal(states[0]?.listenPort, listenPort);
    apply(true, PORT);
    assert.equal((await listening()).listenPort, listenPort);
  });

  it('no port to be had → Failed; when there is one again → it listens by itself', async function () {
    this.timeout(LISTEN_RETRY_MS + 15_000);
    squatters.push(await occupy(PORT));
    for (let taken = 0; taken <= REMAP_ATTEMPTS_MAX; taken++) {
      apply(true, PORT);
      const state = await waitFor('it is tried', () => states.find((one) => one.state !== 'Closed'));
      if (state.state === 'Failed') break;
      apply(false, PORT);
      await waitFor('it is closed', () => states.some((one) => one.state === 'Closed'));
      squatters.push(await occupy(state.listenPort ?? 0));
    }
    assert.deepEqual(
      states.map(({ state, reason }) => [state, reason]),
      [['Failed', 'AddressInUse']],
    );
    squatters.shift()?.close();
    assert.equal((await listening()).listenPort, PORT);
  });
});
