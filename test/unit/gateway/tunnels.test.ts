import assert from 'node:assert/strict';
import type { Routes } from '#src/gateway/routes.ts';
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

  it('clients at some addresses are others now → their connections alone are asked again', () => {
    const table = makeTunnelTable();
    const revoked: Revocation = { reason: 'CLIENT_UNKNOWN', message: 'gone' };
    const [theirs, others, ofPeer] = ['10.0.0.1', '10.0.0.2', undefined].map((client) => {
      const tunnel = { ...makeTunnel(), client, recheck: () => revoked };
      table.add(tunnel);
      return tunnel;
    });
    table.recheckClients(new Set(['10.0.0.1']), {} as Routes);
    assert.deepEqual([theirs?.aborts, others?.aborts, ofPeer?.aborts], [[revoked], [], []]);
  });

  it('one is being opened → whenEmpty waits for it too; ended twice → counted once', async () => {
    const table = makeTunnelTable();
    const [ended, other] = [table.opening(), table.opening()];
    let isEmpty = false;
    const empty = table.whenEmpty(60_000).then(() => (isEmpty = true));
    ended();
    ended();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isEmpty, false);
    other();
    await empty;
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
