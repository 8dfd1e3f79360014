/**
 * Encoded answers by question, in one piece of memory. A table of objects (text, entry, answer, buffer, its memory) is a dozen
 * misses of the processor's cache for each question, since the kernel has had the cache meanwhile; here it is three or four, and the
 * slots are as many as are needed, for the same reason:
 *
 *     slots:   hash | place      (open addressing)
 *     memory:  sizes and counts | where each answer begins | the question | the answer
 */

/** What follows the question of a reply, whole, and what its header says. */
export interface EncodedAnswer {
  readonly rcode: number;
  readonly bytes: Buffer;
  /** Where each answer begins, and where the last one ends. One number: there is none. */
  readonly starts: readonly number[];
  readonly authorities: number;
  readonly additionals: number;
}

/** Where an answer is; 0: there is none. */
export type Place = number;

export interface AnswerTableLimits {
  readonly answersMax: number;
  readonly memoryBytesMax: number;
}

/** At least, so that a search ends soon. */
const SLOTS_PER_ANSWER = 2;
/** A power of two; then twice as many, each time. */
const SLOTS_FIRST = 1_024;
const MEMORY_BYTES_FIRST = 256 * 1024;

/** Words of 16 bits before the places of the answers. */
const KEY_BYTES = 0;
const BODY_BYTES = 1;
const ANSWERS = 2;
const AUTHORITIES = 3;
const ADDITIONALS = 4;
const RCODE = 5;
const STARTS = 6;

export class AnswerTable {
  readonly #limits: AnswerTableLimits;
  #slots: Int32Array = new Int32Array(2 * SLOTS_FIRST);
  #octets = Buffer.alloc(MEMORY_BYTES_FIRST);
  #words = wordsOf(this.#octets);
  /** In words. 0 stands for nothing. */
  #used = 1;
  #count = 0;

  constructor(limits: AnswerTableLimits) {
    this.#limits = limits;
  }

  /** @param hash - any 32 bits, the same for the same key. */
  find(key: Buffer, keyBytes: number, hash: number): Place {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = (2 * hash) & mask; ; slot = (slot + 2) & mask) {
      const place = slots[slot + 1] ?? 0;
      if (place === 0 || (slots[slot] === hash && this.#isKey(place, key, keyBytes))) return place;
    }
  }

  /** Of a key that is not there yet. When the table is full it begins anew. */
  add(key: Buffer, keyBytes: number, hash: number, answer: EncodedAnswer): Place {
    const { bytes, starts } = answer;
    const words = STARTS + starts.length + toWords(keyBytes) + toWords(bytes.length);
    if (this.#count >= this.#limits.answersMax || !this.#hasRoom(words)) this.clear();
    const place = this.#used;
    this.#used += words;
    this.#count += 1;
    this.#words.set(
      [keyBytes, bytes.length, starts.length - 1, answer.authorities, answer.additionals, answer.rcode, ...starts],
      place,
    );
    key.copy(this.#octets, this.#keyAt(place), 0, keyBytes);
    bytes.copy(this.#octets, this.#bodyAt(place));
    if (2 * SLOTS_PER_ANSWER * this.#count > this.#slots.length) this.#slots = withTwiceTheSlots(this.#slots);
    occupy(this.#slots, hash, place);
    return place;
  }

  clear(): void {
    if (this.#count > 0) this.#slots.fill(0);
    this.#used = 1;
    this.#count = 0;
  }

  rcode(place: Place): number {
    return this.#words[place + RCODE] ?? 0;
  }

  answers(place: Place): number {
    return this.#words[place + ANSWERS] ?? 0;
  }

  authorities(place: Place): number {
    return this.#words[place + AUTHORITIES] ?? 0;
  }

  additionals(place: Place): number {
    return this.#words[place + ADDITIONALS] ?? 0;
  }

  bytes(place: Place): number {
    return this.#words[place + BODY_BYTES] ?? 0;
  }

  /** Writes the answer, its list from one of the answers on, round. @param first - from 0 to below `answers`. */
  copy(place: Place, first: number, target: Buffer, at: number): void {
    const body = this.#bodyAt(place);
    const from = this.#words[place + STARTS + first] ?? 0;
    const answersEnd = this.#words[place + STARTS + this.answers(place)] ?? 0;
    const octets = this.#octets;
    octets.copy(target, at, body + from, body + answersEnd);
    if (from > 0) octets.copy(target, at + answersEnd - from, body, body + from);
    const bytes = this.bytes(place);
    if (bytes > answersEnd) octets.copy(target, at + answersEnd, body + answersEnd, body + bytes);
  }

  #keyAt(place: Place): number {
    return 2 * (place + STARTS + this.answers(place) + 1);
  }

  #bodyAt(place: Place): number {
    return this.#keyAt(place) + 2 * toWords(this.#words[place + KEY_BYTES] ?? 0);
  }

  #isKey(place: Place, key: Buffer, keyBytes: number): boolean {
    if (this.#words[place + KEY_BYTES] !== keyBytes) return false;
    const start = this.#keyAt(place);
    for (let index = 0; index < keyBytes; index++) if (this.#octets[start + index] !== key[index]) return false;
    return true;
  }

  /** Grows as far as it may. */
  #hasRoom(words: number): boolean {
    while (2 * (this.#used + words) > this.#octets.length) {
      if (this.#octets.length * 2 > this.#limits.memoryBytesMax) return false;
      const larger = Buffer.alloc(this.#octets.length * 2);
      this.#octets.copy(larger);
      this.#octets = larger;
      this.#words = wordsOf(larger);
    }
    return true;
  }
}

/** Takes the first free slot from the hash's own on. */
function occupy(slots: Int32Array, hash: number, place: Place): void {
  const mask = slots.length - 1;
  let slot = (2 * hash) & mask;
  while (slots[slot + 1] !== 0) slot = (slot + 2) & mask;
  slots[slot] = hash;
  slots[slot + 1] = place;
}

function withTwiceTheSlots(slots: Int32Array): Int32Array {
  const more = new Int32Array(2 * slots.length);
  for (let slot = 0; slot < slots.length; slot += 2) {
    const place = slots[slot + 1] ?? 0;
    if (place !== 0) occupy(more, slots[slot] ?? 0, place);
  }
  return more;
}

function toWords(bytes: number): number {
  return (bytes + 1) >> 1;
}

function wordsOf(octets: Buffer): Uint16Array {
  return new Uint16Array(octets.buffer, octets.byteOffset, octets.length / 2);
}
