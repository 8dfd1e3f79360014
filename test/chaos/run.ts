/** Faults, one after the other, under traffic; after each the world has to be what it was. */
import { setTimeout as sleep } from 'node:timers/promises';
import { compare, takePicture, type Picture } from './comparison.ts';
import { formatFault, PEERS, type Fault } from './faults.ts';
import { inject } from './inject.ts';
import { startNames } from './names.ts';
import { IMPORTER, nameOf, startSite, type Site } from './site.ts';
import { startTraffic, type Outcome, type Traffic } from './traffic.ts';

/** From the end of a fault until everything is as before. */
const RECOVERY_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 250;
/** Until the world rests for the first time: a loaded machine starts slowly. */
const START_TIMEOUT_MS = 90_000;
/** The first picture counts once nothing has changed for so long: peers report what they import a second later. */
const REST_MS = 5_000;
const SAID_MAX = 200;

export interface ChaosOptions {
  /** The next fault or two, until undefined. */
  next(able: Able): readonly Fault[] | undefined;
  readonly connectionsPerSecond: number;
  say(line: string): void;
}

/** What this machine can do to a peer. */
export interface Able {
  readonly fillDisk: boolean;
  readonly setClock: boolean;
}

export interface ChaosResult {
  readonly ok: boolean;
  readonly faults: number;
  readonly lost: number;
  readonly wrong: number;
}

export interface ChaosReport extends ChaosResult {
  readonly connections: Readonly<Record<Outcome, number>>;
  readonly questions: number;
}

/** Ends early when the world does not come back: every later comparison would tell the same again. */
export async function runChaos({ next, connectionsPerSecond, say }: ChaosOptions): Promise<ChaosReport> {
  const tally = makeTally(say);
  const site = await startSite(tally.wrong);
  let undeclared = new Set<string>();
  const traffic = startTraffic({
    destinations: site.destinations,
    perSecond: connectionsPerSecond,
    watchProcess: () => site.peers[IMPORTER].watchDeath(),
    onWrong: tally.wrong,
  });
  const names = startNames({
    server: site.dns,
    addresses: site.addresses,
    watchProcess: () => site.peers[IMPORTER].watchDown(),
    isUndeclared: (name) => undeclared.has(name),
    onLost: tally.lost,
  });
  let faults = 0;
  try {
    let wanted = await settledPicture(site, traffic);
    const able = { fillDisk: site.disk !== undefined, setClock: site.clocks !== undefined };
    for (let drawn = next(able); drawn !== undefined; drawn = next(able)) {
      faults += drawn.length;
      say(`fault ${faults}: ${drawn.map(formatFault).join(' and ')}`);
      undeclared = undeclaredBy(site, drawn);
      await Promise.all(drawn.map((fault) => inject(site, fault)));
      const withIdentity = drawn.every(({ sort }) => sort !== 'recreate');
      const { seen, differences, ms } = await recover({ site, traffic, wanted, withIdentity });
      differences.forEach(tally.lost);
      if (differences.length > 0) break;
      wanted = seen;
      undeclared = new Set();
      say(`recovered after ${ms} ms; ${formatCounts(traffic)}`);
    }
  } finally {
    await traffic.close();
    await names.close();
    await site.close();
  }
  const { lost, wrong } = tally.sums();
  const ok = lost === 0 && wrong === 0 && traffic.counts.done > 0;
  return { ok, faults, lost, wrong, connections: traffic.counts, questions: names.asked };
}

/** Without its Peer object nothing of that peer is declared: names that only it has need not be there meanwhile. */
function undeclaredBy(site: Site, faults: readonly Fault[]): Set<string> {
  const gone = faults.flatMap((fault) => (fault.sort === 'recreate' && fault.peer === IMPORTER ? [fault.other] : []));
  const services = site.destinations.filter(({ sources }) =>
    sources.every((peer) => gone.some((name) => name === peer)),
  );
  return new Set(services.map(({ service }) => nameOf(service)));
}

async function settledPicture(site: Site, traffic: Traffic): Promise<Picture> {
  let last: Picture = new Map();
  let sinceMs = 0;
  const isSettled = (seen: Picture): boolean => {
    const isSame = compare({ wanted: last, seen, withIdentity: true }).length === 0;
    if (!isSame) sinceMs = performance.now();
    last = seen;
    return isSame && performance.now() - sinceMs >= REST_MS;
  };
  const { differences } = await recover({
    site,
    traffic,
    wanted: last,
    withIdentity: true,
    timeoutMs: START_TIMEOUT_MS,
    isSettled,
  });
  if (differences.length > 0) throw new Error(`the world does not come to rest: ${differences.join('; ')}`);
  return last;
}

interface RecoverOptions {
  readonly site: Site;
  readonly traffic: Traffic;
  readonly wanted: Picture;
  readonly withIdentity: boolean;
  readonly timeoutMs?: number;
  /** Instead of the comparison with what is wanted. */
  readonly isSettled?: (seen: Picture) => boolean;
}

/** Looks until the world is as wanted and every source has served a connection that came after the fault. */
async function recover(options: RecoverOptions): Promise<{ seen: Picture; differences: string[]; ms: number }> {
  const { site, traffic, wanted, withIdentity, timeoutMs = RECOVERY_TIMEOUT_MS, isSettled } = options;
  const startedMs = performance.now();
  let seen: Picture = new Map();
  for (;;) {
    const silent = site.destinations.flatMap(({ service, sources }) =>
      sources
        .filter((peer) => traffic.servedMs(service, peer) < startedMs)
        .map((peer) => `${peer} does not serve ${service}`),
    );
    let differences: string[];
    try {
      seen = await takePicture(peersOf(site));
      const changed =
        isSettled === undefined ? compare({ wanted, seen, withIdentity }) : isSettled(seen) ? [] : ['it moves'];
      differences = [...changed, ...silent];
    } catch (error) {
      differences = [
        `a peer does not tell of its world: ${error instanceof Error ? error.message : String(error)}`,
        ...silent,
      ];
    }
    const ms = Math.round(performance.now() - startedMs);
    if (differences.length === 0 || ms > timeoutMs) return { seen, differences, ms };
    await sleep(LOOK_EVERY_MS);
  }
}

function peersOf(site: Site): Site['peers'][keyof Site['peers']]['now'][] {
  return PEERS.map((name) => site.peers[name].now);
}

function makeTally(say: (line: string) => void): {
  lost(what: string): void;
  wrong(what: string): void;
  sums(): { lost: number; wrong: number };
} {
  const sums = { lost: 0, wrong: 0 };
  const note = (sort: 'lost' | 'wrong') => (what: string) => {
    sums[sort] += 1;
    if (sums[sort] <= SAID_MAX) say(`${sort}: ${what}`);
  };
  return { lost: note('lost'), wrong: note('wrong'), sums: () => sums };
}

export function formatCounts({ counts, open }: Pick<Traffic, 'counts' | 'open'>): string {
  return `connections: ${Object.entries(counts)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ')}, ${open} open`;
}
