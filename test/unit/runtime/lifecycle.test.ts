import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { makeLifecycle, type Component, type LifecycleOptions } from '#src/runtime/lifecycle.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';

/** A lifecycle whose signals, clock and exit are the test's, and which notes what happens. */
function lifecycleWith(changes: Partial<LifecycleOptions> = {}) {
  const events: string[] = [];
  const signals = new EventEmitter();
  const time = { nowMs: 0 };
  const lifecycle = makeLifecycle({
    logger: makeSilentLogger(),
    drainMs: 25,
    drainRestMs: 25,
    startTimeoutMs: 50,
    stopTimeoutMs: 50,
    signals,
    clock: { nowMs: () => time.nowMs },
    exit: (code) => events.push(`exit ${code}`),
    onShutdown: () => events.push('not ready'),
    ...changes,
  });
  const component = (name: string, parts: Partial<Component> = {}): Component => ({
    name,
    start: () => void events.push(`start ${name}`),
    drain: () => void events.push(`drain ${name}`),
    stop: () => void events.push(`stop ${name}`),
    ...parts,
  });
  return { lifecycle, events, signals, component, time };
}

const never = (): Promise<void> => new Promise(() => undefined);

describe('makeLifecycle', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`${signal} → not ready, drained, stopped in reverse, exit code 0, no listener left`, async () => {
      const { lifecycle, events, signals, component } = lifecycleWith();
      lifecycle.add(component('a'));
      lifecycle.add(component('b'));
      await lifecycle.start();
      signals.emit(signal, signal);
      assert.equal(await lifecycle.ended(), 0);
      assert.deepEqual(events, ['start a', 'start b', 'not ready', 'drain a', 'drain b', 'stop b', 'stop a']);
      assert.equal(signals.listenerCount('SIGTERM') + signals.listenerCount('SIGINT'), 0);
    });
  }

  it('shutdown() → the same as a signal, and only once', async () => {
    const { lifecycle, events, component } = lifecycleWith();
    lifecycle.add(component('a'));
    await lifecycle.start();
    lifecycle.shutdown('test');
    lifecycle.shutdown('test');
    assert.equal(await lifecycle.ended(), 0);
    assert.deepEqual(events, ['start a', 'not ready', 'drain a', 'stop a']);
  });

  it('a start that fails → it and those before it are stopped, the error comes out, exit code 1', async () => {
    const { lifecycle, events, component } = lifecycleWith();
    lifecycle.add(component('a'));
    lifecycle.add(component('b', { start: () => Promise.reject(new Error('no')) }));
    lifecycle.add(component('c'));
    await assert.rejects(lifecycle.start(), /^Error: no$/);
    assert.deepEqual(events, ['start a', 'stop b', 'stop a']);
    assert.equal(await lifecycle.ended(), 1);
  });

  it('a start without an end → ERR_TIMEOUT that names the component', async () => {
    const { lifecycle, component } = lifecycleWith();
    lifecycle.add(component('slow', { start: never }));
    await assert.rejects(lifecycle.start(), { code: 'ERR_TIMEOUT', message: /^slow: has not started in 50 ms/ });
  });

  it('a signal during the start → the rest is not started, the started are stopped, exit code 0', async () => {
    const { lifecycle, events, signals, component } = lifecycleWith();
    const start = (signal: AbortSignal): void => {
      signals.emit('SIGTERM', 'SIGTERM');
      assert.ok(signal.aborted);
    };
    lifecycle.add(component('a', { start }));
    lifecycle.add(component('b'));
    await lifecycle.start();
    assert.equal(await lifecycle.ended(), 0);
    assert.deepEqual(events, ['not ready', 'stop a']);
  });

  it('a drain that does not end, or fails → goes on after the deadline', async () => {
    const { lifecycle, events, component } = lifecycleWith();
    lifecycle.add(component('a', { drain: never }));
    lifecycle.add(component('b', { drain: () => Promise.reject(new Error('no')) }));
    await lifecycle.start();
    lifecycle.shutdown('test');
    assert.equal(await lifecycle.ended(), 0);
    assert.deepEqual(events.slice(-2), ['stop b', 'stop a']);
  });

  for (const [title, stop] of [
    ['does not end', never],
    ['fails', () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
  ] as const) {
    it(`a stop that ${title} → the others are stopped all the same, exit code 1`, async () => {
      const { lifecycle, events, component } = lifecycleWith();
      lifecycle.add(component('a'));
      lifecycle.add(component('b', { stop }));
      await lifecycle.start();
      lifecycle.shutdown('test');
      assert.equal(await lifecycle.ended(), 1);
      assert.equal(events.at(-1), 'stop a');
    });
  }

  it('a second signal → exit at once; its echo within half a second → ignored', async () => {
    const { lifecycle, events, signals, component, time } = lifecycleWith();
    const stopped = Promise.withResolvers<void>();
    lifecycle.add(component('a', { drain: () => stopped.promise }));
    await lifecycle.start();
    signals.emit('SIGINT', 'SIGINT');
    time.nowMs = 499;
    signals.emit('SIGINT', 'SIGINT');
    assert.ok(!events.some((event) => event.startsWith('exit')));
    time.nowMs = 500;
    signals.emit('SIGINT', 'SIGINT');
    assert.equal(events.at(-1), 'exit 130');
    stopped.resolve();
    await lifecycle.ended();
  });

  it('a component added after the start → refused', async () => {
    const { lifecycle, component } = lifecycleWith();
    await lifecycle.start();
    assert.throws(() => lifecycle.add(component('late')), /late was added after the start/);
    lifecycle.shutdown('test');
    await lifecycle.ended();
  });
});
