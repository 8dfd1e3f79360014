import assert from 'node:assert/strict';
import { setTimeout as passed } from 'node:timers/promises';
import { REFUSED_KEPT_MAX } from '#src/gateway/limits.ts';
import type { Routes } from '#src/gateway/routes.ts';
import { DRAIN_REVOCATION, makeTunnelTable, type Revocation, type Tunnel } from '#src/gateway/tunnels.ts';
import { countKept, KEPT_FEW } from '#test/support/kept.ts';

function makeTunnel(): Tunnel & { readonly aborts: Revocation[] } {
  const aborts: Revocation[] = [];
  const subject = { connection: 'c', direction: 'egress', object: 'store/db', peer: 'east' } as const;
  return {
    subject,
    aborts,
    recheck: () => undefined,
    abort: (revocation) => void aborts.push(revocation),
    keepAlive: () => undefined,
  };
}

const soon = { deadlineMs: 60_000, signal: new AbortController().signal };

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

  it(`more than ${REFUSED_KEPT_MAX} are refused → the oldest is forgotten`, () => {
    const table = makeTunnelTable();
    const { subject } = makeTunnel();
    for (let count = 0; count <= REFUSED_KEPT_MAX; count++) {
      table.refuse({ subject: { ...subject, connection: `c${count}` }, isAllowed: () => false });
    }
    const kept = table.refused().map(({ subject: { connection } }) => connection);
    assert.deepEqual([kept.length, kept[0], kept.at(-1)], [REFUSED_KEPT_MAX, 'c1', `c${REFUSED_KEPT_MAX}`]);
  });

  it('one is being opened → not quiet; ended twice → counted once', async () => {
    const table = makeTunnelTable();
    const [ended, other] = [table.opening(), table.opening()];
    let isQuiet: boolean | undefined;
    const quiet = table.whenQuiet({ ...soon, quietMs: 0 }).then((outcome) => (isQuiet = outcome));
    ended();
    ended();
    await passed(5);
    assert.equal(isQuiet, undefined);
    other();
    assert.equal(await quiet, true);
  });

  it('the last one goes → quiet; another comes within that time → quiet only after it', async () => {
    const table = makeTunnelTable();
    const [first, second] = [makeTunnel(), makeTunnel()];
    table.add(first);
    let isQuiet: boolean | undefined;
    const quiet = table.whenQuiet({ ...soon, quietMs: 50 }).then((outcome) => (isQuiet = outcome));
    table.remove(first);
    table.add(second);
    await passed(100);
    assert.equal(isQuiet, undefined);
    table.remove(second);
    assert.equal(await quiet, true);
  });

  it('the deadline passes, or the signal comes, with one open → not quiet', async () => {
    const table = makeTunnelTable();
    table.add(makeTunnel());
    assert.equal(await table.whenQuiet({ ...soon, quietMs: 0, deadlineMs: 5 }), false);
    const ending = new AbortController();
    const told = table.whenQuiet({ quietMs: 0, deadlineMs: 60_000, signal: ending.signal });
    ending.abort();
    assert.equal(await told, false);
  });

  it('what is open is cut → what comes later is not', () => {
    const table = makeTunnelTable();
    const [early, late] = [makeTunnel(), makeTunnel()];
    table.add(early);
    table.abortOpen(DRAIN_REVOCATION);
    table.add(late);
    assert.deepEqual([early.aborts, late.aborts], [[DRAIN_REVOCATION], []]);
  });

  it('those that have ended → small collections take them', async () => {
    const table = makeTunnelTable();
    const kept = await countKept(() => {
      const item = makeTunnel();
      table.add(item);
      return { item, leave: () => table.remove(item) };
    });
    assert.ok(kept <= KEPT_FEW, `${kept}`);
  });
});
