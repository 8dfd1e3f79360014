/** Valid bytes with a few things wrong: what comes nearest to passing a parser that should refuse it. */
import fc from 'fast-check';
import { TELLING } from '#test/fuzz/mutate.ts';

type Mutation = (bytes: Buffer) => Buffer;

const place = fc.double({ min: 0, max: 1, noNaN: true });
const piece = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes));
/** Bytes that mean something in some format of ours. */
const telling = fc.constantFrom(...TELLING);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(
    ([where, mask]): Mutation =>
      (bytes) =>
        flip(bytes, where, mask),
  ),
  fc.tuple(place, place, fc.oneof(piece, telling)).map(
    ([from, length, put]): Mutation =>
      (bytes) =>
        splice(bytes, { from, length: length * 8, put }),
  ),
  // Twice the same piece: fields, lines and frames that appear again.
  fc.tuple(place, place).map(([from, length]): Mutation => (bytes) => {
    const [start, end] = spanOf(bytes, from, length * bytes.length);
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
  }),
  place.map(
    (where): Mutation =>
      (bytes) =>
        bytes.subarray(0, Math.floor(where * bytes.length)),
  ),
);

function flip(bytes: Buffer, where: number, mask: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = Math.min(bytes.length - 1, Math.floor(where * bytes.length));
  if (index >= 0) copy[index] = (copy[index] ?? 0) ^ mask;
  return copy;
}

function splice(bytes: Buffer, { from, length, put }: { from: number; length: number; put: Buffer }): Buffer {
  const [start, end] = spanOf(bytes, from, length);
  return Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(end)]);
}

function spanOf(bytes: Buffer, from: number, length: number): [number, number] {
  const start = Math.floor(from * bytes.length);
  return [start, Math.min(bytes.length, start + Math.floor(length))];
}

/** One to four mutations of bytes that are valid; may happen to be valid still. */
export function mutated(valid: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(valid, fc.array(mutation, { minLength: 1, maxLength: 4 }))
    .map(([bytes, mutations]) => mutations.reduce((sum, mutate) => mutate(sum), bytes));
}

/** A JSON value in which some member, at any depth, was replaced by something else. */
export function mutatedJson(valid: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(
      '',
      ' ',
      '-',
      '../x',
      'a\u0000b',
      '\u202e',
      '\ud800',
      'x'.repeat(300),
      -1,
      0.5,
      1e300,
      {},
      [],
      null,
    ),
  );
  return fc
    .tuple(valid, fc.array(fc.tuple(fc.nat(), odd), { minLength: 1, maxLength: 3 }))
    .map(([value, changes]) => changes.reduce((sum: unknown, [at, put]) => replaceAt(sum, at, put), value));
}

function replaceAt(value: unknown, at: number, put: unknown): unknown {
  if (typeof value !== 'object' || value === null) return put;
  const keys = Object.keys(value);
  const key = keys[at % (keys.length + 1)];
  // Beside the members there are: one more that nobody knows.
  if (key === undefined) return Array.isArray(value) ? [...(value as unknown[]), put] : { ...value, unheard: put };
  const next = replaceAt((value as Record<string, unknown>)[key], Math.floor(at / (keys.length + 1)), put);
  if (!Array.isArray(value)) return { ...value, [key]: next };
  return value.map((member: unknown, index) => (String(index) === key ? next : member));
}

/** What a parser made of its input; an error by its code and message. */
export type Attempt<T> = { readonly value: T } | { readonly code: unknown; readonly message: string };

export function attempt<T>(parse: () => T): Attempt<T> {
  try {
    return { value: parse() };
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    return { code, message };
  }
}
