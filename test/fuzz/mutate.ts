/** Another input, made of those that were worth keeping. Pure. */
import type { Random } from '#test/chaos/random.ts';

/** What parsers compare with, and what they should refuse. */
export const TELLING = [
  ...[
    '\0',
    '\r\n',
    '\r\n\r\n',
    ': ',
    '\n',
    ' ',
    '/',
    ',',
    '"',
    '{',
    '}',
    '[',
    ']',
    '\\',
    '../',
    '__proto__',
    '&a',
    '*a',
  ],
  ...['\u202e', '\u00ff', '\ufeff', '-', '.', '%00', '0', '-1', '1e999', 'null', 'true', '!!', '---\n', '? ', '|', '>'],
].map((text) => Buffer.from(text));
const EDGES = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff];
const CHANGES_MAX = 6;
const PIECE_BYTES_MAX = 64;

export function mutate(corpus: readonly Buffer[], random: Random, bytesMax: number): Buffer {
  let bytes = Buffer.from(random.pick(corpus));
  for (let left = random.between(1, CHANGES_MAX); left > 0; left--) bytes = change(bytes, corpus, random);
  return bytes.subarray(0, bytesMax);
}

function change(bytes: Buffer, corpus: readonly Buffer[], random: Random): Buffer<ArrayBuffer> {
  const at = random.between(0, bytes.length);
  const end = Math.min(bytes.length, at + random.between(0, PIECE_BYTES_MAX));
  const put = (middle: Uint8Array, until = at): Buffer<ArrayBuffer> =>
    Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(until)]);
  switch (random.between(0, 8)) {
    case 0:
      return put(Buffer.of((bytes[at] ?? 0) ^ (1 << random.between(0, 7))), at + 1);
    case 1:
      return put(Buffer.of(random.pick(EDGES)), at + 1);
    case 2:
      return put(Buffer.of((bytes[at] ?? 0) + random.pick([1, 255])), at + 1);
    case 3:
      return put(random.pick(TELLING));
    case 4:
      return put(random.pick(TELLING), end);
    case 5:
      return put(Buffer.alloc(0), end);
    case 6:
      return put(bytes.subarray(at, end));
    case 7:
      return put(piece(random.pick(corpus), random), end);
    default:
      return Buffer.concat([bytes.subarray(0, at), tail(random.pick(corpus), random)]);
  }
}

function piece(from: Buffer, random: Random): Buffer {
  const start = random.between(0, from.length);
  return from.subarray(start, start + random.between(0, PIECE_BYTES_MAX));
}

function tail(from: Buffer, random: Random): Buffer {
  return from.subarray(random.between(0, from.length));
}
