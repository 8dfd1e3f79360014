/** The id of a connection: joins the closing records of both ends (shapes.md §4). */
import { randomUUID } from 'node:crypto';

/** 32 hexadecimal digits, 122 bits of them by chance. Node keeps what is random for 128 of them, where `randomBytes` asks each time. */
export function makeConnectionId(): string {
  return randomUUID().replaceAll('-', '');
}
