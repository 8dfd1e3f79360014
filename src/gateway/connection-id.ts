/** The id of a connection: joins the closing records of both ends (shapes.md §4). */
import { randomFillSync } from 'node:crypto';
import { CONNECTION_IDS_AT_ONCE } from './limits.ts';

const ID_BYTES = 16;
/** To ask for what is random costs the same for one and for many. */
const pool = Buffer.allocUnsafeSlow(ID_BYTES * CONNECTION_IDS_AT_ONCE);
let used = pool.length;

/** 32 hexadecimal digits, 128 bits by chance. */
export function makeConnectionId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const begin = used;
  used += ID_BYTES;
  return pool.toString('hex', begin, used);
}
