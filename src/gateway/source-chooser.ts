/**
 * Which source a connection tries first, and which then: the scheme of the import, with what it remembers of the connections
 * before. Ranks come first (source-choice.ts); session affinity goes before the scheme, never before a rank.
 *
 * With round robin a retry is a turn of its own, as with ClusterLink: so those that stand in for one that fails share what it
 * leaves. The first connection of all goes to the first source, where ClusterLink begins with the second.
 */
import { formatKey } from '../api/object.ts';
import { formatSource } from '../api/record.ts';
import { orderByShare } from './affinity.ts';
import type { ImportRoute, RouteSource, Scheme } from './messages.ts';
import { rankUsable, type ChoiceInput } from './source-choice.ts';
import { orderByChance, orderByLatency, shareOf } from './source-orders.ts';
import { orderByWheel, turnWheel, type Credits, type Spoke } from './wheel.ts';

export interface SourceChooserOptions {
  /** At least 0, less than 1. */
  readonly random: () => number;
  /** Smoothed round trip to a peer, 0 for self; undefined while nobody knows. */
  readonly latencyMsOf: (peer: string) => number | undefined;
}

export interface SourceQuery extends ChoiceInput {
  /** For an import with session affinity: what tells the client from others, and the source that it had. */
  readonly sticky?: { readonly key: string; readonly had: string | undefined };
}

export interface Choice {
  /** Each usable source once, in the order in which they are tried. */
  readonly sources: readonly RouteSource[];
  /** The connection is tried at this one now. Those before it failed, or this client may not use them. */
  attempt(source: RouteSource): void;
}

export interface SourceChooser {
  choose(query: SourceQuery): Choice;
  /** Forgets imports, and ports of them, that are not among these. */
  retain(imports: ReadonlyMap<string, ImportRoute>): void;
}

/** Of one port of an import: each has sources of its own, and a client of two ports must not skew either. */
interface Memory {
  /** Of which sources and weights it speaks: with others the wheel begins anew. */
  readonly sources: string;
  readonly credits: Credits;
  /** The nearest. */
  leader: string | undefined;
}

type SourceSpoke = Spoke & { readonly source: RouteSource };

/** For one data worker of one replica: each of them counts for itself. */
export function makeSourceChooser({ random, latencyMsOf }: SourceChooserOptions): SourceChooser {
  /** By `namespace/name` of the import, then by port. */
  const memories = new Map<string, Map<number, Memory>>();

  function memoryOf({ route: { key, sources }, port }: SourceQuery): Memory {
    const ofImport = memories.get(formatKey(key)) ?? new Map<number, Memory>();
    memories.set(formatKey(key), ofImport);
    const text = describeSources(sources, port);
    const known = ofImport.get(port);
    if (known?.sources === text) return known;
    const memory: Memory = { sources: text, credits: new Map(), leader: known?.leader };
    ofImport.set(port, memory);
    return memory;
  }

  function orderByNearest([first = [], ...others]: readonly RouteSource[][], memory: Memory): RouteSource[] {
    const near = orderByLatency({ sources: first, latencyMsOf, leader: memory.leader });
    if (near[0] !== undefined) memory.leader = formatSource(near[0]);
    return [...near, ...others.flatMap((rank) => orderByLatency({ sources: rank, latencyMsOf, leader: undefined }))];
  }

  return {
    choose(query) {
      const ranks = rankUsable(query);
      const { sticky } = query;
      const { scheme = 'RoundRobin' } = query.route;
      const [first, ...others] = ranks;
      // Nothing is to be chosen, and a turn among one changes nobody's.
      if (first?.length === 1 && others.length === 0 && scheme !== 'LeastLatency') return withoutTurns(first);
      if (sticky !== undefined) {
        return withoutTurns(ranks.flatMap((sources) => orderForClient({ sources, sticky, scheme })));
      }
      switch (scheme) {
        case 'RoundRobin':
          return chooseInTurn(ranks, memoryOf(query));
        case 'Random':
          return withoutTurns(ranks.flatMap((rank) => orderByChance(rank, random)));
        case 'Static':
          return withoutTurns(ranks.flat());
        case 'LeastLatency':
          return withoutTurns(orderByNearest(ranks, memoryOf(query)));
      }
    },
    retain(imports) {
      for (const [object, ofImport] of memories) {
        const ports = new Set(imports.get(object)?.ports.map(({ port }) => port));
        for (const port of ofImport.keys()) if (!ports.has(port)) ofImport.delete(port);
        if (ofImport.size === 0) memories.delete(object);
      }
    },
  };
}

function chooseInTurn(ranks: readonly RouteSource[][], { credits }: Memory): Choice {
  const wheels = ranks.map((rank) => {
    const spokes = rank.map((source): SourceSpoke => ({ source, id: formatSource(source), weight: shareOf(source) }));
    return orderByWheel(credits, spokes);
  });
  const tried = new Set<RouteSource>();
  return {
    sources: wheels.flatMap((wheel) => wheel.map(({ source }) => source)),
    attempt(source) {
      const wheel = wheels.find((spokes) => spokes.some((spoke) => spoke.source === source)) ?? [];
      const index = wheel.findIndex((spoke) => spoke.source === source);
      const taken = wheel[index];
      // A slow one that gets more time in the end has had its turn.
      if (taken === undefined || tried.has(source)) return;
      tried.add(source);
      // What is before it and was not tried is not for this client: its turn is still to come.
      const isIn = (spoke: SourceSpoke, at: number): boolean => at >= index || tried.has(spoke.source);
      turnWheel(credits, wheel.filter(isIn), taken);
    },
  };
}

interface ClientOrder {
  readonly sources: readonly RouteSource[];
  readonly sticky: NonNullable<SourceQuery['sticky']>;
  readonly scheme: Scheme;
}

/** The source that it had, then those that every replica would choose for it without asking the others. */
function orderForClient({ sources, sticky: { key, had }, scheme }: ClientOrder): RouteSource[] {
  // The order of the rule is the same everywhere.
  const placed =
    scheme === 'Static' ? [...sources] : orderByShare({ key, items: sources, nameOf: formatSource, shareOf });
  const wasHad = (source: RouteSource): number => (formatSource(source) === had ? 0 : 1);
  return had === undefined ? placed : placed.sort((a, b) => wasHad(a) - wasHad(b));
}

function withoutTurns(sources: readonly RouteSource[]): Choice {
  return { sources, attempt: () => undefined };
}

function describeSources(sources: readonly RouteSource[], port: number): string {
  const offering = sources.filter(({ ports }) => ports.includes(port));
  return offering.map((source) => `${formatSource(source)}=${source.weight ?? 1}`).join(' ');
}
