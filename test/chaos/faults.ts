/** Which faults there are, and the ones that a seed draws. Pure. */
import type { Random } from './random.ts';

export const PEERS = ['west', 'east', 'south'] as const;
export type PeerName = (typeof PEERS)[number];

/** Every fault is undone after `holdMs`; recovery is counted from then. */
export type Fault =
  /** SIGKILL, and a start after `holdMs`. */
  | { readonly sort: 'kill'; readonly peer: PeerName; readonly holdMs: number }
  /** SIGSTOP, and SIGCONT after `holdMs`. */
  | { readonly sort: 'stop'; readonly peer: PeerName; readonly holdMs: number }
  | { readonly sort: 'cut' | 'stall'; readonly peer: PeerName; readonly other: PeerName; readonly holdMs: number }
  /** The folder of manifests gives way to an equal one; between the two there is none for a moment. */
  | { readonly sort: 'replace'; readonly peer: PeerName; readonly holdMs: number }
  /** Every manifest is removed by mistake, and put back after `holdMs`. */
  | { readonly sort: 'empty'; readonly peer: PeerName; readonly holdMs: number }
  /** One file stands half written for `holdMs`; `cutAt` says where, in parts of a million of its length. */
  | { readonly sort: 'half'; readonly peer: PeerName; readonly cutAt: number; readonly holdMs: number }
  /** The Peer object for `other` goes, and comes again with the same name. */
  | { readonly sort: 'recreate'; readonly peer: PeerName; readonly other: PeerName; readonly holdMs: number }
  /** The state folder's disk is full while statuses want to change. */
  | { readonly sort: 'full'; readonly peer: PeerName; readonly holdMs: number }
  /** The clock of its machine is off, and set right again; steps both times. */
  | { readonly sort: 'clock'; readonly peer: PeerName; readonly offsetSeconds: number; readonly holdMs: number };
export type FaultSort = Fault['sort'];

export const FAULT_SORTS: readonly FaultSort[] = [
  'kill',
  'stop',
  'cut',
  'stall',
  'replace',
  'empty',
  'half',
  'recreate',
  'full',
  'clock',
];
/** As the issue has it for stopped processes; other faults are over sooner. */
const STOP_MS_MAX = 10_000;
const HOLD_MS_MAX: Readonly<Record<FaultSort, number>> = {
  kill: 3_000,
  stop: STOP_MS_MAX,
  cut: 5_000,
  stall: 8_000,
  replace: 500,
  empty: 4_000,
  half: 3_000,
  recreate: 2_500,
  full: 4_000,
  // Long enough for what counts seconds by the clock: heart beats, grace times.
  clock: 12_000,
};
const CLOCK_OFF_SECONDS = 120;
const HOLD_MS_MIN = 100;

export interface DrawOptions {
  readonly random: Random;
  readonly sorts: readonly FaultSort[];
  /** The peer whose state folder is on a disk that can be filled. */
  readonly smallDisk: PeerName;
}

/** One fault, or two that do not undo each other. */
export function drawFaults(options: DrawOptions): readonly Fault[] {
  const first = drawFault(options);
  if (options.random.between(1, 3) < 3) return [first];
  const second = drawFault(options);
  return canMeet(first, second) ? [first, second] : [first];
}

function drawFault({ random, sorts, smallDisk }: DrawOptions): Fault {
  const sort = random.pick(sorts);
  const holdMs = random.between(HOLD_MS_MIN, HOLD_MS_MAX[sort]);
  const peer = sort === 'full' ? smallDisk : random.pick(PEERS);
  if (sort === 'cut' || sort === 'stall' || sort === 'recreate') {
    return { sort, peer, other: random.pick(PEERS.filter((name) => name !== peer)), holdMs };
  }
  if (sort === 'half') return { sort, peer, cutAt: random.between(1, 999_999), holdMs };
  if (sort === 'clock') {
    return { sort, peer, offsetSeconds: random.pick([-CLOCK_OFF_SECONDS, CLOCK_OFF_SECONDS]), holdMs };
  }
  return { sort, peer, holdMs };
}

/** What a fault takes hold of: two that take hold of the same thing would undo each other. */
function grips(fault: Fault): readonly string[] {
  switch (fault.sort) {
    case 'kill':
    case 'stop':
      return [`process ${fault.peer}`];
    case 'cut':
    case 'stall':
      return [`link ${[fault.peer, fault.other].sort().join(' ')}`];
    case 'full':
      // It needs the process, and the links of it, to make statuses change.
      return [`process ${fault.peer}`, ...PEERS.map((other) => `link ${[fault.peer, other].sort().join(' ')}`)];
    case 'clock':
      return [`clock ${fault.peer}`];
    default:
      return [`manifests ${fault.peer}`];
  }
}

function canMeet(first: Fault, second: Fault): boolean {
  const held = grips(first);
  return grips(second).every((grip) => !held.includes(grip));
}

export function formatFault({ sort, peer, holdMs, ...more }: Fault): string {
  const other = 'other' in more ? ` ${more.other}` : '';
  const place = 'cutAt' in more ? ` at ${(more.cutAt / 10_000).toFixed(1)} %` : '';
  const offset = 'offsetSeconds' in more ? ` ${more.offsetSeconds} s off` : '';
  return `${sort} ${peer}${other}${place}${offset} for ${holdMs} ms`;
}
