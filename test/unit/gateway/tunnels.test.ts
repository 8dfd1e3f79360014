import assert from 'node:assert/strict';
import { DRAIN_REVOCATION, makeTunnelTable, type Revocation, type Tunnel } from '#src/gateway/tunnels.ts';

function makeTunnel(): Tunnel & { readonly aborts: Revocation[] } {
  const aborts: Revocation[] = [];
  return { aborts, recheck: () => undefined, abort: (revocation) => void aborts.push(revocation) };
}

describe('makeTunnelTable', () => {
  it('added after all were cut → cut too: it was being opened meanwhile', () => {
    const table = makeTunnelTable();
    const [early, late] = [makeTunnel(), makeTunnel()];
    table.add(early);
    table.abortAll(DRAIN_REVOCATION);
    table.add(late);
    assert.deepEqual([early.aborts, late.aborts], [[DRAIN_REVOCATION], [DRAIN_REVOCATION]]);
  });

  it('the last one goes → whenEmpty resolves before its deadline', async () => {
    const table = makeTunnelTable();
    const tunnel = makeTunnel();
    table.add(tunnel);
    const empty = table.whenEmpty(60_000);
    table.remove(tunnel);
    await empty;
  });
});
