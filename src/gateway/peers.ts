/**
 * The sessions with other peers, and the links to those that speak ClusterLink's form, which are one kind of thing here: one dialled to each address that a peer has, those that it dials to us, counted, replaced
 * when they die.
 *
 * A peer may be several replicas behind one address, each an instance of its own. Any of them serves any stream, so a peer is
 * reachable while one session with it takes streams, and for a moment after the last one was lost: most come back at once, and
 * what would change meanwhile are the listeners and the objects of every import. Where the last one ended because the peer fell
 * silent, that moment has passed already.
 *
 *   connected ── last session lost, or leaving ──▶ missed ── a dial failed, or SESSION_GRACE_MS are over ──▶ unreachable
 *       ▲ └───────────────── the last session fell silent ─────────────────────────────────────────────────────▶ │
 *       └──────────────── a session ───────────────────┴───────────────────────────────────────────────────────┘
 */
import { AppError } from '../api/errors.ts';
import { DistrustError } from '../fabric/distrust.ts';
import { compareText } from '../api/object.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import { REPLICAS_FEATURE, WORKERS_FEATURE, startDialler, type Dialler, type DialOutcome } from './dialler.ts';
import {
  EJECTED_MAX_MS,
  REDIAL_MAX_MS,
  SESSION_GRACE_MS,
  SESSIONS_PER_INSTANCE_MAX,
  SESSIONS_PER_PEER_MAX,
} from './limits.ts';
import { IN_FLIGHT_QUEUE_MS, IN_FLIGHT_ROUND_TRIPS } from './yamux/limits.ts';
import type { PeerObservation, PeerRoute } from './messages.ts';
import type { PeerSession } from './session.ts';
import type { PeerLink } from './link.ts';

export interface PeersOptions {
  /** Makes a session to one of the peer's gateways, or says why none could be. Has its own deadlines. */
  dial(peer: PeerRoute, gateway: PeerRoute['gateways'][number], signal: AbortSignal): Promise<DialOutcome>;
  /** A peer's sessions have changed, or it is gone: then the reason is `PEER_UNKNOWN`. */
  onChange(observation: PeerObservation): void;
  /** Other peers are reachable than before. */
  onReachable(): void;
  /** What the gateway's name resolves to now; undefined where nobody here resolves it. */
  lookUp?(gateway: PeerRoute['gateways'][number]): Promise<readonly string[]> | undefined;
  /** A session that was replaced takes no new streams; it ends when its last one has. */
  onRetired?(session: PeerLink): void;
  readonly resolveIntervalMs?: number | undefined;
}

export interface Peers {
  /** Peers that are connected or missed: see above. */
  readonly reachable: ReadonlySet<string>;
  isConnected(peer: string): boolean;
  isKnown(peer: string): boolean;
  /** Dials those that are new or moved; drops the sessions of those that are gone. */
  apply(routes: ReadonlyMap<string, PeerRoute>): void;
  /**
   * A session was made by either side. False: there are enough with this peer or this instance of it, or the peer is not
   * known; destroy it.
   */
  add(session: PeerLink): boolean;
  /** Somebody who has a certificate of this name was turned away for it: told while there is no session. */
  distrusted(peer: string, why: { readonly reason: Reason; readonly message: string }): void;
  /** A session has ended or drains. */
  changed(session: PeerLink, ended: { readonly error: Error | undefined } | undefined): void;
  /** The nearest that has room for a new stream, where one that carries bulk counts as farther; else one that is full; undefined if there is none. */
  linkFor(peer: string): PeerLink | undefined;
  /** Of those the first that is a session of ours. */
  sessionFor(peer: string): PeerSession | undefined;
  /** All that take new streams, in this order. */
  linksFor(peer: string): readonly PeerLink[];
  /** It has left a stream without an answer: for a while the others of its peer come before it. */
  passOver(session: PeerLink): void;
  /** The first of them that was not tried. Where there is none at all and the peer is missed, waits for one until the signal. */
  nextLink(
    peer: string,
    input: { readonly tried: ReadonlySet<PeerLink>; signal(): AbortSignal },
  ): Promise<PeerLink | undefined>;
  links(): readonly PeerLink[];
  /** Dials anew for each session that is meant and was dialled here; it is retired when its successor is there. */
  replace(isMeant: (session: PeerLink) => boolean): void;
  close(): void;
}

interface Entry {
  route: PeerRoute;
  readonly sessions: Set<PeerLink>;
  /** By `host:port`. */
  readonly diallers: Map<string, Dialler>;
  last: { readonly reason: Reason; readonly message: string };
  told: string;
  /** While it is missed. */
  grace: NodeJS.Timeout | undefined;
  /** Who waits for a session meanwhile. */
  readonly waiting: Set<() => void>;
}

export function makePeers(options: PeersOptions): Peers {
  const { dial, onChange, onReachable, lookUp, onRetired, resolveIntervalMs } = options;
  const entries = new Map<string, Entry>();
  const reachable = new Set<string>();
  /** When each session began. */
  const bornMs = new WeakMap<PeerLink, number>();
  /** Until when others come before it. */
  const passedOverMs = new WeakMap<PeerLink, number>();

  const usableOf = (entry: Entry): PeerLink[] => [...entry.sessions].filter(({ draining }) => !draining);

  function refresh(entry: Entry): void {
    const { name } = entry.route;
    const usable = usableOf(entry);
    if (usable.length > 0) connect(entry);
    else if (reachable.has(name)) entry.grace ??= setTimeout(() => giveUp(entry), SESSION_GRACE_MS);
    const [first] = usable;
    const observation = {
      name,
      sessions: entry.sessions.size,
      ...(first === undefined
        ? { reason: entry.last.reason, message: entry.last.message }
        : { version: first.hello.version, ...expiryOf(first), ...describeForm(entry, first) }),
    };
    const text = JSON.stringify(observation);
    if (text !== entry.told) {
      entry.told = text;
      onChange(observation);
    }
    for (const dialler of entry.diallers.values()) dialler.refresh();
  }

  function connect(entry: Entry): void {
    const { name } = entry.route;
    endGrace(entry);
    if (reachable.has(name)) return;
    reachable.add(name);
    onReachable();
  }

  function giveUp(entry: Entry): void {
    endGrace(entry);
    if (reachable.delete(entry.route.name)) onReachable();
  }

  function endGrace(entry: Entry): void {
    clearTimeout(entry.grace);
    entry.grace = undefined;
    for (const wake of [...entry.waiting]) wake();
  }

  /** One dialler for each address of the peer. */
  function followAddresses(entry: Entry): void {
    const gateways = new Map(entry.route.gateways.map((gateway) => [`${gateway.host} ${gateway.port}`, gateway]));
    for (const [address, dialler] of entry.diallers) {
      if (gateways.has(address)) continue;
      dialler.close();
      entry.diallers.delete(address);
    }
    for (const [address, gateway] of gateways) {
      if (entry.diallers.has(address)) continue;
      const dialler = startDialler({
        dial: (signal) => dial(entry.route, gateway, signal),
        lookUp: () => lookUp?.(gateway),
        resolveIntervalMs,
        add,
        retire(session) {
          session.retire();
          onRetired?.(session);
        },
        isUrgent: () => usableOf(entry).length === 0,
        onFailure(failure) {
          if (usableOf(entry).length === 0) giveUp(entry);
          fail(entry, failure);
        },
      });
      entry.diallers.set(address, dialler);
      dialler.refresh();
    }
  }

  function fail(entry: Entry, { reason, message }: Entry['last']): void {
    if (entry.last.reason === reason && entry.last.message === message) return;
    entry.last = { reason, message };
    refresh(entry);
  }

  function add(session: PeerLink): boolean {
    const entry = entries.get(session.peer);
    if (entry === undefined || entry.sessions.size >= SESSIONS_PER_PEER_MAX) return false;
    const { instance } = session.hello;
    const ofInstance = [...entry.sessions].filter(({ hello }) => hello.instance === instance);
    if (ofInstance.length >= SESSIONS_PER_INSTANCE_MAX) return false;
    entry.sessions.add(session);
    bornMs.set(session, performance.now());
    refresh(entry);
    return true;
  }

  function end(entry: Entry, session: PeerLink, error: Error | undefined): void {
    entry.sessions.delete(session);
    // It was waited for long enough: a peer that fell silent is not about to return.
    if (isSilence(error) && usableOf(entry).length === 0) giveUp(entry);
    const reason = error instanceof DistrustError ? error.reason : REASONS.PeerUnreachable;
    entry.last = { reason, message: error?.message ?? 'The peer closed the session.' };
    const ageMs = performance.now() - (bornMs.get(session) ?? -Infinity);
    for (const dialler of entry.diallers.values()) dialler.ended(session, { young: ageMs < REDIAL_MAX_MS });
  }

  function drop(entry: Entry, error: AppError): void {
    for (const dialler of entry.diallers.values()) dialler.close();
    entries.delete(entry.route.name);
    giveUp(entry);
    for (const session of [...entry.sessions]) session.destroy(error);
  }

  function linksFor(peer: string): PeerLink[] {
    const entry = entries.get(peer);
    const nowMs = performance.now();
    const cost = (session: PeerLink): number => {
      if (session.full) return Infinity;
      if ((passedOverMs.get(session) ?? 0) > nowMs) return Number.MAX_VALUE;
      const rttMs = session.rttMs ?? Number.MAX_SAFE_INTEGER;
      // What is opened beside bulk waits behind what that has under way.
      return session.form === 'session' && session.busy ? IN_FLIGHT_ROUND_TRIPS * rttMs + IN_FLIGHT_QUEUE_MS : rttMs;
    };
    const usable = entry === undefined ? [] : usableOf(entry);
    return usable.sort((a, b) => (cost(a) < cost(b) ? -1 : cost(a) > cost(b) ? 1 : 0));
  }

  /** Resolves when the peer is not missed any more, one way or the other. */
  function graceOf(entry: Entry, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        entry.waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      if (entry.grace === undefined || signal.aborted) return resolve();
      entry.waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  return {
    reachable,
    isConnected(peer) {
      const entry = entries.get(peer);
      return entry !== undefined && usableOf(entry).length > 0;
    },
    isKnown: (peer) => entries.has(peer),
    apply(routes) {
      for (const entry of [...entries.values()]) {
        const { name } = entry.route;
        if (routes.has(name)) continue;
        drop(entry, goneError(name));
        onChange({ name, sessions: 0, reason: REASONS.PeerUnknown, message: 'Its Peer object is gone.' });
      }
      for (const route of routes.values()) {
        const entry = entries.get(route.name) ?? addEntry(route);
        entry.route = route;
        followAddresses(entry);
      }
    },
    add,
    changed(session, ended) {
      const entry = entries.get(session.peer);
      if (entry === undefined || !entry.sessions.has(session)) return;
      if (ended !== undefined) end(entry, session, ended.error);
      refresh(entry);
    },
    distrusted(peer, why) {
      const entry = entries.get(peer);
      if (entry !== undefined) fail(entry, why);
    },
    linkFor: (peer) => linksFor(peer)[0],
    sessionFor: (peer) => linksFor(peer).find((link) => link.form === 'session'),
    linksFor,
    passOver: (session) => void passedOverMs.set(session, performance.now() + EJECTED_MAX_MS),
    async nextLink(peer, { tried, signal }) {
      const entry = entries.get(peer);
      if (entry?.grace !== undefined) await graceOf(entry, signal());
      return linksFor(peer).find((session) => !tried.has(session));
    },
    links: () => [...entries.values()].flatMap(({ sessions }) => [...sessions]),
    replace(isMeant) {
      for (const { diallers } of entries.values()) for (const dialler of diallers.values()) dialler.replace(isMeant);
    },
    close() {
      for (const entry of [...entries.values()]) {
        drop(entry, new AppError('ERR_STREAM_RESET', `peer ${entry.route.name}: this gateway is shutting down`));
      }
    },
  };

  function addEntry(route: PeerRoute): Entry {
    const entry: Entry = {
      route,
      sessions: new Set(),
      diallers: new Map(),
      last: { reason: REASONS.PeerUnreachable, message: 'No session was opened yet.' },
      told: '',
      grace: undefined,
      waiting: new Set(),
    };
    entries.set(route.name, entry);
    refresh(entry);
    return entry;
  }
}

function isSilence(error: Error | undefined): boolean {
  return error instanceof AppError && error.code === 'ERR_TIMEOUT';
}

function epochsOf(sessions: readonly PeerSession[]): string[] {
  return [...new Set([...sessions].map(({ hello }) => toInstallation(hello)))].sort(compareText);
}

/**
 * A peer without replicas is one process: a copy of its disk that runs beside it has its epoch, and not its instance. Of one that
 * was restarted the sessions have ended when the new process is there, or do within 2 s.
 */
function toInstallation({ epoch, instance, features }: PeerSession['hello']): string {
  if (features.includes(WORKERS_FEATURE)) return `${epoch}/${instance.split('.', 1)[0]}`;
  return features.includes(REPLICAS_FEATURE) ? epoch : `${epoch}/${instance}`;
}

/** What is told of a peer besides, while it is reachable. */
function describeForm(
  { route, sessions }: Pick<Entry, 'route' | 'sessions'>,
  first: PeerLink,
): Pick<PeerObservation, 'epochs' | 'form' | 'labels' | 'message'> {
  const ours = [...sessions].filter((link) => link.form === 'session');
  if (first.form === 'session') return { epochs: epochsOf(ours), message: '' };
  const answering = new Set([...sessions].filter(({ draining }) => !draining).map(({ hello }) => hello.instance)).size;
  const message = `It speaks ClusterLink's form; ${answering} of ${route.gateways.length} gateways answer heartbeats.`;
  return { form: 'clusterlink', labels: first.labels, message };
}

function expiryOf({ certificate }: PeerLink): Pick<PeerObservation, 'certificateExpires'> {
  return certificate === undefined ? {} : { certificateExpires: certificate.validToDate.toISOString() };
}

function goneError(peer: string): AppError {
  return new AppError('ERR_STREAM_RESET', `peer ${peer}: its Peer object is gone`);
}
