/** How a socket is made to read into memory of ours: the shape that the fast path and its test at start share. */
import type { Socket } from 'node:net';

export interface UserBuffer {
  /** Where the next read goes. Asked behind each read, and at {@link Attached.move}: Node keeps the pointer that it was given last. Must not throw. */
  next(): Uint8Array;
  /** So many bytes are where `next` has said. Must not throw. */
  onRead(bytes: number): void;
}

export interface Attached {
  /**
   * Between two reads: the next one goes where `next` says now, and where it would have gone is nobody's. Costs Node some 60 bytes that it
   * gives back when the socket is closed.
   */
  move(): void;
}

/** @returns undefined where it cannot be, and nothing has changed. */
export type Attach = (socket: Socket, userBuffer: UserBuffer) => Attached | undefined;
