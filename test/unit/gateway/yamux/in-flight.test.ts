import assert from 'node:assert/strict';
import { makeInFlight, type InFlight, type Mark } from '#src/gateway/yamux/in-flight.ts';
import {
  FRAME_ALONE_BYTES_MAX,
  FRAME_BYTES_MAX,
  HASTY_RESERVE_BYTES,
  IN_FLIGHT_BYTES_FIRST,
  IN_FLIGHT_BYTES_MIN,
  IN_FLIGHT_QUEUE_MS,
  MARKS_AWAITED_MAX,
  ROUND_TRIP_SPAN_MS,
} from '#src/gateway/yamux/limits.ts';

interface Shape {
  readonly megabits: number;
  readonly rttMs: number;
  /** The other end is busy with something else for so long, again and again, and answers then. */
  readonly stallsMs?: readonly number[];
}

/** Of a busy machine, in milliseconds between turns of its event loop. */
function stalls(longestMs: number): number[] {
  return Array.from({ length: 50 }, (_, i) => ((i * 37) % 50) * (longestMs / 50));
}

/** A path with a queue of any length, and a sender that always has more: by the millisecond, without a clock. */
function makePath(initial: Shape): {
  /** What it carried of what it could, and the longest wait in its queue. */
  run(ms: number, shape?: Shape): { readonly used: number; readonly queueMs: number };
  /** All that was sent has arrived, and nothing more is sent. */
  answer(): void;
  readonly marks: number;
  readonly inFlight: InFlight;
} {
  const inFlight = makeInFlight();
  const answers: { readonly atMs: number; readonly mark: Mark }[] = [];
  let { megabits, rttMs, stallsMs = [] } = initial;
  let nowMs = 0;
  let freeMs = 0;
  let marks = 0;
  let turns = 0;
  let turnMs = 0;

  /** When the other end looks at what arrives then. */
  function seenMs(arrivedMs: number): number {
    if (stallsMs.length === 0) return arrivedMs;
    while (turnMs < arrivedMs) turnMs += 1 + (stallsMs[turns++ % stallsMs.length] ?? 0);
    return turnMs;
  }

  function mark(): void {
    if (!inFlight.isMarkDue) return;
    marks++;
    answers.push({ atMs: seenMs(freeMs + rttMs), mark: inFlight.mark(nowMs) });
  }

  function pump(bytesPerMs: number): void {
    while (inFlight.hasRoom(0)) {
      inFlight.sent(FRAME_BYTES_MAX);
      freeMs = Math.max(freeMs, nowMs) + FRAME_BYTES_MAX / bytesPerMs;
      mark();
    }
    inFlight.wait(nowMs);
    mark();
  }

  return {
    run(ms, shape = { megabits, rttMs, stallsMs }) {
      ({ megabits, rttMs, stallsMs = [] } = shape);
      const bytesPerMs = (megabits * 1e6) / 8 / 1000;
      let queueMs = 0;
      let idleMs = 0;
      for (const endMs = nowMs + ms; nowMs < endMs; nowMs++) {
        for (; answers[0] !== undefined && answers[0].atMs <= nowMs; answers.shift()) {
          inFlight.answered(answers[0].mark, { nowMs, leastRttMs: initial.rttMs });
          pump(bytesPerMs);
        }
        pump(bytesPerMs);
        queueMs = Math.max(queueMs, freeMs - nowMs);
        idleMs += Math.min(1, Math.max(0, nowMs + 1 - freeMs));
      }
      return { used: 1 - idleMs / ms, queueMs };
    },
    answer() {
      for (const { atMs, mark } of answers.splice(0)) {
        inFlight.answered(mark, { nowMs: Math.max(nowMs, atMs), leastRttMs: initial.rttMs });
      }
    },
    get marks() {
      return marks;
    },
    inFlight,
  };
}

describe('makeInFlight', () => {
  const paths = [
    { megabits: 100, rttMs: 1, withinMs: 1_000 },
    { megabits: 20, rttMs: 20, withinMs: 2_000 },
    { megabits: 100, rttMs: 50, withinMs: 1_000 },
    { megabits: 1_000, rttMs: 100, withinMs: 2_000 },
    { megabits: 1_000, rttMs: 300, withinMs: 5_000 },
  ];
  for (const { withinMs, ...shape } of paths) {
    it(`${shape.megabits} Mbit/s over ${shape.rttMs} ms → full, and a short queue`, () => {
      const path = makePath(shape);
      path.run(withinMs);
      const { used, queueMs } = path.run(2_000);
      assert.ok(used > 0.98, `used ${used}`);
      // The longest wait of what is sent at once, in frames, counts too.
      const frameMs = FRAME_BYTES_MAX / ((shape.megabits * 1e6) / 8 / 1000);
      const most = Math.max(0.35 * shape.rttMs + IN_FLIGHT_QUEUE_MS, 2 * frameMs) + 2 * frameMs;
      assert.ok(queueMs <= most, `${queueMs} of ${most}`);
    });
  }

  for (const longestMs of [20, 40]) {
    it(`an other end that is held up for up to ${longestMs} ms at a time → full nevertheless`, () => {
      const path = makePath({ megabits: 100, rttMs: 50, stallsMs: stalls(longestMs) });
      path.run(5_000);
      const { used } = path.run(5_000);
      assert.ok(used > 0.9, `used ${used}`);
    });
  }

  it('the path becomes narrow → the queue is short again in 3 s', () => {
    const path = makePath({ megabits: 500, rttMs: 50 });
    path.run(2_000);
    path.run(3_000, { megabits: 50, rttMs: 50 });
    const { used, queueMs } = path.run(2_000);
    assert.ok(used > 0.9 && queueMs < 100, `${used}, ${queueMs}`);
  });

  it('the path becomes wide → full in 1 s', () => {
    const path = makePath({ megabits: 100, rttMs: 50 });
    path.run(2_000);
    path.run(1_000, { megabits: 500, rttMs: 50 });
    assert.ok(path.run(1_000).used > 0.95);
  });

  it('the path becomes long → full in 3 s', () => {
    const path = makePath({ megabits: 100, rttMs: 20 });
    path.run(2_000);
    path.run(3_000, { megabits: 100, rttMs: 120 });
    assert.ok(path.run(2_000).used > 0.95);
  });

  it('bulk for a minute → the queue is let run empty now and then, which costs little', () => {
    const path = makePath({ megabits: 100, rttMs: 50 });
    path.run(3_000);
    const { used } = path.run(6 * ROUND_TRIP_SPAN_MS);
    assert.ok(used > 0.97 && used < 1, String(used));
  });

  it('a fast near path → no limit in sight, and a few hundred marks in a second', () => {
    const path = makePath({ megabits: 8_000, rttMs: 1 });
    path.run(1_000);
    assert.ok(path.inFlight.limitBytes > 10e6, String(path.inFlight.limitBytes));
    const before = path.marks;
    path.run(1_000);
    assert.ok(path.marks - before < 400, String(path.marks - before));
  });

  it('a path that is not known, or is slow → no long frames; a fast one → long frames, in whole bytes', () => {
    assert.equal(makeInFlight().frameBytesMax, FRAME_BYTES_MAX);
    const slow = makePath({ megabits: 10, rttMs: 20 });
    const fast = makePath({ megabits: 8_000, rttMs: 1.3 });
    for (const path of [slow, fast]) {
      path.run(2_000);
      assert.ok(Number.isInteger(path.inFlight.frameBytesMax));
    }
    assert.ok(slow.inFlight.frameBytesMax <= FRAME_BYTES_MAX);
    fast.answer();
    assert.ok(fast.inFlight.frameBytesMax >= FRAME_ALONE_BYTES_MAX);
  });

  it('no answer → so much is sent and no more; what is hasty has its reserve; one answer → room again', () => {
    const inFlight = makeInFlight();
    const marks: Mark[] = [];
    let sentBytes = 0;
    for (; inFlight.hasRoom(0); sentBytes += FRAME_BYTES_MAX) {
      inFlight.sent(FRAME_BYTES_MAX);
      if (inFlight.isMarkDue) marks.push(inFlight.mark(0));
    }
    assert.equal(sentBytes, IN_FLIGHT_BYTES_FIRST);
    inFlight.wait(0);
    assert.ok(marks.length > 0 && marks.length <= MARKS_AWAITED_MAX);
    assert.ok(inFlight.hasRoom(HASTY_RESERVE_BYTES));
    inFlight.sent(HASTY_RESERVE_BYTES);
    assert.equal(inFlight.hasRoom(HASTY_RESERVE_BYTES), false);
    const [first] = marks;
    assert.ok(first);
    inFlight.answered(first, { nowMs: 10, leastRttMs: 10 });
    assert.equal(inFlight.hasRoom(HASTY_RESERVE_BYTES), true);
  });

  it('blocked, and no mark is awaited → a mark at once, however little was sent since the last one', () => {
    const inFlight = makeInFlight();
    inFlight.sent(IN_FLIGHT_BYTES_FIRST);
    assert.ok(inFlight.isMarkDue);
    const mark = inFlight.mark(0);
    inFlight.sent(1);
    inFlight.answered(mark, { nowMs: 1_000, leastRttMs: 1 });
    assert.equal(inFlight.isMarkDue, false, 'nobody waits');
    inFlight.sent(inFlight.limitBytes);
    inFlight.wait(1_000);
    assert.ok(inFlight.isMarkDue);
  });

  it('a path that takes next to nothing → two frames all the same', () => {
    const path = makePath({ megabits: 1, rttMs: 10 });
    path.run(20_000);
    assert.equal(path.inFlight.limitBytes, IN_FLIGHT_BYTES_MIN);
  });
});
