/**
 * How much garbage a process that carries connections may have between two full collections.
 *
 * V8 collects so often that the main thread still runs 97 % of the time, and marks on other threads meanwhile, as if those were
 * free. Gateways share few cores with their peers: with the heap of a small gateway, and thousands of new connections a second,
 * each of which lives a little, marking alone took a fifth of all CPU.
 */
import { setFlagsFromString } from 'node:v8';
import { HEAP_GROWTH_PERCENT } from './limits.ts';

/** For the whole process, from the next collection on. */
export function setHeapGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
}
