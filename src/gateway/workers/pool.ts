/**
 * The data plane as several worker processes, which for the control part is one: the same channel, the same messages. Workers share
 * the listeners, and the kernel gives each connection to one that waits for one (docs/adr/0024-workers.md).
 *
 * State goes down to all of them, and is in force when it is in all; one that does not say so in time is killed. What they see
 * comes up merged.
 */
import { randomUUID } from 'node:crypto';
import { AppError } from '../../api/errors.ts';
import type { PeerIdentity } from '../../fabric/files.ts';
import type { ChannelEnd } from '../../runtime/channel.ts';
import type { Logger } from '../../runtime/log.ts';
import type { DownMessage, GatewaySnapshot, UpMessage } from '../messages.ts';
import { makeAsked } from './asked.ts';
import { makeClientRecord } from './client-record.ts';
import { makeExchangeRoutes } from './exchange-routes.ts';
import { handOver } from './hand-over.ts';
import { makeLedger } from './ledger.ts';
import { WORKER_RESTART_MAX_MS, WORKER_RESTART_MIN_MS, WORKER_SETTLED_MS } from './limits.ts';
import { startMember, type Member } from './member.ts';
import type { WorkerPlaneOptions, WorkerRequest } from './messages.ts';
import { makePlaces } from './places.ts';
import { makeSignal } from './signal.ts';
import { makeView } from './view.ts';

export interface WorkerPoolOptions {
  /** How many. */
  readonly workers: number;
  readonly plane: Omit<WorkerPlaneOptions, 'instance' | 'workers'>;
  readonly identity: () => PeerIdentity;
  /** How long connections of a worker that was replaced may go on. */
  readonly drainMs: number;
  readonly logger: Logger;
  /** Processes by what they do. */
  onCount(counts: { readonly serving: number; readonly leaving: number }): void;
  /** One was lost, or is replaced on request. */
  onReplaced(cause: 'lost' | 'restart'): void;
}

export interface WorkerPool {
  /** As of a data plane in this process. */
  readonly channel: ChannelEnd<DownMessage, UpMessage>;
  /**
   * Replaces all workers, and cuts nothing: the new ones serve before the old ones take no more, and what these have open goes on
   * until it ends or {@link WorkerPoolOptions.drainMs} are over. Resolves when the old ones take nothing any more.
   *
   * @throws {AppError} `ERR_CONFLICT` while others are being replaced; what the start of a worker threw: then the old ones go on.
   */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** @throws {AppError} what the start of a data plane throws. */
export async function startWorkerPool(options: WorkerPoolOptions): Promise<WorkerPool> {
  const { workers, plane, identity, drainMs, logger, onCount, onReplaced } = options;
  const instance = randomUUID();
  const members = new Set<Member>();
  /** Not served yet, and somebody waits for that: their end is his matter. */
  const awaited = new Set<Member>();
  const places = makePlaces();
  const ledger = makeLedger({ workers });
  const clients = makeClientRecord();
  const closing = new AbortController();
  const changed = makeSignal();
  const early: UpMessage[] = [];
  let up = (message: UpMessage): unknown => early.push(message);
  const say = (message: UpMessage): void => void up(message);
  let snapshot: GatewaySnapshot | undefined;
  let acknowledged = 0;
  let listening = '';
  /** Of the whole process: those that have not said yet that they are. */
  let draining: Set<Member> | undefined;
  let isRestarting = false;
  /** Of workers that did not live long, in a row. */
  let losses = 0;
  const waits = new Set<NodeJS.Timeout>();

  const inState = (...states: readonly Member['state'][]): Member[] =>
    [...members].filter(({ state }) => states.includes(state));
  /** They know of the world, and may serve. */
  const running = (): Member[] => inState('starting', 'serving', 'leaving');
  const view = makeView({
    sights: () => inState('starting', 'serving').map(({ sight }) => sight),
    everybody: () => [...members].map(({ sight }) => sight),
    say,
  });
  const asked = makeAsked<Member>(say);
  const exchanges = makeExchangeRoutes<Member>(say);

  function add(): Member {
    const member = startMember({
      plane: { ...plane, workers },
      instance,
      identity,
      first: () => [
        ...clients.messages(),
        ...(snapshot === undefined ? [] : [{ kind: 'snapshot', snapshot } as const]),
      ],
      onRequest: digestRequest,
      onMessage: digest,
      onGone: lose,
    });
    members.add(member);
    const { id: worker, pid } = member;
    void member.ready.then(
      () => {
        logger.info({ worker, pid }, 'Worker serves');
        count();
      },
      () => undefined,
    );
    return member;
  }

  function count(): void {
    onCount({ serving: inState('serving').length, leaving: inState('leaving').length });
    changed.tell();
  }

  function digestRequest(member: Member, request: WorkerRequest): void {
    switch (request.kind) {
      case 'claim':
        return void places
          .claim(member.id, request.place)
          .then((code) => member.answer({ kind: 'claimed', id: request.id, ...(code === undefined ? {} : { code }) }));
      case 'release':
        return places.release(member.id, request.place);
      case 'lease': {
        const { leased, tight } = ledger.ask(member.id, request);
        member.answer({ kind: 'leased', id: request.id, key: request.key, leased });
        for (const other of members) if (tight.includes(other.id)) other.answer({ kind: 'tight', key: request.key });
        return;
      }
    }
  }

  function digest(member: Member, message: UpMessage): void {
    switch (message.kind) {
      case 'acknowledged':
        return acknowledge();
      case 'listening':
        if (listening === message.address) return;
        listening = message.address;
        return say(message);
      case 'peer':
      case 'import':
      case 'ejection':
      case 'limits':
        view.digest(member.sight, message);
        return changed.tell();
      case 'opened':
        member.tunnels.opened(message);
        return say(message);
      case 'closed':
        member.tunnels.closed(message.record);
        return say(message);
      case 'foreseen':
      case 'probed':
        return asked.answer(member, message);
      case 'refused':
      case 'fast-path':
        return say(message);
      case 'drained':
        return drained(member);
      default:
        return exchanges.digest(member, message);
    }
  }

  /** In force when it is in every worker that serves anybody. */
  function acknowledge(): void {
    const serving = running();
    if (snapshot === undefined || serving.length === 0) return;
    const version = Math.min(...serving.map((member) => member.acknowledged));
    if (version <= acknowledged) return;
    acknowledged = version;
    if (version === snapshot.version) view.retain(snapshot);
    say({ kind: 'acknowledged', version });
  }

  /** One that was replaced ends; in the end of the process the last one says it for all. */
  function drained(member: Member): void {
    if (member.state === 'leaving') member.end();
    if (draining?.delete(member) === true && draining.size === 0) say({ kind: 'drained' });
  }

  /** What one leaves behind: each of its connections has a record, and what it saw counts no more. */
  function lose(member: Member, how: { readonly why: string; readonly wasLeaving: boolean }): void {
    members.delete(member);
    places.forget(member.id);
    ledger.forget(member.id);
    for (const record of member.tunnels.lose()) say({ kind: 'closed', record });
    exchanges.forget(member);
    asked.forget(member);
    view.forget(member.sight);
    drained(member);
    acknowledge();
    count();
    if (awaited.has(member)) return;
    if (how.wasLeaving) return refill();
    if (closing.signal.aborted || draining !== undefined) return;
    replace(member, how.why);
  }

  function replace({ id: worker, pid, aliveMs }: Member, cause: string): void {
    losses = aliveMs < WORKER_SETTLED_MS ? losses + 1 : 0;
    const waitMs = losses === 0 ? 0 : Math.min(WORKER_RESTART_MAX_MS, WORKER_RESTART_MIN_MS * 2 ** (losses - 1));
    onReplaced('lost');
    logger.error({ worker, pid, cause, waitMs }, 'Worker was lost and is replaced');
    const timer = setTimeout(() => {
      waits.delete(timer);
      refill();
    }, waitMs);
    waits.add(timer);
  }

  /** Level-driven: as many as are missing now. A restart makes its own. */
  function refill(): void {
    if (closing.signal.aborted || draining !== undefined || isRestarting) return;
    while (inState('loading', 'starting', 'serving').length < workers) add();
  }

  function addAll(): Member[] {
    const added = Array.from({ length: workers }, add);
    for (const member of added) awaited.add(member);
    return added;
  }

  async function restart(): Promise<void> {
    if (isRestarting || inState('leaving').length > 0 || draining !== undefined) {
      const fix = 'wait until their connections have ended, or drainSeconds are over';
      throw new AppError('ERR_CONFLICT', 'workers: others are on their way out still', { retryable: true, fix });
    }
    isRestarting = true;
    logger.info({ workers }, 'Workers are being replaced');
    const old = [...members];
    const next = addAll();
    try {
      await handOver({
        ...{ old, next, drainMs, changed, logger },
        snapshot: () => snapshot,
        abort: closing.signal,
        onRetired: (member) => exchanges.leave(member),
      });
      old.forEach(() => onReplaced('restart'));
      view.refresh();
      logger.info({ workers }, 'Workers were replaced');
    } finally {
      for (const member of next) awaited.delete(member);
      isRestarting = false;
      refill();
      count();
    }
  }

  function post(message: DownMessage): void {
    switch (message.kind) {
      case 'foresee':
        return asked.foresee(message, inState('serving', 'leaving'));
      case 'probe':
        return asked.probe(message, memberFor(message.source.peer));
      case 'exchange-open':
        return exchanges.open(message, memberFor(message.peer));
      case 'exchange-line':
      case 'exchange-consumed':
      case 'exchange-close':
        return exchanges.pass(message);
      case 'snapshot':
        snapshot = message.snapshot;
        break;
      case 'clients':
        clients.apply(message);
        break;
      case 'identity-changed':
        for (const member of running()) member.setIdentity(identity());
        break;
      case 'drain':
        draining = new Set(running());
        if (draining.size === 0) say({ kind: 'drained' });
        break;
      case 'retire':
        break;
    }
    for (const member of running()) member.post(message);
  }

  /** One that reaches the peer, else any: it has the words for why it does not. */
  function memberFor(peer: string): Member | undefined {
    const serving = inState('serving');
    return serving.find(({ sight }) => sight.peers.get(peer)?.version !== undefined) ?? serving[0];
  }

  const first = addAll();
  try {
    await Promise.all(first.map(({ ready }) => ready));
  } catch (error) {
    closing.abort();
    for (const member of first) member.kill('another worker could not start');
    throw error;
  }
  awaited.clear();
  refill();

  return {
    channel: {
      post,
      onMessage(listener) {
        up = listener;
        for (const message of early.splice(0)) listener(message);
      },
      onClose: () => undefined,
      close: () => undefined,
    },
    restart,
    async close() {
      closing.abort();
      for (const timer of waits) clearTimeout(timer);
      for (const member of members) member.end();
      while (members.size > 0) await changed.next();
    },
  };
}
