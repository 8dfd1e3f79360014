/** How a socket is made to read into memory of ours: the shape that the fast path and its test at start share. */
import type { Socket } from 'node:net';

export interface UserBuffer {
  /** Where the next read goes. Never changes but here: Node keeps the pointer that it was given last. Must not throw. */
  next(): Uint8Array;
  /** So many bytes are where `next` has said. Must not throw. */
  onRead(bytes: number): void;
}

/** @returns false where it cannot be, and nothing has changed. */
export type Attach = (socket: Socket, userBuffer: UserBuffer) => boolean;
