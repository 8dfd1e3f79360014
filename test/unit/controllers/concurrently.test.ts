import assert from 'node:assert/strict';
import { runConcurrently } from '#src/controllers/concurrently.ts';

describe('runConcurrently', () => {
  it('more items than may run → never more than that at a time, and every one runs', async () => {
    let running = 0;
    let most = 0;
    const done: number[] = [];
    const failures = await runConcurrently(
      Array.from({ length: 10 }, (_, index) => index),
      async (item) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        done.push(item);
      },
      { concurrency: 3, signal: new AbortController().signal },
    );
    assert.deepEqual([most, done.length, failures], [3, 10, []]);
  });

  it('one that fails → the others run, its error is returned', async () => {
    const done: string[] = [];
    const failures = await runConcurrently(
      ['a', 'bad', 'c'],
      (item) => (item === 'bad' ? Promise.reject(new Error(item)) : Promise.resolve(void done.push(item))),
      { concurrency: 2, signal: new AbortController().signal },
    );
    assert.deepEqual(done, ['a', 'c']);
    assert.deepEqual(
      failures.map((error) => (error as Error).message),
      ['bad'],
    );
  });

  it('aborted → what has not begun does not begin, and the reason is thrown', async () => {
    const aborter = new AbortController();
    const done: number[] = [];
    const run = runConcurrently(
      [1, 2, 3],
      (item) => {
        done.push(item);
        aborter.abort(new Error('late'));
        return Promise.resolve();
      },
      { concurrency: 1, signal: aborter.signal },
    );
    await assert.rejects(run, /late/);
    assert.deepEqual(done, [1]);
  });
});
