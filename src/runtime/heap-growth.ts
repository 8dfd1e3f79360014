/**
 * When V8 collects in a process that carries connections: how much garbage there may be between two full collections, and that what is
 * new is always young.
 *
 * V8 collects so often that the main thread still runs 97 % of the time, and marks on other threads meanwhile, as if those were
 * free. Gateways share few cores with their peers: with the heap of a small gateway, and thousands of new connections a second,
 * each of which lives a little, marking alone took a fifth of all CPU.
 *
 * Where most of what some line of code makes outlives two small collections, V8 makes it old from then on, and does not look again. In
 * the first seconds, before its own streams are compiled, that is so of all parts of a connection (line.ts); from then on each of them
 * kept the others until the next full collection.
 */
import { setFlagsFromString } from 'node:v8';
import { HEAP_GROWTH_PERCENT } from './limits.ts';

/** For the whole process, from the next collection on. */
export function setHeapGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  setFlagsFromString('--no-allocation-site-pretenuring');
}
