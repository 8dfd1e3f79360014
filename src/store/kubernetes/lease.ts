/**
 * Leader election on a Lease of coordination.k8s.io/v1: at most one process does a piece of work at a time.
 *
 * Times of two machines are never compared: a candidate measures on its own monotonic clock how long the lease has not changed.
 * The leader stops `deadlineMs` after it began its last good renewal, and a candidate takes over `leaseMs` after it saw it, so
 * that work ends before it begins elsewhere even if no request arrives any more. Every write is guarded by resourceVersion.
 */
import { formatError } from '../../api/errors.ts';
import { systemClock, type Clock } from '../../runtime/clock.ts';
import { isJsonMap, type JsonMap } from '../json.ts';
import type { ApiAnswer, ApiMethod, ApiTransport } from './transport.ts';
import { LEASE_DEADLINE_MS, LEASE_HANDOVER_MS, LEASE_MS, LEASE_REQUEST_TIMEOUT_MS, LEASE_RETRY_MS } from './limits.ts';
import type { KubernetesLogger } from './logger.ts';
import { parseStatus } from './status.ts';

export interface ElectionOptions {
  readonly access: Pick<ApiTransport, 'request'>;
  readonly namespace: string;
  readonly name: string;
  /** Unique among all processes and restarts, for example the pod's name and a random part. */
  readonly identity: string;
  readonly logger: KubernetesLogger;
  /** Monotonic. */
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Milliseconds since 1970, for what the lease shows to people. */
  readonly wallMs?: () => number;
  readonly timing?: ElectionTiming;
  /** The work of the leader: it stops when the signal is aborted. While an earlier one still runs this is not a candidate. */
  readonly onElected: (signal: AbortSignal) => Promise<void> | void;
  /** After the signal was aborted, whatever the reason. */
  readonly onLost?: () => void;
}

/** `retryMs` < `deadlineMs` < `leaseMs`. */
export interface ElectionTiming {
  readonly leaseMs: number;
  readonly deadlineMs: number;
  readonly retryMs: number;
}

export interface Election {
  /** True while leading; false at once when the deadline is over, even if this process was stopped meanwhile. */
  isLeader(): boolean;
  /** Stops leading, waits for the work to end and gives the lease back, so that another has it at once. */
  release(): Promise<void>;
}

const DEFAULT_TIMING: ElectionTiming = {
  leaseMs: LEASE_MS,
  deadlineMs: LEASE_DEADLINE_MS,
  retryMs: LEASE_RETRY_MS,
};

interface Leading {
  readonly stop: AbortController;
  /** Settles when the work has ended. */
  readonly work: Promise<void>;
  /** When the last good renewal was begun. */
  renewedMs: number;
  cancelDeadline: () => void;
}

/** The lease as last seen, and when this very version was first seen here. */
interface Observed {
  readonly lease: JsonMap;
  readonly resourceVersion: string;
  readonly sinceMs: number;
}

export function runElection(options: ElectionOptions): Election {
  const { access, namespace, name, identity, logger, onElected, onLost } = options;
  const { clock = systemClock, random = Math.random, wallMs = Date.now, timing = DEFAULT_TIMING } = options;
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
  const path = `${collection}/${encodeURIComponent(name)}`;
  let observed: Observed | undefined;
  let leading: Leading | undefined;
  let ending: Promise<void> = Promise.resolve();
  let isReleased = false;
  let complaint = '';
  let wake = (): void => undefined;

  function isLeader(): boolean {
    return leading !== undefined && clock.nowMs() - leading.renewedMs < timing.deadlineMs;
  }

  async function run(): Promise<void> {
    while (!isReleased) {
      if (leading === undefined) await ending;
      if (isReleased) return;
      await tryOnce().catch((error: unknown) => complain(formatError(error)));
      await pause(timing.retryMs * (leading === undefined ? 1 + random() / 5 : 1));
    }
  }

  async function tryOnce(): Promise<void> {
    const startMs = clock.nowMs();
    // The holder knows the version it wrote: one request a renewal.
    if (leading === undefined || observed === undefined) await look();
    if (isReleased) return;
    if (observed === undefined) return take(startMs, 'POST', collection);
    if (leading === undefined && !isFree(observed)) return;
    await take(clock.nowMs(), 'PUT', path);
  }

  function isFree({ lease, sinceMs }: Observed): boolean {
    const { holderIdentity: holder = '', leaseDurationSeconds: seconds } = specOf(lease);
    if (holder === '' || holder === identity) return true;
    // What the holder promised, which may be another version of this program.
    const lifeMs = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : timing.leaseMs;
    return clock.nowMs() - sinceMs >= lifeMs;
  }

  async function look(): Promise<void> {
    const answer = await ask('GET', path);
    if (answer.status === 404) observed = undefined;
    else if (answer.status === 200) observe(answer.body);
    else throw refusal('get', answer);
  }

  function observe(body: unknown): void {
    const metadata = isJsonMap(body) && isJsonMap(body['metadata']) ? body['metadata'] : {};
    const { resourceVersion } = metadata;
    if (!isJsonMap(body) || typeof resourceVersion !== 'string') throw new Error('an answer that is no Lease');
    if (observed?.resourceVersion === resourceVersion) return;
    observed = { lease: body, resourceVersion, sinceMs: clock.nowMs() };
  }

  async function take(startMs: number, method: 'POST' | 'PUT', target: string): Promise<void> {
    const term = leading;
    const answer = await ask(method, target, leaseOf(identity, timing.leaseMs / 1000));
    if (answer.status === 409) return stepAside();
    if (answer.status === 404) observed = undefined;
    if (answer.status !== 200 && answer.status !== 201) throw refusal(method === 'POST' ? 'create' : 'update', answer);
    observe(answer.body);
    complaint = '';
    const isLate = clock.nowMs() - startMs >= timing.deadlineMs;
    // An answer that came after the term was lost renews nothing: its work may still be ending.
    if (isReleased || isLate || leading !== term) return;
    if (term === undefined) lead(startMs);
    else renewed(term, startMs);
  }

  /** Somebody else wrote: who holds it now decides. */
  async function stepAside(): Promise<void> {
    await look();
    const holder = observed === undefined ? '' : specOf(observed.lease)['holderIdentity'];
    if (leading !== undefined && holder !== identity) lose('another holds the lease');
  }

  function leaseOf(holder: string, seconds: number): JsonMap {
    const spec = observed === undefined ? {} : specOf(observed.lease);
    const now = microTime(wallMs());
    const isHeld = spec['holderIdentity'] === holder;
    const transitions = typeof spec['leaseTransitions'] === 'number' ? spec['leaseTransitions'] : 0;
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...metadataOf(observed), name, namespace },
      spec: {
        ...spec,
        holderIdentity: holder,
        leaseDurationSeconds: Math.max(1, Math.ceil(seconds)),
        renewTime: now,
        acquireTime: isHeld ? (spec['acquireTime'] ?? now) : now,
        leaseTransitions: isHeld || holder === '' ? transitions : transitions + (observed === undefined ? 0 : 1),
      },
    };
  }

  function lead(startMs: number): void {
    const stop = new AbortController();
    logger.info({ lease: name, identity }, 'Became leader');
    const work = (async () => {
      await onElected(stop.signal);
    })().catch((error: unknown) => {
      logger.warn({ lease: name, error: formatError(error) }, 'Work of the leader failed');
      if (leading?.stop === stop) lose('its work failed');
    });
    leading = { stop, work, renewedMs: startMs, cancelDeadline: () => undefined };
    renewed(leading, startMs);
  }

  function renewed(term: Leading, startMs: number): void {
    term.renewedMs = startMs;
    term.cancelDeadline();
    const leftMs = startMs + timing.deadlineMs - clock.nowMs();
    term.cancelDeadline = clock.after(Math.max(0, leftMs), () => {
      if (leading === term) lose('the lease could not be renewed in time');
    });
  }

  function lose(why: string): void {
    if (leading === undefined) return;
    const { stop, work, cancelDeadline } = leading;
    [leading, ending] = [undefined, work];
    cancelDeadline();
    logger.warn({ lease: name, identity, why }, 'Stopped leading');
    stop.abort();
    onLost?.();
  }

  async function ask(method: ApiMethod, target: string, body?: JsonMap): Promise<ApiAnswer> {
    return access.request({
      method,
      path: target,
      timeoutMs: Math.min(LEASE_REQUEST_TIMEOUT_MS, timing.deadlineMs / 2),
      ...(body === undefined ? {} : { body }),
    });
  }

  function complain(why: string): void {
    if (why !== complaint) logger.warn({ lease: name, why }, 'Lease could not be read or written');
    complaint = why;
  }

  function pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(ms, resolve);
    wake = resolve;
    return promise.finally(cancel);
  }

  async function giveBack(): Promise<void> {
    const answer = await ask('PUT', path, leaseOf('', 1));
    if (answer.status !== 200) logger.info({ lease: name, status: answer.status }, 'Lease was not given back');
  }

  const running = run();
  return {
    isLeader,
    async release() {
      if (isReleased) return running;
      isReleased = true;
      wake();
      lose('released');
      const hasEnded = await settlesWithin(clock, ending, LEASE_HANDOVER_MS);
      await running;
      // Work that goes on keeps the lease: nobody else may begin before it expires.
      const holder = observed === undefined ? '' : specOf(observed.lease)['holderIdentity'];
      if (holder === identity && hasEnded) {
        await giveBack().catch((error: unknown) => complain(formatError(error)));
      }
    },
  };
}

async function settlesWithin(clock: Clock, work: Promise<void>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const cancel = clock.after(ms, () => resolve(false));
  return Promise.race([work.then(() => true), late]).finally(cancel);
}

function specOf(lease: JsonMap): JsonMap {
  return isJsonMap(lease['spec']) ? lease['spec'] : {};
}

/** What others put on the lease stays; the version is the guard. */
function metadataOf(observed: Observed | undefined): JsonMap {
  const metadata = observed?.lease['metadata'];
  if (!isJsonMap(metadata)) return {};
  return Object.fromEntries(Object.entries(metadata).filter(([member]) => member !== 'managedFields'));
}

function refusal(verb: string, { status, body }: ApiAnswer): Error {
  const { message } = parseStatus(body);
  const rule = `apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create", "get", "update"]`;
  const hint = status === 403 ? `; our role needs ${rule}` : '';
  return new Error(`${verb}: status ${status}${message === '' ? '' : ` (${message.slice(0, 300)})`}${hint}`);
}

/** RFC 3339 with six digits, as MicroTime wants it. */
export function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}
