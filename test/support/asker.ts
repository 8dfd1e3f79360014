/** Whoever waits for a connection, and leaves when the test says so. */
import { EventEmitter } from 'node:events';
import type { Asker } from '#src/gateway/asker.ts';

export function makeAsker(): Asker & { leave(): void } {
  const events = new EventEmitter<{ gone: [] }>().setMaxListeners(0);
  let isGone = false;
  return {
    get isGone() {
      return isGone;
    },
    onGone(act) {
      events.once('gone', act);
      return () => void events.off('gone', act);
    },
    leave() {
      isGone = true;
      events.emit('gone');
    },
  };
}
