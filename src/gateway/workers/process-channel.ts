/**
 * One end of the channel between the main process and a worker process. What is posted in one turn goes as one message: a
 * gateway opens and closes thousands of connections a second, and each message of its own would be a system call.
 */
import { AppError } from '../../api/errors.ts';
import type { ChannelEnd } from '../../runtime/channel.ts';
import { CHANNEL_MESSAGES_MAX } from '../../runtime/limits.ts';

/** What `process` in a worker and a child process in its parent have in common. */
export interface MessagePipe {
  send?(message: unknown, onSent: (error: Error | null) => void): boolean;
  readonly connected?: boolean | undefined;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  once(event: 'disconnect', listener: () => void): unknown;
}

/**
 * @returns an end whose `post` throws {@link AppError} `ERR_BOUND_EXCEEDED` when the other side has not read
 *   {@link CHANNEL_MESSAGES_MAX} messages; after the other end is gone it does nothing. `close` sends what waits and stops listening.
 */
export function makeProcessChannel<Out, In>(pipe: MessagePipe): ChannelEnd<Out, In> {
  let waiting: Out[] = [];
  /** Handed to the pipe and not yet taken by the kernel. */
  let underWay = 0;
  let isScheduled = false;
  let isClosed = false;
  let listener: ((message: In) => void) | undefined;
  let held: In[] = [];

  function flush(): void {
    isScheduled = false;
    if (waiting.length === 0) return;
    const batch = waiting;
    waiting = [];
    if (pipe.connected !== true || pipe.send === undefined) return;
    underWay += batch.length;
    pipe.send(batch, () => (underWay -= batch.length));
  }

  pipe.on('message', (batch) => {
    // Of our own process only: a batch is what the other end of this very module has sent.
    for (const message of batch as In[]) {
      if (isClosed) return;
      if (listener === undefined) held.push(message);
      else listener(message);
    }
  });

  return {
    post(message) {
      if (isClosed || pipe.connected !== true) return;
      if (waiting.length + underWay >= CHANNEL_MESSAGES_MAX) {
        throw new AppError(
          'ERR_BOUND_EXCEEDED',
          `channel: ${CHANNEL_MESSAGES_MAX} messages wait for the other process`,
        );
      }
      waiting.push(message);
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(flush);
    },
    onMessage(newListener) {
      listener = newListener;
      const early = held;
      held = [];
      for (const message of early) newListener(message);
    },
    onClose: (closed) => void pipe.once('disconnect', closed),
    close() {
      flush();
      isClosed = true;
    },
  };
}
