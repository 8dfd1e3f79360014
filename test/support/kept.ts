/** What V8's small collections leave of objects that come and go: what they do not take costs a full one (`src/runtime/line.ts`). */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const COUNT = 1_000;
const AT_ONCE = 10;

/** The last ones may still be in somebody's hands. */
export const KEPT_FEW = 20;

/**
 * A thousand come and go, ten at a time, and two small collections follow.
 *
 * @param enter - makes one and lets it in; the result leads it out.
 * @returns how many of them are still there.
 */
export async function countKept(
  enter: (index: number) => { readonly item: object; readonly leave: () => void },
): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { readonly type: 'major' | 'minor' }) => void;
  const leaves: (() => void)[] = [];
  const seen: WeakRef<object>[] = [];
  for (let index = 0; index < COUNT; index++) {
    // From then on what holds them is old.
    if (index === AT_ONCE) collect({ type: 'major' });
    const { item, leave } = enter(index);
    if (index >= AT_ONCE) seen.push(new WeakRef(item));
    leaves.push(leave);
    if (leaves.length > AT_ONCE) leaves.shift()?.();
  }
  for (const leave of leaves) leave();
  leaves.length = 0;
  for (let count = 0; count < 2; count++) {
    // Until the next turn V8 keeps what a WeakRef was made of.
    await nextTurn();
    collect({ type: 'minor' });
  }
  return seen.filter((ref) => ref.deref() !== undefined).length;
}
