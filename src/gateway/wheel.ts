/**
 * Smooth weighted round robin: who is next, by what each is owed. Deterministic, with the counts as its only state.
 *
 * Each turn pays everybody who takes part his weight, and costs him who gets it the weight of all. Of those who are owed
 * something he is next whose next turn must come soonest (WF2Q, Bennett and Zhang 1996). So after any number of turns nobody has
 * had as much as one turn more or less than his share. To take who is owed most, as is usual, fails that: weights 91, 91, 70, 3,
 * 3, 1, 1, 1 leave somebody 1.3 turns behind. With equal weights it is plain round robin, in the order of the list.
 */

/** Whoever takes part, with a name of his own and a whole weight of 1 or more. */
export interface Spoke {
  readonly id: string;
  readonly weight: number;
}

/** By id: what is owed, times the weight of all; who is not in it is owed nothing. Whoever holds the wheel keeps it. */
export type Credits = Map<string, number>;

/** The order in which these would have their turns if nobody could have a second one; takes none. */
export function orderByWheel<T extends Spoke>(credits: Credits, spokes: readonly T[]): T[] {
  const left = spokes.map((spoke) => ({ spoke, credit: credits.get(spoke.id) ?? 0 }));
  const total = sumOf(spokes);
  return spokes.map(() => {
    const next = takeNext(left, total);
    for (const other of left) other.credit += other.spoke.weight;
    return next;
  });
}

/** A turn among these goes to one of them, whether or not it was the next. */
export function turnWheel(credits: Credits, spokes: readonly Spoke[], taken: Spoke): void {
  for (const { id, weight } of spokes) add(credits, id, weight);
  add(credits, taken.id, -sumOf(spokes));
}

interface Owed<T> {
  readonly spoke: T;
  credit: number;
}

/** @param left - not empty. */
function takeNext<T extends Spoke>(left: Owed<T>[], total: number): T {
  const best = left.reduce((before, one) => (goesBefore(one, before, total) ? one : before));
  left.splice(left.indexOf(best), 1);
  return best.spoke;
}

/** Whoever has had more than his share waits; of the others he goes first whose turn is due first. */
function goesBefore(a: Owed<Spoke>, b: Owed<Spoke>, total: number): boolean {
  if (a.credit >= 0 !== b.credit >= 0) return a.credit >= 0;
  return (total - a.credit) * b.spoke.weight < (total - b.credit) * a.spoke.weight;
}

function sumOf(spokes: readonly Spoke[]): number {
  return spokes.reduce((sum, { weight }) => sum + weight, 0);
}

function add(credits: Credits, id: string, amount: number): void {
  credits.set(id, (credits.get(id) ?? 0) + amount);
}
