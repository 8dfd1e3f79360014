import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '#src/api/errors.ts';
import type { Clock } from '#src/runtime/clock.ts';
import { QUEUE_KEYS_MAX } from '#src/runtime/limits.ts';
import { makeLogger, makeSilentLogger } from '#src/runtime/log.ts';
import { makeWorkQueue, type ReconcileOutcome, type RunResult, type WorkQueueOptions } from '#src/runtime/queue.ts';

/** Time that moves when the test says so. */
function makeTestClock(): Clock & { advance(ms: number): void; readonly waiting: readonly number[] } {
  let nowMs = 0;
  let timers: { dueMs: number; callback: () => void }[] = [];
  return {
    nowMs: () => nowMs,
    after(ms, callback) {
      const timer = { dueMs: nowMs + ms, callback };
      timers.push(timer);
      return () => (timers = timers.filter((other) => other !== timer));
    },
    get waiting() {
      return timers.map(({ dueMs }) => dueMs - nowMs).sort((a, b) => a - b);
    },
    advance(ms) {
      nowMs += ms;
      const due = timers.filter(({ dueMs }) => dueMs <= nowMs);
      timers = timers.filter(({ dueMs }) => dueMs > nowMs);
      for (const { callback } of due) callback();
    },
  };
}

type Reconcile = WorkQueueOptions['reconcile'];

function queueWith(reconcile: Reconcile, changes: Partial<WorkQueueOptions> = {}) {
  const clock = makeTestClock();
  const results: RunResult[] = [];
  const queue = makeWorkQueue({
    reconcile,
    concurrency: 1,
    timeoutMs: 1_000,
    logger: makeSilentLogger(),
    clock,
    random: () => 0.999_999,
    backoff: { minMs: 10, maxMs: 80 },
    onResult: (result) => results.push(result),
    ...changes,
  });
  return { queue, clock, results };
}

/** A run that the test ends. */
function makeGate(): {
  reconcile: Reconcile;
  runs: string[];
  release(outcome?: ReconcileOutcome | Error): Promise<void>;
} {
  const runs: string[] = [];
  const open: PromiseWithResolvers<ReconcileOutcome | undefined>[] = [];
  return {
    runs,
    reconcile(key) {
      runs.push(key);
      const gate = Promise.withResolvers<ReconcileOutcome | undefined>();
      open.push(gate);
      return gate.promise;
    },
    async release(outcome) {
      const gate = open.shift();
      if (outcome instanceof Error) gate?.reject(outcome);
      else gate?.resolve(outcome);
      await turn();
    },
  };
}

/** Lets every promise that can settle do so. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const retryable = new AppError('ERR_TIMEOUT', 'x: later', { retryable: true });
const final = new AppError('ERR_INVALID_OBJECT', 'x: never');

describe('makeWorkQueue', () => {
  it('a key added many times before it runs → one run', async () => {
    const runs: string[] = [];
    const { queue } = queueWith((key) => Promise.resolve(void runs.push(key)));
    for (let i = 0; i < 5; i++) queue.add('a');
    queue.add('b');
    assert.equal(queue.size, 2);
    assert.deepEqual(runs, [], 'never from inside add');
    await queue.idle();
    assert.deepEqual(runs, ['a', 'b']);
    assert.equal(queue.size, 0);
  });

  it('a key added while it runs → runs again, after', async () => {
    const gate = makeGate();
    const { queue } = queueWith(gate.reconcile, { concurrency: 4 });
    queue.add('a');
    await turn();
    queue.add('a');
    queue.add('a');
    await turn();
    assert.deepEqual(gate.runs, ['a']);
    await gate.release();
    assert.deepEqual(gate.runs, ['a', 'a']);
    await gate.release();
    await queue.idle();
    assert.deepEqual(gate.runs, ['a', 'a']);
  });

  it('more keys than workers → as many at once as there are workers', async () => {
    const gate = makeGate();
    const { queue } = queueWith(gate.reconcile, { concurrency: 2 });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await turn();
    assert.deepEqual(gate.runs, ['a', 'b']);
    await gate.release();
    assert.deepEqual(gate.runs, ['a', 'b', 'c']);
    await gate.release();
    await gate.release();
    await queue.idle();
  });

  it('retryable failures → back-off that doubles to its cap, and starts anew after a success', async () => {
    let failing = true;
    const { queue, clock, results } = queueWith(() =>
      failing ? Promise.reject(retryable) : Promise.resolve(undefined),
    );
    queue.add('a');
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      await queue.idle();
      waits.push(Math.round(clock.waiting[0] ?? 0));
      clock.advance(100);
    }
    assert.deepEqual(waits, [10, 20, 40, 80, 80]);
    failing = false;
    await queue.idle();
    assert.equal(results.at(-1)?.ok, true);
    failing = true;
    queue.add('a');
    await queue.idle();
    assert.equal(Math.round(clock.waiting[0] ?? 0), 10);
  });

  it('jitter → between half and all of the back-off', async () => {
    const { queue, clock } = queueWith(() => Promise.reject(retryable), { random: () => 0 });
    queue.add('a');
    await queue.idle();
    assert.deepEqual(clock.waiting, [5]);
  });

  it('a failure that is not retryable → no retry until it is added', async () => {
    const { queue, clock, results } = queueWith(() => Promise.reject(final));
    queue.add('a');
    await queue.idle();
    assert.deepEqual(clock.waiting, []);
    queue.add('a');
    await queue.idle();
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [false, false],
    );
  });

  it('an unexpected error → retried', async () => {
    const { queue, clock } = queueWith(() => Promise.reject(new TypeError('defect')));
    queue.add('a');
    await queue.idle();
    assert.equal(clock.waiting.length, 1);
  });

  it('a reconciler that throws at once → a failure like any other', async () => {
    const { queue, results } = queueWith(() => {
      throw final;
    });
    queue.add('a');
    await queue.idle();
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [false],
    );
  });

  it('each failure → one line in the log, with its code', async () => {
    const lines: string[] = [];
    const logger = makeLogger({ level: 'info', destination: { write: (line: string) => void lines.push(line) } });
    const { queue } = queueWith(() => Promise.reject(final), { logger });
    queue.add('shop/db');
    await queue.idle();
    assert.equal(lines.length, 1);
    const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    assert.deepEqual([line.level, line.key, line.code], ['error', 'shop/db', 'ERR_INVALID_OBJECT']);
  });

  it('added while its retry waits → runs at once, and the retry is gone', async () => {
    const outcomes = [Promise.reject(retryable), Promise.resolve(undefined)];
    outcomes[0]?.catch(() => undefined);
    const { queue, clock, results } = queueWith(() => outcomes.shift() ?? assert.fail('ran too often'));
    queue.add('a');
    await queue.idle();
    queue.add('a');
    await queue.idle();
    assert.deepEqual(clock.waiting, []);
    clock.advance(10_000);
    await queue.idle();
    assert.equal(results.length, 2);
  });

  it('requeueAfterMs → runs again after that time', async () => {
    const outcomes: (ReconcileOutcome | undefined)[] = [{ requeueAfterMs: 500 }, undefined];
    const { queue, clock, results } = queueWith(() => Promise.resolve(outcomes.shift()));
    queue.add('a');
    await queue.idle();
    assert.deepEqual(clock.waiting, [500]);
    clock.advance(500);
    await queue.idle();
    assert.equal(results.length, 2);
  });

  it('addAfter twice → the sooner counts', async () => {
    const { queue, clock, results } = queueWith(() => Promise.resolve(undefined));
    queue.addAfter('a', 100);
    queue.addAfter('a', 300);
    assert.deepEqual(clock.waiting, [100]);
    queue.addAfter('a', 50);
    assert.deepEqual(clock.waiting, [50]);
    clock.advance(50);
    await queue.idle();
    assert.equal(results.length, 1);
  });

  it('a run beyond its time → aborted, a failure, retried; the key is not run meanwhile', async () => {
    let runs = 0;
    const ended = Promise.withResolvers<void>();
    const { queue, clock, results } = queueWith(async (_key, signal) => {
      runs++;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await ended.promise;
      signal.throwIfAborted();
      return undefined;
    });
    queue.add('a');
    await turn();
    clock.advance(1_000);
    await turn();
    queue.add('b');
    await turn();
    assert.equal(runs, 1, 'its worker is still taken');
    ended.resolve();
    await turn();
    assert.deepEqual(
      results.map(({ key, ok, durationMs }) => [key, ok, durationMs]),
      [['a', false, 1_000]],
    );
    clock.advance(1_000);
    await turn();
    await queue.close();
  });

  it('closed → what waits is dropped, what runs is aborted and awaited, nothing is taken', async () => {
    let aborted = false;
    const { queue, clock, results } = queueWith((key, signal) =>
      key === 'a'
        ? new Promise((_, reject) =>
            signal.addEventListener('abort', () => {
              aborted = true;
              reject(signal.reason as Error);
            }),
          )
        : Promise.resolve(undefined),
    );
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 100);
    await turn();
    await queue.close();
    assert.ok(aborted);
    assert.deepEqual(
      results.map(({ key }) => key),
      ['a'],
    );
    assert.deepEqual(clock.waiting, []);
    assert.equal(queue.add('d'), false);
    assert.equal(queue.addAfter('d', 1), false);
    await queue.close();
  });

  it(`${QUEUE_KEYS_MAX} keys → taken, one more → refused and said so once, known ones → taken`, async () => {
    const lines: string[] = [];
    const logger = makeLogger({ level: 'info', destination: { write: (line: string) => void lines.push(line) } });
    const gate = makeGate();
    const { queue } = queueWith(gate.reconcile, { logger });
    for (let i = 0; i < QUEUE_KEYS_MAX; i++) assert.ok(queue.add(`k${i}`));
    assert.equal(queue.add('one-more'), false);
    assert.equal(queue.addAfter('another', 5), false);
    assert.equal(lines.length, 1);
    assert.equal(queue.add('k7'), true);
    const closed = queue.close();
    await turn();
    await gate.release();
    await closed;
  });

  it('any order of adds and ends → never twice at once, and every add is followed by a run', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.constant('end'), fc.constant('fail')), { maxLength: 40 }),
        async (steps) => {
          const running = new Set<string>();
          const stale = new Set<string>();
          const open: (() => void)[] = [];
          const { queue, clock } = queueWith(
            async (key) => {
              assert.ok(!running.has(key), 'twice at once');
              running.add(key);
              stale.delete(key);
              const gate = Promise.withResolvers<undefined>();
              open.push(() => gate.resolve(undefined));
              await gate.promise;
              running.delete(key);
              return undefined;
            },
            { concurrency: 2 },
          );
          for (const step of steps) {
            if (step === 'end' || step === 'fail') open.shift()?.();
            else {
              stale.add(step);
              queue.add(step);
            }
            await Promise.resolve();
          }
          while (queue.size > 0) {
            await turn();
            open.shift()?.();
          }
          assert.deepEqual([...stale], []);
          assert.deepEqual(clock.waiting, []);
        },
      ),
      { numRuns: 50 },
    );
  });
});
