/** Memory that reads go into, used again and again: fresh memory for each read makes V8 collect the whole heap, again and again. */
import assert from 'node:assert';
import {
  IDLE_BUFFER_BYTES,
  IDLE_SLABS_KEPT_MAX,
  SLAB_BYTES,
  SLABS_MAX,
  SPARE_BUFFER_BYTES,
  SPARE_SLABS_KEPT_MAX,
  SPARE_SLABS_MAX,
} from './limits.ts';

/** What a full record of TLS carries (RFC 8446 §5.1): of such a socket no read brings more. */
const RECORD_BYTES = 16 * 1024;

/** Pieces of it are lent: they are right until the callback that got them returns, or, if it is held, until it is released. */
export interface Slab {
  readonly memory: Buffer;
  /** What of it begins there. One and the same object where records of TLS begin: nearly every read asks for one of these. */
  from(offset: number): Buffer;
  /** Used again once nobody holds it: how much of it is held costs nobody anything beyond the bound of the pool. */
  readonly isPooled: boolean;
  readonly isHeld: boolean;
  hold(): void;
  /** Once for each `hold`. */
  release(): void;
  /** Its reader is done with it; it goes back to where it came from as soon as nobody holds it. */
  retire(): void;
  /** Instead of `retire`: nobody knows who still refers to it. It is never used again, and one of the pool is kept for good. */
  quarantine(): void;
}

export interface SlabPool {
  /** Undefined while all are taken. */
  take(): Slab | undefined;
  /** Slabs that somebody has. */
  readonly taken: number;
  /** Of these, those that are never used again. */
  readonly quarantined: number;
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
  /** They count as taken: their memory stays where it is, and inside the bound. */
  const quarantined: Slab[] = [];
  let made = 0;

  function make(): Slab {
    made++;
    return makeSlab(SLAB_BYTES, {
      isPool: true,
      giveBack(slab) {
        onReturn?.(slab.memory);
        free.push(slab);
      },
      keepAway: (slab) => void quarantined.push(slab),
    });
  }

  return {
    take: () => free.pop() ?? (made < slabsMax ? make() : undefined),
    get taken() {
      return made - free.length;
    },
    get quarantined() {
      return quarantined.length;
    },
    get isScarce() {
      return (made - free.length) * 2 > slabsMax;
    },
  };
}

/** Any number of slabs, of which so many are kept for the next who wants one. */
function makeKept(bytes: number, keptMax: number) {
  const free: Slab[] = [];
  let taken = 0;
  const home: Home = {
    isPool: false,
    giveBack(slab) {
      taken--;
      if (free.length < keptMax) free.push(slab);
    },
    // Its memory goes when nobody refers to it any more.
    keepAway: () => void taken--,
  };
  return {
    take(): Slab {
      taken++;
      return free.pop() ?? makeSlab(bytes, home);
    },
    get taken() {
      return taken;
    },
  };
}

const idle = makeKept(IDLE_BUFFER_BYTES, IDLE_SLABS_KEPT_MAX);
const spares = makeKept(SPARE_BUFFER_BYTES, SPARE_SLABS_KEPT_MAX);

/** What connections are read into that are idle or chatty: as many as there are of these, and used again when they end. */
export function takeIdleSlab(): Slab {
  return idle.take();
}

/** What is read into while all slabs of the pool are taken; undefined while so many of these are that there are no more. */
export function takeSpareSlab(): Slab | undefined {
  return spares.taken < SPARE_SLABS_MAX ? spares.take() : undefined;
}

/** Where a slab comes from that is used again. */
interface Home {
  /** Of a bounded number, that all share. */
  readonly isPool: boolean;
  giveBack(slab: Slab): void;
  keepAway(slab: Slab): void;
}

function makeSlab(bytes: number, home: Home): Slab {
  // Of its own: what is written to must share memory with nothing else.
  const memory = Buffer.allocUnsafeSlow(bytes);
  const views = [memory];
  let holds = 0;
  let isRetired = false;
  let isQuarantined = false;
  function settle(): void {
    if (!isRetired || isQuarantined || holds > 0) return;
    isRetired = false;
    home.giveBack(slab);
  }
  const slab: Slab = {
    memory,
    from(offset) {
      if (offset % RECORD_BYTES !== 0) return memory.subarray(offset);
      return (views[offset / RECORD_BYTES] ??= memory.subarray(offset));
    },
    isPooled: home.isPool,
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
    quarantine() {
      if (!isQuarantined) home.keepAway(slab);
      isQuarantined = true;
    },
  };
  return slab;
}

/** Of this process. */
export const slabs = makeSlabPool();
