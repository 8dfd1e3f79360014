import assert from 'node:assert/strict';
import { runControllers, type Controller, type Enqueue } from '#src/controllers/controller.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { waitFor } from '#test/support/wait.ts';

const logger = makeSilentLogger();

function makeController(changes: Partial<Controller>): Controller {
  return { name: 'test', reconcile: () => Promise.resolve(), watches: () => [], resync: () => undefined, ...changes };
}

describe('runControllers', () => {
  it('the start → every key; a change → its key; after the end → nothing', async () => {
    const runs: string[] = [];
    let change: Enqueue = () => undefined;
    let stopped = 0;
    const running = runControllers(
      [
        makeController({
          reconcile: (key) => Promise.resolve(void runs.push(key)),
          watches: (enqueue) => {
            change = enqueue;
            return [() => void stopped++];
          },
          resync: (enqueue) => enqueue('a'),
        }),
      ],
      { logger },
    );
    await running.idle();
    change('b');
    await running.idle();
    await running.close();
    change('c');
    assert.deepEqual([runs, stopped], [['a', 'b'], 1]);
  });

  it('changes with a delay → one run; a run that asks for it → looks again', async () => {
    const runs: string[] = [];
    const running = runControllers(
      [
        makeController({
          reconcile: (key) => Promise.resolve(runs.push(key) === 1 ? { requeueAfterMs: 1 } : undefined),
          watches: (enqueue) => {
            for (let count = 0; count < 10; count++) enqueue('a', 5);
            return [];
          },
        }),
      ],
      { logger },
    );
    await waitFor('the second look', () => runs.length === 2);
    await running.idle();
    await running.close();
    assert.deepEqual(runs, ['a', 'a']);
  });

  it('concurrency 2 → two keys at the same time; not said → one after the other', async () => {
    for (const { concurrency, want } of [
      { concurrency: { concurrency: 2 }, want: 2 },
      { concurrency: {}, want: 1 },
    ]) {
      let now = 0;
      let most = 0;
      const running = runControllers(
        [
          makeController({
            ...concurrency,
            reconcile: async () => {
              most = Math.max(most, ++now);
              await new Promise((resolve) => setImmediate(resolve));
              now--;
            },
            resync: (enqueue) => ['a', 'b', 'c'].forEach((key) => enqueue(key)),
          }),
        ],
        { logger },
      );
      await running.idle();
      await running.close();
      assert.equal(most, want);
    }
  });

  it('a result → told with the name of its controller', async () => {
    const results: string[] = [];
    const running = runControllers([makeController({ resync: (enqueue) => enqueue('a') })], {
      logger,
      onResult: ({ controller, ok }) => void results.push(`${controller} ${ok}`),
    });
    await running.idle();
    await running.close();
    assert.deepEqual(results, ['test true']);
  });
});
