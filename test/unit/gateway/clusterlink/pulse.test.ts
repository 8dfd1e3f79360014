import assert from 'node:assert/strict';
import {
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_LOST_MS,
  HEARTBEAT_LOST_MS_MAX,
  HEARTBEAT_RETRY_MS,
} from '#src/gateway/clusterlink/limits.ts';
import { nextStep, patienceMs, smooth, type Pulse } from '#src/gateway/clusterlink/pulse.ts';

const ANSWERED: Pulse = { answeredMs: 10_000, unansweredMs: undefined, askedMs: 9_990, rttMs: 10 };
const ASKED: Pulse = { ...ANSWERED, unansweredMs: 11_000, askedMs: 11_000 };
const lostMs = 11_000 + HEARTBEAT_LOST_MS;

describe('nextStep', () => {
  for (const [what, pulse, nowMs, expected] of [
    ['just answered', ANSWERED, 10_000, { step: 'wait', waitMs: HEARTBEAT_INTERVAL_MS }],
    ['the interval is over', ANSWERED, 10_000 + HEARTBEAT_INTERVAL_MS, { step: 'ask' }],
    ['this process has stood still for a minute, nothing was asked', ANSWERED, 70_000, { step: 'ask' }],
    ['asked', ASKED, 11_000, { step: 'wait', waitMs: HEARTBEAT_RETRY_MS }],
    ['no answer for a while', ASKED, 11_000 + HEARTBEAT_RETRY_MS, { step: 'ask' }],
    ['asked again', { ...ASKED, askedMs: 11_800 }, 11_800, { step: 'wait', waitMs: lostMs - 11_800 }],
    ['a moment before it is lost', { ...ASKED, askedMs: 11_899 }, lostMs - 1, { step: 'wait', waitMs: 1 }],
    ['lost', { ...ASKED, askedMs: 11_899 }, lostMs, { step: 'lost' }],
    ['a path of 500 ms: not yet lost', { ...ASKED, rttMs: 500 }, 12_999, { step: 'ask' }],
    ['a path of 500 ms: lost', { ...ASKED, rttMs: 500 }, 13_000, { step: 'lost' }],
  ] as const) {
    it(`${what} → ${expected.step}`, () => assert.deepEqual(nextStep(pulse, nowMs), expected));
  }

  it('silence → lost within 2 s of the last answer', () => {
    assert.ok(HEARTBEAT_INTERVAL_MS + HEARTBEAT_LOST_MS < 2_000);
  });
});

describe('patienceMs', () => {
  it('a gateway that delays its answers → no more than so much', () => {
    assert.equal(patienceMs(1e9), HEARTBEAT_LOST_MS_MAX);
    assert.equal(patienceMs(0), HEARTBEAT_LOST_MS);
  });
});

describe('smooth', () => {
  it('a sample counts a quarter', () => {
    assert.equal(smooth(8, 16), 10);
  });
});
