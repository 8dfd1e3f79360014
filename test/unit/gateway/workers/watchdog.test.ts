import assert from 'node:assert/strict';
import { WORKER_ACKNOWLEDGE_TIMEOUT_MS, WORKER_LOOK_MS, WORKER_START_TIMEOUT_MS } from '#src/gateway/workers/limits.ts';
import { makeWatchdog } from '#src/gateway/workers/watchdog.ts';

function atClock() {
  let nowMs = 0;
  const watchdog = makeWatchdog({ nowMs: () => nowMs });
  return {
    watchdog,
    /** Looks as often as it does, and says what came of the last look. */
    pass(ms: number, worker: { isServing: boolean; acknowledged: number }): string | undefined {
      let said: string | undefined;
      for (let passed = 0; passed < ms && said === undefined; passed += WORKER_LOOK_MS) {
        nowMs += WORKER_LOOK_MS;
        said = watchdog.look(worker);
      }
      return said;
    },
    jump: (ms: number) => void (nowMs += ms),
  };
}

describe('makeWatchdog', () => {
  it('a snapshot is not acknowledged in time → said at the bound, not before', () => {
    const { watchdog, pass } = atClock();
    watchdog.sent(1);
    const worker = { isServing: true, acknowledged: 0 };
    assert.equal(pass(WORKER_ACKNOWLEDGE_TIMEOUT_MS - WORKER_LOOK_MS, worker), undefined);
    assert.match(pass(WORKER_LOOK_MS, worker) ?? '', /has not acknowledged/);
  });

  it('a snapshot each 100 ms, each acknowledged before the next look but one → nothing is said', () => {
    const { watchdog, pass } = atClock();
    for (let version = 1; version < 100; version++) {
      watchdog.sent(version);
      assert.equal(pass(WORKER_LOOK_MS, { isServing: true, acknowledged: version - 1 }), undefined);
    }
  });

  it('it falls behind while it acknowledges → said when one is owed for too long', () => {
    const { watchdog, pass } = atClock();
    let said: string | undefined;
    let version = 0;
    while (said === undefined && version < 100) {
      watchdog.sent(++version);
      said = pass(WORKER_LOOK_MS, { isServing: true, acknowledged: Math.floor(version / 3) });
    }
    assert.match(said ?? '', /has not acknowledged/);
  });

  it('the main process stood still for a minute → one look of it counts', () => {
    const { watchdog, pass, jump } = atClock();
    watchdog.sent(1);
    jump(60_000);
    assert.equal(pass(WORKER_LOOK_MS, { isServing: true, acknowledged: 0 }), undefined);
  });

  it('it does not serve in time → said', () => {
    const { pass } = atClock();
    const worker = { isServing: false, acknowledged: 0 };
    assert.equal(pass(WORKER_START_TIMEOUT_MS, worker), undefined);
    assert.match(pass(WORKER_LOOK_MS, worker) ?? '', /has not served/);
  });
});
