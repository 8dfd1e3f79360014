/**
 * Gives each port of each import a target port: where every gateway of this cluster listens for it. Pure.
 *
 * A target port belongs to one port of one import for as long as that lives, and then rests: kube-proxy on some node may
 * still send clients of the old import there. So the search goes on where it ended (next-fit), and ports that were given up
 * a short while ago are passed over.
 */
import { TARGET_PORT_FIRST, TARGET_PORT_LAST } from '../limits.ts';

/** By what tells the ports of one import apart. */
export type TargetPorts = ReadonlyMap<string, number>;

export interface TargetPortInput {
  /** Of two that hold one target port the first keeps it. Of imports that are not wanted too: theirs stay reserved. */
  readonly held: readonly { readonly key: string; readonly ports: TargetPorts }[];
  /** Not to be given to anybody. */
  readonly resting: ReadonlySet<number>;
  /** In the order in which they are served. */
  readonly wanted: readonly { readonly key: string; readonly ports: readonly string[] }[];
  /** Where the search begins. */
  readonly cursor: number;
}

export interface TargetPortAssignment {
  /** Of the wanted imports; a port for which none was left is missing. */
  readonly assigned: ReadonlyMap<string, TargetPorts>;
  /** Where the next search begins. */
  readonly cursor: number;
}

const SIZE = TARGET_PORT_LAST - TARGET_PORT_FIRST + 1;

export function assignTargetPorts({ held, resting, wanted, cursor }: TargetPortInput): TargetPortAssignment {
  const taken = new Set<number>();
  const kept = new Map<string, Map<string, number>>();
  for (const { key, ports } of held) {
    const own = kept.get(key) ?? new Map<string, number>();
    for (const [id, targetPort] of ports) {
      if (!isTargetPort(targetPort) || taken.has(targetPort) || own.has(id)) continue;
      taken.add(targetPort);
      own.set(id, targetPort);
    }
    kept.set(key, own);
  }
  const search = makeSearch({ taken, resting, cursor });
  const assigned = wanted.map(({ key, ports }): [string, TargetPorts] => {
    const own = kept.get(key);
    const given = ports.map((id) => [id, own?.get(id) ?? search.next()] as const);
    return [key, new Map(given.filter((pair): pair is readonly [string, number] => pair[1] !== undefined))];
  });
  return { assigned: new Map(assigned), cursor: search.cursor() };
}

/** Where a search begins that nobody remembers: after what was given last, as far as can be seen. */
export function firstCursor(held: Iterable<number>): number {
  let highest = TARGET_PORT_FIRST - 1;
  for (const targetPort of held) if (isTargetPort(targetPort) && targetPort > highest) highest = targetPort;
  return highest === TARGET_PORT_LAST ? TARGET_PORT_FIRST : highest + 1;
}

export function isTargetPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= TARGET_PORT_FIRST && Number(value) <= TARGET_PORT_LAST;
}

function makeSearch({ taken, resting, cursor }: { taken: Set<number>; resting: ReadonlySet<number>; cursor: number }) {
  let offset = isTargetPort(cursor) ? cursor - TARGET_PORT_FIRST : 0;
  /** Once round without a find means that there is none for anybody. */
  let isUsedUp = false;
  return {
    next(): number | undefined {
      for (let step = 0; !isUsedUp && step < SIZE; step++) {
        const candidate = TARGET_PORT_FIRST + ((offset + step) % SIZE);
        if (taken.has(candidate) || resting.has(candidate)) continue;
        taken.add(candidate);
        offset = (offset + step + 1) % SIZE;
        return candidate;
      }
      isUsedUp = true;
      return undefined;
    },
    cursor: () => TARGET_PORT_FIRST + offset,
  };
}
