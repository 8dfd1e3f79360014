/**
 * Starts the parts of a process in order and ends them in good order: not ready, drained, stopped in reverse.
 *
 * ```
 *   start() -> running -- SIGTERM, SIGINT or shutdown() --> not ready -> drain all -> stop in reverse -> exit code
 *                                                              a second signal ends the process at once
 * ```
 */
import { constants } from 'node:os';
import { AppError } from '../api/errors.ts';
import { systemClock, type Clock } from './clock.ts';
import { DRAIN_REST_MS, SIGNAL_ECHO_MS, START_TIMEOUT_MS, STOP_TIMEOUT_MS } from './limits.ts';
import type { Logger } from './log.ts';

export interface Component {
  readonly name: string;
  /** Resolves when the component serves. The signal is aborted when the process is told to end meanwhile. */
  readonly start?: (signal: AbortSignal) => Promise<void> | void;
  /** Lets what is open end until the deadline, and cuts it then. All components drain at once. */
  readonly drain?: (deadlineMs: number) => Promise<void> | void;
  /** Ends what is left, and frees what it holds. */
  readonly stop: () => Promise<void> | void;
}

export interface LifecycleOptions {
  readonly logger: Logger;
  /** How long what is open may go on. */
  readonly drainMs: number;
  /** Called once, before the drain: readiness ends here. */
  readonly onShutdown?: () => void;
  /** Where signals come from, and what a second one does; tests set both. */
  readonly signals?: SignalSource;
  readonly exit?: (exitCode: number) => void;
  readonly clock?: Pick<Clock, 'nowMs'>;
  readonly startTimeoutMs?: number;
  readonly stopTimeoutMs?: number;
  readonly drainRestMs?: number;
}

export interface SignalSource {
  on(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
  off(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
}

export interface Lifecycle {
  /** Adds a component that starts after, and stops before, those added so far. Only before {@link start}. */
  add(component: Component): void;
  /**
   * Starts all. If one fails, or the process is told to end meanwhile, those that have started are stopped.
   *
   * @throws what the component threw; {@link AppError} `ERR_TIMEOUT` when it took too long.
   */
  start(): Promise<void>;
  /** Asks for the end, as a signal does. */
  shutdown(cause: string): void;
  /** Resolves when everything has ended: 0, or 1 if a component did not start or stop as it should. */
  ended(): Promise<number>;
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

export function makeLifecycle(options: LifecycleOptions): Lifecycle {
  const { logger, drainMs, onShutdown, signals = process, exit = (code) => process.exit(code) } = options;
  const { startTimeoutMs = START_TIMEOUT_MS, stopTimeoutMs = STOP_TIMEOUT_MS } = options;
  const { drainRestMs = DRAIN_REST_MS, clock = systemClock } = options;
  const components: Component[] = [];
  const started: Component[] = [];
  const told = new AbortController();
  let toldMs = -Infinity;
  const done = Promise.withResolvers<number>();
  let state: 'new' | 'starting' | 'running' | 'ending' = 'new';

  function onSignal(name: NodeJS.Signals): void {
    if (clock.nowMs() - toldMs < SIGNAL_ECHO_MS) return;
    if (told.signal.aborted) {
      logger.warn({ signal: name }, 'Process was told twice to end');
      exit(128 + constants.signals[name]);
    } else shutdown(name);
  }

  function shutdown(cause: string): void {
    if (told.signal.aborted) return;
    logger.info({ cause }, 'Shutdown began');
    toldMs = clock.nowMs();
    told.abort(new AppError('ERR_TIMEOUT', `process: told to end by ${cause}`));
    onShutdown?.();
    if (state === 'running') void end(0);
  }

  async function start(): Promise<void> {
    state = 'starting';
    for (const name of SIGNALS) signals.on(name, onSignal);
    try {
      for (const component of components) {
        told.signal.throwIfAborted();
        await startOne(component);
      }
      told.signal.throwIfAborted();
    } catch (error) {
      // Told to end while starting: that is no failure.
      const isFailure = !told.signal.aborted;
      await end(isFailure ? 1 : 0);
      if (isFailure) throw error;
      return;
    }
    state = 'running';
  }

  async function startOne(component: Component): Promise<void> {
    // Before it has: a component that fails half-way is stopped too.
    started.push(component);
    const { name } = component;
    const { settled, error } = await within(startTimeoutMs, async () => component.start?.(told.signal));
    if (!settled) {
      throw new AppError('ERR_TIMEOUT', `${name}: has not started in ${startTimeoutMs} ms`, {
        fix: 'see the log for what it waits for',
      });
    }
    if (error !== undefined) throw error.value;
    logger.debug({ part: name }, 'Component started');
  }

  async function end(exitCodeSoFar: number): Promise<void> {
    const wasRunning = state === 'running';
    state = 'ending';
    let exitCode = exitCodeSoFar;
    if (wasRunning) await Promise.all(started.map(drainOne));
    for (const component of [...started].reverse()) if (!(await stopOne(component))) exitCode = 1;
    for (const name of SIGNALS) signals.off(name, onSignal);
    logger.info({ exitCode }, 'Shutdown ended');
    done.resolve(exitCode);
  }

  async function drainOne({ name, drain }: Component): Promise<void> {
    if (drain === undefined) return;
    const { settled, error } = await within(drainMs + drainRestMs, async () => drain(drainMs));
    if (error !== undefined) logger.error({ part: name, err: error.value }, 'Component failed to drain');
    else if (!settled) logger.warn({ part: name, drainMs }, 'Component was not drained in time');
  }

  async function stopOne({ name, stop }: Component): Promise<boolean> {
    const { settled, error } = await within(stopTimeoutMs, async () => stop());
    if (error !== undefined) logger.error({ part: name, err: error.value }, 'Component failed to stop');
    else if (!settled) logger.error({ part: name, stopTimeoutMs }, 'Component did not stop in time');
    return settled && error === undefined;
  }

  return {
    add(component) {
      if (state !== 'new') throw new Error(`component ${component.name} was added after the start`);
      components.push(component);
    },
    start,
    shutdown,
    ended: () => done.promise,
  };
}

/** What became of some work within a time; work that is late goes on unwatched. */
async function within(
  ms: number,
  work: () => Promise<void>,
): Promise<{ readonly settled: boolean; readonly error?: { readonly value: unknown } }> {
  const late = Promise.withResolvers<{ settled: false }>();
  const timer = setTimeout(() => late.resolve({ settled: false }), ms);
  const finished = work().then(
    () => ({ settled: true }) as const,
    (value: unknown) => ({ settled: true, error: { value } }) as const,
  );
  try {
    return await Promise.race([finished, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
