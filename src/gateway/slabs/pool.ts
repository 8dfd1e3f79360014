/** Memory that reads go into, used again and again: fresh memory for each read makes V8 collect the whole heap, again and again. */
import assert from 'node:assert';
import { SLAB_BYTES, SLABS_MAX } from './limits.ts';

/** Pieces of it are lent: they are right until the callback that got them returns, or, if it is held, until it is released. */
export interface Slab {
  readonly memory: Buffer;
  /** Used again once nobody holds it: how much of it is held costs nobody anything beyond the bound of the pool. */
  readonly isPooled: boolean;
  readonly isHeld: boolean;
  hold(): void;
  /** Once for each `hold`. */
  release(): void;
  /** Its reader is done with it; it goes back to where it came from as soon as nobody holds it. */
  retire(): void;
}

export interface SlabPool {
  /** Undefined while all are taken. */
  take(): Slab | undefined;
  /** Slabs that somebody has. */
  readonly taken: number;
  /** Few are left: what would keep one should rather be copied. */
  readonly isScarce: boolean;
}

export interface SlabPoolOptions {
  readonly slabsMax?: number;
  /** A slab has come back. Tests spoil it here, so that whoever reads on sees it. */
  readonly onReturn?: (memory: Buffer) => void;
}

export function makeSlabPool({ slabsMax = SLABS_MAX, onReturn }: SlabPoolOptions = {}): SlabPool {
  const free: Slab[] = [];
  let made = 0;

  function make(): Slab {
    made++;
    return makeSlab(SLAB_BYTES, (slab) => {
      onReturn?.(slab.memory);
      free.push(slab);
    });
  }

  return {
    take: () => free.pop() ?? (made < slabsMax ? make() : undefined),
    get taken() {
      return made - free.length;
    },
    get isScarce() {
      return (made - free.length) * 2 > slabsMax;
    },
  };
}

/** Used once. */
export function makeLooseSlab(bytes: number): Slab {
  return makeSlab(bytes);
}

function makeSlab(bytes: number, giveBack?: (slab: Slab) => void): Slab {
  // Of its own: what is written to must share memory with nothing else.
  const memory = Buffer.allocUnsafeSlow(bytes);
  let holds = 0;
  let isRetired = false;
  function settle(): void {
    if (!isRetired || holds > 0 || giveBack === undefined) return;
    isRetired = false;
    giveBack(slab);
  }
  const slab: Slab = {
    memory,
    isPooled: giveBack !== undefined,
    get isHeld() {
      return holds > 0;
    },
    hold: () => void holds++,
    release() {
      assert.ok(holds > 0, 'slab: released more often than held');
      holds--;
      settle();
    },
    retire() {
      isRetired = true;
      settle();
    },
  };
  return slab;
}

/** Of this process. */
export const slabs = makeSlabPool();
