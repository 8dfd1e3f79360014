/**
 * Things that come and go by the thousand, each of which lives a little. A Set or Map of them would keep all that has ever been in it
 * until the next full collection of V8: a table that was outgrown points to the next one, and still to what was in it then. After a full
 * collection the present table is old, and nothing that an old object points to, dead or not, is taken by a small collection.
 */

/** In the order in which they came. */
export class Line<T> {
  /** Before the first and behind the last. */
  readonly #ends = new Spot<T>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#ends.behind.item;
  }

  /** Behind all others. */
  join(item: T): Place {
    const spot = new Spot<T>();
    spot.item = item;
    spot.onLeft = this.#onLeft;
    spot.stand(this.#ends.before, this.#ends);
    this.#size++;
    return spot;
  }

  /** Takes the first one out. */
  shift(): T | undefined {
    const first = this.#ends.behind;
    const { item } = first;
    first.leave();
    return item;
  }

  /** As they are now. */
  items(): T[] {
    const items: T[] = [];
    for (let spot = this.#ends.behind; spot !== this.#ends; spot = spot.behind) items.push(spot.item as T);
    return items;
  }

  /** One for all. */
  readonly #onLeft = (): void => void this.#size--;
}

/** Where something stands in a line. */
export interface Place {
  /** False from the moment on in which it has left. */
  readonly isTaken: boolean;
  /** Nothing where it has left already. */
  leave(): void;
}

class Spot<T> implements Place {
  item: T | undefined = undefined;
  /** Itself: it stands nowhere. */
  before: Spot<T> = this;
  behind: Spot<T> = this;
  onLeft: (() => void) | undefined = undefined;

  get isTaken(): boolean {
    return this.behind !== this;
  }

  stand(before: Spot<T>, behind: Spot<T>): void {
    this.before = before;
    this.behind = behind;
    before.behind = behind.before = this;
  }

  leave(): void {
    if (this.onLeft === undefined || !this.isTaken) return;
    this.before.behind = this.behind;
    this.behind.before = this.before;
    // It points to nobody: see above.
    this.before = this.behind = this;
    this.item = undefined;
    this.onLeft();
  }
}

/** By a number. Tables that were outgrown stay here too, but what they point to is empty as soon as it has gone. */
export class ByNumber<T extends object> {
  readonly #slots = new Map<number, { item: T | undefined }>();

  get size(): number {
    return this.#slots.size;
  }

  get(key: number): T | undefined {
    return this.#slots.get(key)?.item;
  }

  set(key: number, item: T): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) this.#slots.set(key, { item });
    else slot.item = item;
  }

  /** @returns whether it was there. */
  delete(key: number): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    slot.item = undefined;
    return this.#slots.delete(key);
  }

  clear(): void {
    for (const slot of this.#slots.values()) slot.item = undefined;
    this.#slots.clear();
  }

  /** As they are now. */
  items(): T[] {
    const items: T[] = [];
    for (const { item } of this.#slots.values()) if (item !== undefined) items.push(item);
    return items;
  }
}
