/**
 * The sessions with other peers, and the links to those that speak ClusterLink's form, which are one kind of thing here: those
 * dialled to each address that a peer has, one or as many as their load wants (dialler.ts), and those that it dials to us; counted,
 * replaced when they die.
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
import { REASONS, type Reason } from '../api/reasons.ts';
import { startDialler, type Dialler, type DialOutcome } from './dialler.ts';
import {
  EJECTED_MAX_MS,
  LOAD_LOOK_MS,
  REDIAL_MAX_MS,
  SESSION_GRACE_MS,
  SESSIONS_ASSURED_EACH_WAY,
  SESSIONS_BY_LOAD_MAX,
  SESSIONS_PER_PEER_MAX,
} from './limits.ts';
import type { PeerLink } from './link.ts';
import type { PeerObservation, PeerRoute } from './messages.ts';
import { linksInOrder, nearestLink, type LinkQuery } from './nearest-link.ts';
import { describeLinks } from './peer-observation.ts';
import type { PeerSession } from './session.ts';
import type { DemandTimings } from './wanted-sessions.ts';

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
  /** Of the streams of a session, those that are none of connections. */
  exchangesOver?(session: PeerLink): number;
  /** The peer has ended a session at once that it was asked for beside others. Told once in a while. */
  onFurtherRefused?(peer: string): void;
  readonly resolveIntervalMs?: number | undefined;
  readonly demandTimings?: DemandTimings | undefined;
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
  /** That which a new stream takes best (nearest-link.ts); undefined if there is none. */
  linkFor(peer: string): PeerLink | undefined;
  /** Of the sessions of ours the best. */
  sessionFor(peer: string): PeerSession | undefined;
  /** All that take new streams, in this order. */
  linksFor(peer: string): readonly PeerLink[];
  /** Whether another instance of its peer takes streams, over a link that was not tried. */
  hasReplicaOf(link: PeerLink, tried: ReadonlySet<PeerLink>): boolean;
  /** It has left a stream without an answer: for a while the others of its peer come before it. */
  passOver(session: PeerLink): void;
  /**
   * The best that was not tried, one with an instance that was not first. Only where there is none at all and the peer is missed, it
   * waits for one, until the signal.
   */
  nextLink(
    peer: string,
    input: { readonly tried: ReadonlySet<PeerLink>; signal(): AbortSignal },
  ): PeerLink | undefined | Promise<PeerLink | undefined>;
  links(): readonly PeerLink[];
  /** Dials anew for each session that is meant and was dialled here; it is retired when its successor is there. */
  replace(isMeant: (session: PeerLink) => boolean): void;
  close(): void;
}

interface Entry {
  route: PeerRoute;
  /** Oldest first: every connection walks over it, and none changes it. */
  readonly sessions: PeerLink[];
  /** Until when others come before it. */
  readonly passedOver: Map<PeerLink, number>;
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
  const { dial, onChange, onReachable, lookUp, onRetired, exchangesOver, onFurtherRefused } = options;
  const { resolveIntervalMs, demandTimings } = options;
  const entries = new Map<string, Entry>();
  const reachable = new Set<string>();
  /** When each session began. */
  const bornMs = new WeakMap<PeerLink, number>();
  /** By this end. */
  const dialled = new WeakSet<PeerLink>();
  const lookingAtLoad = setInterval(lookAtLoad, LOAD_LOOK_MS);

  const isUsable = ({ sessions }: Entry): boolean => sessions.some(({ draining }) => !draining);

  function refresh(entry: Entry): void {
    if (isUsable(entry)) connect(entry);
    else if (reachable.has(entry.route.name)) entry.grace ??= setTimeout(() => giveUp(entry), SESSION_GRACE_MS);
    const observation = describeLinks(entry.route, entry.sessions, entry.last);
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
      entry.diallers.delete(address);
      dialler.leave();
    }
    for (const [address, gateway] of gateways) {
      if (entry.diallers.has(address)) continue;
      const dialler = startDialler({
        dial: (signal) => dial(entry.route, gateway, signal),
        lookUp: () => lookUp?.(gateway),
        resolveIntervalMs,
        add(session) {
          dialled.add(session);
          return add(session);
        },
        retire(session) {
          session.retire();
          onRetired?.(session);
        },
        isUrgent: () => !isUsable(entry),
        onFailure(failure) {
          if (!isUsable(entry)) giveUp(entry);
          fail(entry, failure);
        },
        present: () => entry.sessions,
        isIdle: (session) => session.form === 'session' && session.streams <= (exchangesOver?.(session) ?? 0),
        onFurtherRefused: () => onFurtherRefused?.(entry.route.name),
        demandTimings,
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

  /** Only some of all sessions are there for what they carry: an instance that has none yet must find room. */
  function hasRoom({ sessions }: Entry, session: PeerLink): boolean {
    const { instance } = session.hello;
    const beside = sessions.filter(
      (other) => !other.draining && other.hello.instance === instance && dialled.has(other) === dialled.has(session),
    );
    const max = beside.length < SESSIONS_ASSURED_EACH_WAY ? SESSIONS_PER_PEER_MAX : SESSIONS_BY_LOAD_MAX;
    return sessions.length < max;
  }

  function add(session: PeerLink): boolean {
    const entry = entries.get(session.peer);
    if (entry === undefined || !hasRoom(entry, session)) return false;
    entry.sessions.push(session);
    bornMs.set(session, performance.now());
    refresh(entry);
    return true;
  }

  function end(entry: Entry, session: PeerLink, error: Error | undefined): void {
    entry.sessions.splice(entry.sessions.indexOf(session), 1);
    entry.passedOver.delete(session);
    // It was waited for long enough: a peer that fell silent is not about to return.
    if (isSilence(error) && !isUsable(entry)) giveUp(entry);
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

  function lookAtLoad(): void {
    for (const { sessions, diallers } of entries.values()) {
      if (sessions.length > 0) for (const dialler of diallers.values()) dialler.lookAtLoad();
    }
  }

  function nearest(peer: string, { tried, form }: Pick<LinkQuery, 'tried' | 'form'> = ANY): PeerLink | undefined {
    const entry = entries.get(peer);
    if (entry === undefined) return undefined;
    return nearestLink(entry.sessions, { tried, form, passedOver: passedOverOf(entry) });
  }

  /** Where a session fails, those with the same process may be about to: another one comes first. */
  function nextAfter(peer: string, tried: ReadonlySet<PeerLink>): PeerLink | undefined {
    const instances = new Set([...tried].map(({ hello }) => hello.instance));
    const siblings = entries.get(peer)?.sessions.filter(({ hello }) => instances.has(hello.instance)) ?? [];
    return nearest(peer, { tried: new Set([...tried, ...siblings]) }) ?? nearest(peer, { tried });
  }

  function passedOverOf({ passedOver }: Entry): Entry['passedOver'] {
    if (passedOver.size === 0) return passedOver;
    const nowMs = performance.now();
    for (const [link, untilMs] of passedOver) if (untilMs <= nowMs) passedOver.delete(link);
    return passedOver;
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
      return entry !== undefined && isUsable(entry);
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
      if (entry === undefined || !entry.sessions.includes(session)) return;
      if (ended !== undefined) end(entry, session, ended.error);
      refresh(entry);
    },
    distrusted(peer, why) {
      const entry = entries.get(peer);
      if (entry !== undefined) fail(entry, why);
    },
    linkFor: (peer) => nearest(peer),
    sessionFor(peer) {
      const link = nearest(peer, { form: 'session' });
      return link?.form === 'session' ? link : undefined;
    },
    linksFor(peer) {
      const entry = entries.get(peer);
      return entry === undefined ? [] : linksInOrder(entry.sessions, { passedOver: passedOverOf(entry) });
    },
    hasReplicaOf(link, tried) {
      const { instance } = link.hello;
      const isOther = (other: PeerLink): boolean =>
        !other.draining && other.hello.instance !== instance && !tried.has(other);
      return entries.get(link.peer)?.sessions.some(isOther) === true;
    },
    passOver(session) {
      const entry = entries.get(session.peer);
      if (entry?.sessions.includes(session) !== true) return;
      entry.passedOver.set(session, performance.now() + EJECTED_MAX_MS);
    },
    nextLink(peer, { tried, signal }) {
      const entry = entries.get(peer);
      if (entry?.grace === undefined) return tried.size === 0 ? nearest(peer) : nextAfter(peer, tried);
      return graceOf(entry, signal()).then(() => nextAfter(peer, tried));
    },
    links: () => [...entries.values()].flatMap(({ sessions }) => sessions),
    replace(isMeant) {
      for (const { diallers } of entries.values()) for (const dialler of diallers.values()) dialler.replace(isMeant);
    },
    close() {
      clearInterval(lookingAtLoad);
      for (const entry of [...entries.values()]) {
        drop(entry, new AppError('ERR_STREAM_RESET', `peer ${entry.route.name}: this gateway is shutting down`));
      }
    },
  };

  function addEntry(route: PeerRoute): Entry {
    const entry: Entry = {
      route,
      sessions: [],
      passedOver: new Map(),
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

const ANY = {};

function isSilence(error: Error | undefined): boolean {
  return error instanceof AppError && error.code === 'ERR_TIMEOUT';
}

function goneError(peer: string): AppError {
  return new AppError('ERR_STREAM_RESET', `peer ${peer}: its Peer object is gone`);
}
