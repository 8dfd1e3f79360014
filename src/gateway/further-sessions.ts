/** Sessions beside the one that there always is, through one address: whether another one is wanted, and which one is too many. */
import { FURTHER_AGAIN_MS, INSTANCES_PER_ADDRESS, SESSIONS_BY_LOAD_MAX } from './limits.ts';
import type { PeerLink } from './link.ts';
import { demandOf, DEMAND_TIMINGS, type Demand, type DemandTimings, type SessionLoad } from './wanted-sessions.ts';

export interface FurtherSessionsOptions {
  /** All sessions with the peer, those among them that are dialled here. */
  present(): readonly PeerLink[];
  /** Whether no connection goes over it. */
  isIdle(session: PeerLink): boolean;
  /** Tests shorten them. */
  readonly demandTimings?: DemandTimings | undefined;
}

/** `own`: those through this address that are not on their way out, oldest first. */
export interface FurtherSessions {
  /** What they carry now; to be called now and then. */
  look(own: readonly PeerLink[]): void;
  /** By the last look. */
  isWanted(own: readonly PeerLink[]): boolean;
  /** By the last look: the newest without streams, unless it is the only one of an instance that is kept. */
  tooMany(own: readonly PeerLink[]): PeerLink | undefined;
  /** The peer takes no further one: none is wanted for {@link FURTHER_AGAIN_MS}. */
  rest(): void;
  /** Others are there than at the last look. */
  forget(): void;
}

export function makeFurtherSessions(options: FurtherSessionsOptions): FurtherSessions {
  const { present, isIdle, demandTimings = DEMAND_TIMINGS } = options;
  const timings = scatter(demandTimings);
  let demand: Demand | undefined;
  let restsUntilMs = -Infinity;

  /** What these carry, and those which the peer has dialled from the same instances: new streams take these too. */
  function loadsOf(own: readonly PeerLink[]): readonly SessionLoad[] {
    const instances = instancesOf(own);
    const theirs = present().filter(
      (link) => !own.includes(link) && !link.draining && instances.has(link.hello.instance),
    );
    return [...own, ...theirs].filter((link) => link.form === 'session');
  }

  return {
    look(own) {
      demand = demandOf({ loads: loadsOf(own), before: demand, nowMs: performance.now(), timings });
    },
    isWanted(own) {
      if (demand === undefined || demand.wanted <= loadsOf(own).length) return false;
      return present().length < SESSIONS_BY_LOAD_MAX && performance.now() >= restsUntilMs;
    },
    tooMany(own) {
      if (demand === undefined || demand.wanted >= loadsOf(own).length) return undefined;
      const hasInstancesToSpare = instancesOf(own).size > INSTANCES_PER_ADDRESS;
      return own.findLast((one) => isIdle(one) && (hasInstancesToSpare || hasOtherOf(one, own)));
    },
    rest() {
      restsUntilMs = performance.now() + FURTHER_AGAIN_MS;
    },
    forget() {
      demand = undefined;
    },
  };
}

export function instancesOf(links: readonly PeerLink[]): ReadonlySet<string> {
  return new Set(links.map(({ hello }) => hello.instance));
}

/** Whether another one of these is with the same process. */
export function hasOtherOf(session: PeerLink, links: readonly PeerLink[]): boolean {
  return links.some((other) => other !== session && other.hello.instance === session.hello.instance);
}

/** Both ends may dial, and see the same load at the same time: one of the two is earlier. */
function scatter({ furtherAfterMs, fewerAfterMs }: DemandTimings): DemandTimings {
  return { furtherAfterMs: furtherAfterMs * (1 + Math.random() / 2), fewerAfterMs };
}
