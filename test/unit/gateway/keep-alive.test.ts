import assert from 'node:assert/strict';
import { keepTunnelsAlive } from '#src/gateway/keep-alive.ts';
import { KEEP_ALIVE_LOOKS } from '#src/gateway/limits.ts';
import { makeTunnelTable, type Tunnel } from '#src/gateway/tunnels.ts';
import { waitFor } from '#test/support/wait.ts';

const IDLE_MS = KEEP_ALIVE_LOOKS;

describe('keepTunnelsAlive', () => {
  let told: string[];
  beforeEach(() => (told = []));

  const makeTunnel = (connection: string): Tunnel => ({
    subject: { connection, direction: 'egress', object: 'store/db', peer: 'east' },
    recheck: () => undefined,
    abort: () => undefined,
    keepAlive: (idleMs) => void told.push(`${connection} ${idleMs}`),
  });

  it('those that are open at a look → told; those that have ended before it, and after the end of it → not', async () => {
    const table = makeTunnelTable();
    const [brief, lasting, late] = [makeTunnel('brief'), makeTunnel('lasting'), makeTunnel('late')];
    const stop = keepTunnelsAlive({ table, idleMs: IDLE_MS });
    table.add(brief);
    table.add(lasting);
    table.remove(brief);
    await waitFor('a look', () => told.length > 0);
    stop();
    table.add(late);
    await new Promise((resolve) => setTimeout(resolve, 5 * IDLE_MS));
    assert.deepEqual(new Set(told), new Set([`lasting ${IDLE_MS}`]));
  });
});
