import assert from 'node:assert/strict';
import { makeSerialQueue } from '#src/store/serial.ts';

describe('makeSerialQueue', () => {
  it('tasks of one key → in their order; another key does not wait', async () => {
    const queue = makeSerialQueue({ pendingMax: 10 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const done: string[] = [];
    const first = queue.run('a', () => promise.then(() => done.push('a1')));
    const second = queue.run('a', () => Promise.resolve(done.push('a2')));
    await queue.run('b', () => Promise.resolve(done.push('b')));
    resolve();
    await Promise.all([first, second]);
    assert.deepEqual(done, ['b', 'a1', 'a2']);
  });

  it('a task that fails → its error, and the next runs', async () => {
    const queue = makeSerialQueue({ pendingMax: 10 });
    const failed = assert.rejects(
      queue.run('a', () => Promise.reject(new Error('no'))),
      { message: 'no' },
    );
    assert.equal(await queue.run('a', () => Promise.resolve('yes')), 'yes');
    await failed;
  });

  it('as many as the bound → taken; one more → ERR_BOUND_EXCEEDED, retryable; afterwards → taken', async () => {
    const queue = makeSerialQueue({ pendingMax: 2 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = [queue.run('a', () => promise), queue.run('b', () => promise)];
    await assert.rejects(
      queue.run('c', () => promise),
      { code: 'ERR_BOUND_EXCEEDED', retryable: true },
    );
    resolve();
    await Promise.all(waiting);
    await queue.run('c', () => promise);
    await queue.idle();
  });
});
