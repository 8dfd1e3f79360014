import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { startHeartbeat, type Heartbeat } from '#src/gateway/clusterlink/heartbeat.ts';
import { HEARTBEAT_INTERVAL_MS, HEARTBEAT_LOST_MS, HEARTBEAT_RETRY_MS } from '#src/gateway/clusterlink/limits.ts';

describe('startHeartbeat', () => {
  let nowMs: number;
  let asked: number[];
  let silent: number[];
  let isAnswered: boolean;
  let heartbeat: Heartbeat;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] });
    nowMs = 0;
    asked = [];
    silent = [];
    isAnswered = true;
    heartbeat = startHeartbeat({
      now: () => nowMs,
      rttMs: 0,
      ask() {
        asked.push(nowMs);
        if (isAnswered) heartbeat.heard(0);
        return Promise.resolve();
      },
      onSilent: (ms) => silent.push(ms),
    });
  });
  afterEach(() => {
    heartbeat.stop();
    mock.timers.reset();
  });

  async function passUntil(endMs: number): Promise<void> {
    for (; nowMs < endMs; nowMs += 10) {
      mock.timers.tick(10);
      await Promise.resolve();
      await Promise.resolve();
    }
    mock.timers.tick(1);
  }

  it('answered → once in the interval, for as long as it lasts', async () => {
    await passUntil(3.5 * HEARTBEAT_INTERVAL_MS);
    assert.equal(asked.length, 3);
    assert.deepEqual(silent, []);
  });

  it('no answer → asked again, then silent, once, and not asked any more', async () => {
    isAnswered = false;
    await passUntil(10 * HEARTBEAT_INTERVAL_MS);
    assert.equal(silent.length, 1);
    assert.ok((silent[0] ?? 0) < 2_000, String(silent[0]));
    assert.ok((silent[0] ?? 0) >= HEARTBEAT_INTERVAL_MS + HEARTBEAT_LOST_MS);
    assert.equal(asked.length, 1 + Math.floor(HEARTBEAT_LOST_MS / HEARTBEAT_RETRY_MS));
  });

  it('any answer meanwhile → not silent', async () => {
    isAnswered = false;
    for (let round = 1; round < 10; round++) {
      await passUntil(round * HEARTBEAT_INTERVAL_MS);
      heartbeat.heard();
    }
    assert.deepEqual(silent, []);
  });

  it('doubt → asked at once, and not twice', async () => {
    isAnswered = false;
    await passUntil(100);
    heartbeat.doubt();
    heartbeat.doubt();
    assert.deepEqual(asked, [100]);
  });

  it('stopped → neither asked nor silent', async () => {
    heartbeat.stop();
    heartbeat.doubt();
    await passUntil(5 * HEARTBEAT_INTERVAL_MS);
    assert.deepEqual([asked, silent], [[], []]);
  });
});
