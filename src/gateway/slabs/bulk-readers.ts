/** Readers in a bulk phase, asked now and then whether they still hear anything: a slab that nothing is read into is missing to others. */
import { Line, type Place } from '../../runtime/line.ts';
import { BULK_LOOK_MS } from './limits.ts';

const readers = new Line<() => void>();
let timer: NodeJS.Timeout | undefined;

/** Calls it every {@link BULK_LOOK_MS} until its place is left. */
export function watchBulkReader(look: () => void): Place {
  timer ??= setInterval(lookAtAll, BULK_LOOK_MS).unref();
  return readers.join(look);
}

function lookAtAll(): void {
  for (const look of readers.items()) look();
  if (readers.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
