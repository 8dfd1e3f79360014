/**
 * One worker process, seen from the main process.
 *
 *   loading ── loaded, told to start ──▶ starting ── listens, first snapshot in force ──▶ serving ── replaced ──▶ leaving ──▶ gone
 *                                            └──────────── serves as soon as it can ─────────────┘
 */
import { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { AppError, ERROR_CODES, type ErrorCode } from '../../api/errors.ts';
import type { PeerIdentity } from '../../fabric/files.ts';
import type { ChannelEnd } from '../../runtime/channel.ts';
import type { DownMessage, UpMessage } from '../messages.ts';
import { WORKER_END_TIMEOUT_MS, WORKER_LOOK_MS } from './limits.ts';
import type { FromWorker, ToWorker, WorkerError, WorkerPlaneOptions, WorkerRequest } from './messages.ts';
import { makeOpenTunnels, type OpenTunnels } from './open-tunnels.ts';
import { makeProcessChannel } from './process-channel.ts';
import { makeSight, type Sight } from './view.ts';
import { makeWatchdog } from './watchdog.ts';

export interface Member {
  /** Unique in this process. */
  readonly id: number;
  readonly pid: number;
  readonly state: 'loading' | 'starting' | 'serving' | 'leaving' | 'gone';
  readonly tunnels: OpenTunnels;
  readonly sight: Sight;
  /** Version of the snapshot that is in force in it. */
  readonly acknowledged: number;
  /** Resolves when it serves; rejects with why it never will. */
  readonly ready: Promise<void>;
  /** Nothing while it does not know of the world, or is gone. */
  post(message: DownMessage): void;
  /** Others have its place: it ends with its last connection, and {@link Member.end} is called when it says that it is drained. */
  leave(drain: Extract<DownMessage, { kind: 'drain' }>): void;
  answer(message: Extract<ToWorker, { kind: 'claimed' | 'leased' | 'tight' }>): void;
  setIdentity(identity: PeerIdentity): void;
  /** The end, by its own hand, or by ours when it takes too long. */
  end(): void;
  kill(why: string): void;
  readonly aliveMs: number;
}

export interface MemberOptions {
  readonly plane: Omit<WorkerPlaneOptions, 'instance'>;
  /** Of this process; the worker's is that, a dot and its number. */
  readonly instance: string;
  readonly identity: () => PeerIdentity;
  /** What it has to know before it serves: asked when it can be told. */
  first(): readonly DownMessage[];
  onRequest(member: Member, request: WorkerRequest): void;
  onMessage(member: Member, message: UpMessage): void;
  /** Told once, after the last message. `wasLeaving`: it was told to end, or others had its place. */
  onGone(member: Member, how: { readonly why: string; readonly wasLeaving: boolean }): void;
}

/** Set once, before the first worker: of a process, not of a gateway. */
function setUp(): void {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({
    exec: fileURLToPath(new URL('./entry.ts', import.meta.url)),
    args: [],
    serialization: 'advanced',
    // Its log lines are ours; nobody types into it.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

let lastId = 0;

/** @param onFailed - told in a later turn that there is no process, for want of memory, descriptors or process ids. */
function fork(onFailed: (error: Error) => void): ChildProcess {
  setUp();
  try {
    const worker = cluster.fork();
    // Told also of what else fails of a process that runs: its end says so.
    worker.on('error', (error) => {
      if (worker.process.pid === undefined) onFailed(error);
    });
    return worker.process;
  } catch (error) {
    setImmediate(onFailed, error as Error);
    return new ChildProcess();
  }
}

/** A process that cannot be made looks like one that has ended at once. */
export function startMember(options: MemberOptions): Member {
  const { plane, instance, identity, first, onRequest, onMessage, onGone } = options;
  const id = ++lastId;
  const child = fork(fail);
  const channel: ChannelEnd<ToWorker, FromWorker> = makeProcessChannel(child);
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined);
  const bornMs = performance.now();
  let state: Member['state'] = 'loading';
  let isStarted = false;
  /** Who has ended it, if that was here. */
  let why: string | undefined;
  let failure: AppError | undefined;
  let acknowledged = 0;
  /** The newest snapshot that it was sent. */
  let sent = 0;

  const post = (message: ToWorker): void => {
    try {
      channel.post(message);
    } catch (error) {
      kill((error as AppError).message);
    }
  };
  const watchdog = makeWatchdog({ nowMs: () => performance.now() });
  const looking = setInterval(() => {
    const overdue = watchdog.look({ isServing: state === 'serving' || state === 'leaving', acknowledged });
    if (overdue !== undefined) kill(overdue);
  }, WORKER_LOOK_MS);

  function kill(reason: string): void {
    why ??= reason;
    child.kill('SIGKILL');
  }

  function see(message: DownMessage): DownMessage {
    if (message.kind === 'snapshot') {
      sent = message.snapshot.version;
      watchdog.sent(sent);
    }
    return message;
  }

  function start(): void {
    state = 'starting';
    const known = first().map(see);
    post({ kind: 'start', options: { ...plane, instance: `${instance}.${id}` }, identity: identity(), first: known });
  }

  function settle(): void {
    if (state !== 'starting' || !isStarted || acknowledged < sent) return;
    state = 'serving';
    ready.resolve();
  }

  const member: Member = {
    id,
    pid: child.pid ?? 0,
    get state() {
      return state;
    },
    tunnels: makeOpenTunnels(() => performance.now()),
    sight: makeSight(),
    get acknowledged() {
      return acknowledged;
    },
    ready: ready.promise,
    post(message) {
      if (state !== 'loading' && state !== 'gone') post({ kind: 'down', message: see(message) });
    },
    leave(drain) {
      member.post(drain);
      if (state !== 'gone') state = 'leaving';
    },
    answer: post,
    setIdentity: (next) => post({ kind: 'identity', identity: next }),
    end() {
      if (why !== undefined) return;
      why = 'told to end';
      post({ kind: 'end' });
      setTimeout(() => child.kill('SIGKILL'), WORKER_END_TIMEOUT_MS).unref();
    },
    kill,
    get aliveMs() {
      return performance.now() - bornMs;
    },
  };

  channel.onMessage((message) => {
    switch (message.kind) {
      case 'loaded':
        return start();
      case 'started':
        isStarted = true;
        return settle();
      case 'failed':
        failure = toAppError(message.error);
        return kill(failure.message);
      case 'up':
        if (message.message.kind === 'acknowledged') acknowledged = Math.max(acknowledged, message.message.version);
        settle();
        return onMessage(member, message.message);
      default:
        return onRequest(member, message);
    }
  });

  let ends = 0;
  /** What it has said may be read after its end is known: both are waited for. */
  function over(): void {
    if (++ends === 2) finish();
  }

  function fail(error: Error): void {
    why ??= `could not be made: ${error.message}`;
    finish();
  }

  function finish(): void {
    if (state === 'gone') return;
    clearInterval(looking);
    const wasLeaving = state === 'leaving' || why === 'told to end';
    state = 'gone';
    const { exitCode, signalCode } = child;
    const how = why ?? `ended by itself (${signalCode ?? `exit code ${exitCode ?? 0}`})`;
    ready.reject(failure ?? new AppError('ERR_INTERNAL', `worker ${id}: ${how}`));
    onGone(member, { why: how, wasLeaving });
  }
  child.once('exit', over);
  child.once('disconnect', over);
  child.on('error', () => undefined);
  return member;
}

function toAppError({ code, message, fix }: WorkerError): AppError {
  const known = ERROR_CODES.find((one): one is ErrorCode => one === code) ?? 'ERR_INTERNAL';
  return new AppError(known, message, fix === undefined ? {} : { fix });
}
