import assert from 'node:assert/strict';
import { waitBeforeEnd } from '#src/gateway/clusterlink/client-end.ts';
import { END_ANSWERED_MS, END_UNANSWERED_MS } from '#src/gateway/clusterlink/limits.ts';

describe('waitBeforeEnd', () => {
  for (const [what, end, nowMs, expected] of [
    ['it asked and ended', { endedMs: 100, sentMs: 90, receivedMs: undefined }, 100, END_UNANSWERED_MS],
    ['it said nothing and ended', { endedMs: 100, sentMs: undefined, receivedMs: undefined }, 100, END_UNANSWERED_MS],
    ['an answer before, then another question', { endedMs: 100, sentMs: 90, receivedMs: 50 }, 100, END_UNANSWERED_MS],
    ['answered, then it ended', { endedMs: 100, sentMs: 50, receivedMs: 90 }, 100, END_ANSWERED_MS],
    [
      'the service spoke first, the client never',
      { endedMs: 100, sentMs: undefined, receivedMs: 90 },
      100,
      END_ANSWERED_MS,
    ],
    ['the answer is still coming', { endedMs: 100, sentMs: 50, receivedMs: 5_000 }, 5_010, END_ANSWERED_MS - 10],
    ['the answer has stopped for long enough', { endedMs: 100, sentMs: 50, receivedMs: 200 }, 200 + END_ANSWERED_MS, 0],
    ['no answer for long enough', { endedMs: 100, sentMs: 50, receivedMs: undefined }, 100 + END_UNANSWERED_MS, 0],
    ['long over', { endedMs: 100, sentMs: 50, receivedMs: undefined }, 1e9, 0],
  ] as const) {
    it(`${what} → ${expected} ms`, () => assert.equal(waitBeforeEnd(end, nowMs), expected));
  }
});
