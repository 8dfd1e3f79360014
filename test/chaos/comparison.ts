/** The world as its peers tell it: every object with its status, without what changes by nature. Pure but for asking. */
import { COMMON_KINDS } from '#src/store/caches.ts';
import type { StandalonePeer } from '#test/support/standalone.ts';

interface Pictured {
  /** Without times and counters. */
  readonly content: string;
  /** uid, time of creation, when each record was first seen: what is deleted and made again has others. */
  readonly identity: string;
}

/** By `peer Kind namespace/name`. */
export type Picture = ReadonlyMap<string, Pictured>;

/** Says when something was written, or how often: not what. */
const CHANGING: ReadonlySet<string> = new Set([
  'resourceVersion',
  'generation',
  'observedGeneration',
  'lastTransitionTime',
  'managedFields',
  'receivedAt',
]);

/** What tells one object from the next of the same name. */
const IDENTITY: ReadonlySet<string> = new Set(['uid', 'creationTimestamp', 'firstSeen']);

interface Told {
  readonly spec?: { readonly records?: readonly { readonly firstSeen?: string }[] };
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly creationTimestamp?: unknown;
  };
}

export async function takePicture(peers: readonly StandalonePeer[]): Promise<Picture> {
  const picture = new Map<string, Pictured>();
  for (const peer of peers) {
    for (const kind of COMMON_KINDS) {
      for (const object of await peer.get<readonly Told[]>(kind)) {
        const { name = '', namespace = '', uid = '', creationTimestamp } = object.metadata ?? {};
        picture.set(`${peer.name} ${kind} ${namespace}/${name}`, {
          content: JSON.stringify(settle(object), null, 1),
          identity: [uid, creationTimestamp, ...firstSeen(object)].join(' '),
        });
      }
    }
  }
  return picture;
}

function firstSeen({ spec }: Told): unknown[] {
  return (spec?.records ?? []).map((record) => record.firstSeen);
}

/** Keys and lists in order, without what changes by nature: which source of two is named first is no matter. */
function settle(value: unknown): unknown {
  if (Array.isArray(value)) {
    const members = value.map((member) => [JSON.stringify(settle(member)), settle(member)] as const);
    return members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, member]) => member);
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => !CHANGING.has(key) && !IDENTITY.has(key))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, settle(member)]));
}

export interface CompareOptions {
  readonly wanted: Picture;
  readonly seen: Picture;
  /** False after an object was taken away on purpose: then what came of it may be made anew. */
  readonly withIdentity: boolean;
}

/** What is missing, changed or too many, a line each. */
export function compare({ wanted, seen, withIdentity }: CompareOptions): string[] {
  const differences: string[] = [];
  for (const [key, before] of wanted) {
    const now = seen.get(key);
    if (now === undefined) differences.push(`${key} is missing`);
    else if (now.content !== before.content)
      differences.push(`${key} differs: ${firstDifference(before.content, now.content)}`);
    else if (withIdentity && now.identity !== before.identity) {
      differences.push(`${key} is another object: ${before.identity} became ${now.identity}`);
    }
  }
  for (const key of seen.keys()) if (!wanted.has(key)) differences.push(`${key} is new`);
  return differences;
}

function firstDifference(before: string, now: string): string {
  const [was, is] = [before.split('\n'), now.split('\n')];
  const at = was.findIndex((line, index) => line !== is[index]);
  return `${was[at]?.trim() ?? 'nothing'} became ${is[at]?.trim() ?? 'nothing'}`;
}
