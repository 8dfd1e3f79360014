/** The sessions with other peers: dialled where the peer has an address, kept, counted, replaced when they die. */
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import { REDIAL_MAX_MS, REDIAL_MIN_MS, SESSIONS_PER_PEER_MAX } from './limits.ts';
import type { PeerObservation, PeerRoute } from './messages.ts';
import type { PeerSession } from './session.ts';

export type DialOutcome =
  | { readonly ok: true; readonly session: PeerSession }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

export interface PeersOptions {
  /** Makes a session to one of the peer's gateways, or says why none could be. Has its own deadlines. */
  dial(peer: PeerRoute, gateway: PeerRoute['gateways'][number], signal: AbortSignal): Promise<DialOutcome>;
  /** A peer's sessions have changed, or it is gone: then the reason is `PEER_UNKNOWN`. */
  onChange(observation: PeerObservation): void;
}

export interface Peers {
  /** Peers that have a session which takes new streams. */
  readonly reachable: ReadonlySet<string>;
  isKnown(peer: string): boolean;
  /** Dials those that are new or moved; drops the sessions of those that are gone. */
  apply(routes: ReadonlyMap<string, PeerRoute>): void;
  /** A session was made by either side. False: there are enough with this peer, or the peer is not known; destroy it. */
  add(session: PeerSession): boolean;
  /** A session has ended or drains. */
  changed(session: PeerSession, ended: { readonly error: Error | undefined } | undefined): void;
  /** The nearest session that has room for a new stream, else one that is full; undefined if there is none. */
  sessionFor(peer: string): PeerSession | undefined;
  sessions(): readonly PeerSession[];
  close(): void;
}

interface Entry {
  route: PeerRoute;
  readonly sessions: Set<PeerSession>;
  /** Ends the dialling when the peer goes or moves. */
  abort: AbortController;
  /** The signal of the dialling that is under way; another one than `abort`'s is a dialling that ends itself. */
  dialling: AbortSignal | undefined;
  last: { readonly reason: Reason; readonly message: string };
  /** The wait before the next round of dials: grows while sessions fail, or die young. */
  waitMs: number;
}

export function makePeers({ dial, onChange }: PeersOptions): Peers {
  const entries = new Map<string, Entry>();
  const reachable = new Set<string>();
  /** When each session began. */
  const bornMs = new WeakMap<PeerSession, number>();

  function refresh(entry: Entry): void {
    const { name } = entry.route;
    const usable = [...entry.sessions].filter(({ draining }) => !draining);
    if (usable.length > 0) reachable.add(name);
    else reachable.delete(name);
    const [first] = usable;
    onChange({
      name,
      sessions: entry.sessions.size,
      ...(first === undefined
        ? { reason: entry.last.reason, message: entry.last.message }
        : { version: first.hello.version, message: '' }),
    });
    if (usable.length === 0) void keepDialling(entry);
  }

  /** Goes round the gateways, with growing waits between the rounds, until there is a session or no need of one. */
  async function keepDialling(entry: Entry): Promise<void> {
    const { signal } = entry.abort;
    if (entry.dialling === signal || entry.route.gateways.length === 0) return;
    entry.dialling = signal;
    // A peer that takes a session and drops it at once must not be dialled in a hot loop.
    if (entry.waitMs > REDIAL_MIN_MS) await waitBefore(entry, signal);
    while (!signal.aborted && !hasUsable(entry)) {
      for (const gateway of entry.route.gateways) {
        const outcome = await dial(entry.route, gateway, signal);
        if (signal.aborted) {
          if (outcome.ok) outcome.session.destroy(goneError(entry.route.name));
          break;
        }
        if (outcome.ok) {
          if (!add(outcome.session)) outcome.session.destroy(tooManyError(entry.route.name));
          break;
        }
        fail(entry, outcome);
      }
      if (!signal.aborted && !hasUsable(entry)) await waitBefore(entry, signal);
    }
    if (entry.dialling === signal) entry.dialling = undefined;
  }

  async function waitBefore(entry: Entry, signal: AbortSignal): Promise<void> {
    const waitMs = entry.waitMs;
    entry.waitMs = Math.min(REDIAL_MAX_MS, waitMs * 2);
    await pause(waitMs * (0.5 + Math.random() / 2), signal);
  }

  function fail(entry: Entry, failure: { readonly reason: Reason; readonly message: string }): void {
    if (entry.last.reason === failure.reason && entry.last.message === failure.message) return;
    entry.last = failure;
    refresh(entry);
  }

  function add(session: PeerSession): boolean {
    const entry = entries.get(session.peer);
    if (entry === undefined || entry.sessions.size >= SESSIONS_PER_PEER_MAX) return false;
    entry.sessions.add(session);
    bornMs.set(session, performance.now());
    refresh(entry);
    return true;
  }

  function end(entry: Entry, session: PeerSession, error: Error | undefined): void {
    entry.sessions.delete(session);
    entry.last = { reason: REASONS.PeerUnreachable, message: error?.message ?? 'The peer closed the session.' };
    const ageMs = performance.now() - (bornMs.get(session) ?? -Infinity);
    entry.waitMs = ageMs < REDIAL_MAX_MS ? Math.min(REDIAL_MAX_MS, entry.waitMs * 2) : REDIAL_MIN_MS;
  }

  function drop(entry: Entry, error: AppError): void {
    entry.abort.abort();
    entries.delete(entry.route.name);
    reachable.delete(entry.route.name);
    for (const session of [...entry.sessions]) session.destroy(error);
  }

  return {
    reachable,
    isKnown: (peer) => entries.has(peer),
    apply(routes) {
      for (const entry of [...entries.values()]) {
        const { name } = entry.route;
        if (routes.has(name)) continue;
        drop(entry, goneError(name));
        onChange({ name, sessions: 0, reason: REASONS.PeerUnknown, message: 'Its Peer object is gone.' });
      }
      for (const route of routes.values()) {
        const present = entries.get(route.name);
        if (present === undefined) {
          const entry: Entry = {
            route,
            sessions: new Set(),
            abort: new AbortController(),
            dialling: undefined,
            last: { reason: REASONS.PeerUnreachable, message: 'No session was opened yet.' },
            waitMs: REDIAL_MIN_MS,
          };
          entries.set(route.name, entry);
          refresh(entry);
        } else if (JSON.stringify(present.route.gateways) !== JSON.stringify(route.gateways)) {
          present.route = route;
          present.abort.abort();
          present.abort = new AbortController();
          present.waitMs = REDIAL_MIN_MS;
          refresh(present);
        } else present.route = route;
      }
    },
    add,
    changed(session, ended) {
      const entry = entries.get(session.peer);
      if (entry === undefined || !entry.sessions.has(session)) return;
      if (ended !== undefined) end(entry, session, ended.error);
      refresh(entry);
    },
    sessionFor(peer) {
      const usable = [...(entries.get(peer)?.sessions ?? [])].filter(({ draining }) => !draining);
      const cost = ({ full, rttMs }: PeerSession): number => (full ? Infinity : (rttMs ?? Number.MAX_VALUE));
      return usable.sort((a, b) => (cost(a) < cost(b) ? -1 : cost(a) > cost(b) ? 1 : 0))[0];
    },
    sessions: () => [...entries.values()].flatMap(({ sessions }) => [...sessions]),
    close() {
      for (const entry of [...entries.values()]) {
        drop(entry, new AppError('ERR_STREAM_RESET', `peer ${entry.route.name}: this gateway is shutting down`));
      }
    },
  };
}

function hasUsable(entry: Entry): boolean {
  return [...entry.sessions].some(({ draining }) => !draining);
}

function goneError(peer: string): AppError {
  return new AppError('ERR_STREAM_RESET', `peer ${peer}: its Peer object is gone`);
}

function tooManyError(peer: string): AppError {
  return new AppError('ERR_BOUND_EXCEEDED', `peer ${peer}: more than ${SESSIONS_PER_PEER_MAX} sessions`);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
