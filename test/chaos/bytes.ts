/** Bytes that say where they belong: any piece that is lost, doubled, swapped or of another connection is seen. */
import { makeRandom } from './random.ts';

/** A prime, so that no power of two (a frame, a window) brings the pattern back to itself. */
const PERIOD = 65_521;
const SPREAD = 7_919;
const PATTERN = makePattern();

export type Direction = 'up' | 'down';

function makePattern(): Buffer {
  const random = makeRandom(1);
  const once = Buffer.from(Array.from({ length: PERIOD }, () => random.between(0, 255)));
  return Buffer.concat([once, once]);
}

/** The bytes from `offset` of one direction of one connection, at most a period of them. */
export function bytesOf(place: {
  readonly id: number;
  readonly direction: Direction;
  readonly offset: number;
  readonly length: number;
}): Buffer {
  const { id, direction, offset, length } = place;
  const start = (id * SPREAD + (direction === 'up' ? 0 : 31_337) + offset) % PERIOD;
  return PATTERN.subarray(start, start + Math.min(length, PERIOD));
}

export interface Checker {
  readonly missing: number;
  /** What is wrong with the next bytes, or undefined. */
  check(chunk: Buffer): string | undefined;
}

export function makeChecker(id: number, direction: Direction, length: number): Checker {
  let offset = 0;
  return {
    get missing() {
      return length - offset;
    },
    check(chunk) {
      if (chunk.length > length - offset) return `${offset + chunk.length - length} bytes more than were sent`;
      for (let at = 0; at < chunk.length;) {
        const wanted = bytesOf({ id, direction, offset, length: chunk.length - at });
        if (!wanted.equals(chunk.subarray(at, at + wanted.length))) return `other bytes than were sent, near ${offset}`;
        at += wanted.length;
        offset += wanted.length;
      }
      return undefined;
    },
  };
}

/** What each direction begins with; of a fixed length, so that it can be told from what follows. */
export interface Label {
  readonly service: string;
  readonly id: number;
  /** Which peer's endpoint speaks; `client` on the way up. */
  readonly from: string;
  readonly upBytes: number;
  readonly downBytes: number;
  /** Between two pieces on the way down; 0 sends all at once. */
  readonly paceMs: number;
}

export const LABEL_BYTES = 80;
const LABEL = /^(\w+) (\d+) (\w+) (\d+) (\d+) (\d+) *\n$/;

export function encodeLabel({ service, id, from, upBytes, downBytes, paceMs }: Label): Buffer {
  return Buffer.from(`${[service, id, from, upBytes, downBytes, paceMs].join(' ').padEnd(LABEL_BYTES - 1)}\n`);
}

/** undefined for what is none. */
export function parseLabel(bytes: Buffer): Label | undefined {
  const [, service, id, from, upBytes, downBytes, paceMs] = LABEL.exec(bytes.toString('latin1')) ?? [];
  if (service === undefined || from === undefined) return undefined;
  return {
    service,
    id: Number(id),
    from,
    upBytes: Number(upBytes),
    downBytes: Number(downBytes),
    paceMs: Number(paceMs),
  };
}

export interface LabelReader {
  /** The label once it is there; what follows it is in `rest`. `wrong` for bytes that are none. */
  push(chunk: Buffer): { readonly label: Label; readonly rest: Buffer } | 'wrong' | undefined;
}

export function makeLabelReader(): LabelReader {
  let held = Buffer.alloc(0);
  return {
    push(chunk) {
      held = Buffer.concat([held, chunk]);
      if (held.length < LABEL_BYTES) return undefined;
      const label = parseLabel(held.subarray(0, LABEL_BYTES));
      return label === undefined ? 'wrong' : { label, rest: held.subarray(LABEL_BYTES) };
    },
  };
}
