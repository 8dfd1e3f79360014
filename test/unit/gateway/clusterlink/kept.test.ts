import assert from 'node:assert/strict';
import type { GatewayConnection } from '#src/gateway/clusterlink/connection.ts';
import { makeKeptConnections } from '#src/gateway/clusterlink/kept.ts';
import { KEPT_CONNECTIONS_MAX, KEPT_IDLE_MS_MAX } from '#src/gateway/clusterlink/limits.ts';

interface Fake extends GatewayConnection {
  isOpen: boolean;
  destroyed: boolean;
}

function makeFake(answeredMs = 0): Fake {
  const fake = {
    ...{ socket: undefined as never, isUsed: true, isOpen: true, answeredMs, destroyed: false },
    ask: () => assert.fail('nobody asks'),
    askForTunnel: () => assert.fail('nobody asks'),
    destroy: () => void (fake.destroyed = true),
  };
  return fake;
}

describe('makeKeptConnections', () => {
  let nowMs = 0;
  let kept: ReturnType<typeof makeKeptConnections>;
  beforeEach(() => {
    nowMs = 0;
    kept = makeKeptConnections({ now: () => nowMs });
  });

  it('several → a client gets the newest, a heartbeat the one that was idle the longest', () => {
    const [a, b, c] = [makeFake(), makeFake(), makeFake()];
    for (const one of [a, b, c]) kept.keep(one);
    assert.equal(kept.takeNewest(), c);
    assert.equal(kept.takeOldest(), a);
    assert.equal(kept.size, 1);
  });

  it('as many as are kept, and one more → that one is closed', () => {
    const all = Array.from({ length: KEPT_CONNECTIONS_MAX + 1 }, () => makeFake());
    for (const one of all) kept.keep(one);
    assert.deepEqual(
      all.map(({ destroyed }) => destroyed),
      [...Array.from({ length: KEPT_CONNECTIONS_MAX }, () => false), true],
    );
  });

  it('idle for as long as may be → used; for longer → closed', () => {
    const one = makeFake();
    kept.keep(one);
    nowMs = KEPT_IDLE_MS_MAX;
    assert.equal(kept.size, 1);
    nowMs++;
    assert.equal(kept.takeNewest(), undefined);
    assert.equal(one.destroyed, true);
  });

  it('closed by the gateway meanwhile → not used', () => {
    const one = makeFake();
    kept.keep(one);
    one.isOpen = false;
    assert.equal(kept.takeNewest(), undefined);
  });

  it('closed → all are, and those that come back later', () => {
    const [a, late] = [makeFake(), makeFake()];
    kept.keep(a);
    kept.close();
    kept.keep(late);
    assert.deepEqual([a.destroyed, late.destroyed, kept.size], [true, true, 0]);
  });
});
