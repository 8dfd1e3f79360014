/** What is fuzzed, and how a parser has to refuse. */
import assert from 'node:assert/strict';
import type { HeadParser } from '#src/gateway/wire/head.ts';

export interface Target {
  readonly name: string;
  /** Valid ones: from these it goes on. */
  readonly seeds: readonly Buffer[];
  /** An input is cut to this. */
  readonly bytesMax: number;
  /** @throws whatever is a defect. */
  check(bytes: Buffer): void;
}

/** Text of a refusal: it may reach a log or a terminal, and never carries the bytes. */
const PLAIN = /^[\x20-\x7e]{1,300}$/;

/** Undefined: refused, as a refusal has to be. @throws what is none. */
export function refusable<T>(parse: () => T): { readonly value: T } | undefined {
  try {
    return { value: parse() };
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (code !== 'ERR_MALFORMED' && code !== 'ERR_BOUND_EXCEEDED') throw error;
    assert.match(String(message), PLAIN);
    return undefined;
  }
}

export function headOf<H>(parser: HeadParser<H>, bytes: Buffer): H | undefined {
  return refusable(() => parser.push(bytes))?.value?.head;
}

export const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
