import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  WINDOW_BYTES_MAX,
  WINDOW_INITIAL_BYTES,
  WINDOW_MEASURE_MIN_MS,
  WINDOW_NEAR_BYTES,
} from '#src/gateway/yamux/limits.ts';
import { grantOf, nextTarget, type DrainMeasure } from '#src/gateway/yamux/window.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

describe('nextTarget', () => {
  const measure: DrainMeasure = {
    targetBytes: 4 * MIB,
    drainedBytes: 4 * MIB,
    elapsedMs: 100,
    rttMs: 100,
    leastBytes: WINDOW_INITIAL_BYTES,
    mostBytes: WINDOW_BYTES_MAX,
  };
  const cases: { name: string; input: Partial<DrainMeasure>; target: number }[] = [
    { name: 'all of it taken in a round trip → twice as much', input: {}, target: 8 * MIB },
    {
      name: 'a small one → four times as much',
      input: { targetBytes: 64 * KIB, drainedBytes: 64 * KIB },
      target: 256 * KIB,
    },
    { name: 'taken in two round trips → twice what one of them took', input: { elapsedMs: 200 }, target: 4 * MIB },
    { name: 'a little taken → half', input: { drainedBytes: 1 }, target: 2 * MIB },
    { name: 'less than a round trip over → as before', input: { elapsedMs: 99, drainedBytes: 1 }, target: 4 * MIB },
    { name: 'the round trip is not known → as before', input: { rttMs: undefined }, target: 4 * MIB },
    {
      name: 'bulk over a path of no length → enough for large batches, whatever the round trip says',
      input: { rttMs: 0.2, elapsedMs: WINDOW_MEASURE_MIN_MS, drainedBytes: 400 * KIB, targetBytes: 64 * KIB },
      target: WINDOW_NEAR_BYTES,
    },
    {
      name: 'that again, and more → as before',
      input: { rttMs: 0.2, elapsedMs: WINDOW_MEASURE_MIN_MS, targetBytes: WINDOW_NEAR_BYTES },
      target: WINDOW_NEAR_BYTES,
    },
    {
      name: 'no bulk over a path of no length → half',
      input: { rttMs: 0.2, elapsedMs: WINDOW_MEASURE_MIN_MS, drainedBytes: 4 * KIB, targetBytes: WINDOW_NEAR_BYTES },
      target: WINDOW_NEAR_BYTES / 2,
    },
    { name: 'never less than every stream has', input: { targetBytes: 64 * KIB, drainedBytes: 1 }, target: 64 * KIB },
    { name: 'never more than this one may', input: { mostBytes: 5 * MIB }, target: 5 * MIB },
    {
      name: 'memory is scarce → less than every stream has',
      input: { leastBytes: 256 * KIB, mostBytes: 64 * KIB },
      target: 64 * KIB,
    },
  ];
  for (const { name, input, target } of cases) {
    it(name, () => assert.equal(nextTarget({ ...measure, ...input }), target));
  }
});

describe('grantOf', () => {
  const cases = [
    {
      name: 'nothing taken → nothing',
      promised: { targetBytes: 64, outstandingBytes: 60, waitingBytes: 4, rttMs: 10 },
      grant: 0,
    },
    {
      name: 'less than half taken → nothing',
      promised: { targetBytes: 64, outstandingBytes: 24, waitingBytes: 9, rttMs: 10 },
      grant: 0,
    },
    {
      name: 'half taken → all of it',
      promised: { targetBytes: 64, outstandingBytes: 24, waitingBytes: 8, rttMs: undefined },
      grant: 32,
    },
    {
      name: 'more promised than may be now → nothing',
      promised: { targetBytes: 64, outstandingBytes: 90, waitingBytes: 0, rttMs: 10 },
      grant: 0,
    },
    {
      name: 'an eighth of a large one → all of it',
      promised: { targetBytes: 8 * MIB, outstandingBytes: 7 * MIB, waitingBytes: 0, rttMs: 10 },
      grant: MIB,
    },
    {
      name: 'an eighth of a large one, over a path of no length → nothing',
      promised: { targetBytes: 2 * MIB, outstandingBytes: (7 / 4) * MIB, waitingBytes: 0, rttMs: 0.1 },
      grant: 0,
    },
    {
      name: 'a quarter of it → all of it',
      promised: { targetBytes: 2 * MIB, outstandingBytes: (6 / 4) * MIB, waitingBytes: 0, rttMs: 0.1 },
      grant: MIB / 2,
    },
  ];
  for (const { name, promised, grant } of cases) it(name, () => assert.equal(grantOf(promised), grant));
});

/** A stream as its receiver sees it. */
class Receiver {
  targetBytes = WINDOW_INITIAL_BYTES;
  outstandingBytes = WINDOW_INITIAL_BYTES;
  waitingBytes = 0;
  drainedBytes = 0;
  elapsedMs = 0;
  readonly rttMs: number;
  readonly mostBytes: number;

  constructor(rttMs: number, mostBytes: number) {
    this.rttMs = rttMs;
    this.mostBytes = mostBytes;
  }

  drain(bytes: number): number {
    this.waitingBytes -= bytes;
    this.drainedBytes += bytes;
    if (grantOf(this) === 0) return 0;
    const isMeasured = this.elapsedMs >= this.rttMs;
    this.targetBytes = nextTarget({ ...this, leastBytes: WINDOW_INITIAL_BYTES });
    if (isMeasured) this.drainedBytes = this.elapsedMs = 0;
    const grant = grantOf(this);
    this.outstandingBytes += grant;
    return grant;
  }

  arrive(bytes: number): void {
    this.outstandingBytes -= bytes;
    this.waitingBytes += bytes;
  }
}

/** A sender that always has more, over a path that takes so much in a round trip; a grant is answered with data after `answerMs`. */
function startFlow(flow: {
  readonly receiver: Receiver;
  readonly pathBytes: number;
  readonly answerMs: number;
}): (ms: number) => number {
  const { receiver, pathBytes, answerMs } = flow;
  const bytesPerMs = pathBytes / receiver.rttMs;
  const underWay: { atMs: number; bytes: number }[] = [{ atMs: answerMs, bytes: WINDOW_INITIAL_BYTES }];
  let nowMs = 0;
  let credit = 0;
  return (ms) => {
    let arrived = 0;
    for (const endMs = nowMs + ms; nowMs < endMs;) {
      nowMs++;
      for (; underWay[0] !== undefined && underWay[0].atMs <= nowMs; underWay.shift()) credit += underWay[0].bytes;
      const bytes = Math.floor(Math.min(credit, bytesPerMs));
      credit -= bytes;
      receiver.arrive(bytes);
      receiver.elapsedMs++;
      const grant = receiver.drain(bytes);
      if (grant > 0) underWay.push({ atMs: nowMs + answerMs, bytes: grant });
      arrived += bytes;
    }
    return arrived;
  };
}

describe('a window', () => {
  it('whatever arrives and is taken → never more promised than it may be, nothing granted that was not taken or aimed at', () => {
    const act = fc.record({
      arrives: fc.double({ min: 0, max: 1, noNaN: true }),
      isTaken: fc.double({ min: 0, max: 1, noNaN: true }),
      passesMs: fc.nat({ max: 300 }),
    });
    fc.assert(
      fc.property(
        fc.array(act, { maxLength: 100 }),
        fc.integer({ min: WINDOW_INITIAL_BYTES, max: WINDOW_BYTES_MAX }),
        (acts, most) => {
          const receiver = new Receiver(100, most);
          for (const { arrives, isTaken, passesMs } of acts) {
            receiver.arrive(Math.floor(receiver.outstandingBytes * arrives));
            receiver.elapsedMs += passesMs;
            const taken = Math.floor(receiver.waitingBytes * isTaken);
            const grant = receiver.drain(taken);
            const promised = receiver.outstandingBytes + receiver.waitingBytes;
            assert.ok(promised <= most, `${promised} of ${most}`);
            assert.ok(grant === 0 || promised <= receiver.targetBytes);
          }
          // The reader stops: whatever else comes, and however late, nothing is granted.
          receiver.arrive(receiver.outstandingBytes);
          receiver.elapsedMs += 10_000;
          receiver.drain(0);
          const promised = receiver.waitingBytes;
          assert.equal(receiver.drain(0), 0);
          assert.ok(promised + receiver.outstandingBytes <= most);
        },
      ),
    );
  });

  it('a path of any length and width → filled in 20 round trips, and no more promised than four times what it takes in one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 300 }),
        fc.integer({ min: 64 * KIB, max: WINDOW_BYTES_MAX / 2 }),
        (rttMs, pathBytes) => {
          const receiver = new Receiver(rttMs, WINDOW_BYTES_MAX);
          const run = startFlow({ receiver, pathBytes, answerMs: rttMs });
          run(19 * rttMs);
          const inLastRoundTrip = run(rttMs);
          assert.ok(inLastRoundTrip >= 0.9 * (pathBytes - rttMs), `${inLastRoundTrip} of ${pathBytes}`);
          const promised = receiver.outstandingBytes + receiver.waitingBytes;
          assert.ok(promised <= Math.max(4.2 * pathBytes, 2 * MIB), `${promised} for ${pathBytes}`);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('answers later than they could be, and a reader that was held up → filled again in 20 round trips', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 300 }),
        fc.integer({ min: 64 * KIB, max: WINDOW_BYTES_MAX / 2 }),
        fc.double({ min: 1, max: 1.4, noNaN: true }),
        (rttMs, pathBytes, lateTimes) => {
          const receiver = new Receiver(rttMs, WINDOW_BYTES_MAX);
          const run = startFlow({ receiver, pathBytes, answerMs: Math.round(lateTimes * rttMs) });
          run(40 * rttMs);
          // Nothing is taken for two round trips, and then a little: half of the window is gone.
          receiver.elapsedMs += 2 * rttMs;
          run(20 * rttMs);
          const each = run(10 * rttMs) / 10;
          assert.ok(each >= 0.7 * (pathBytes - rttMs), `${each} of ${pathBytes} in a round trip`);
        },
      ),
      { numRuns: 30 },
    );
  });
});
