/** Memory that sessions send from, that is spoiled when it comes back, and of which is known how much is out. */
import { makeSendMemory, type SendMemory } from '#src/gateway/yamux/send-memory.ts';

export interface CountedSendMemory extends SendMemory {
  /** Pieces that were taken and have not come back. */
  readonly taken: number;
}

export function makeCountedSendMemory(): CountedSendMemory {
  const memory = makeSendMemory({ onReturn: (returned) => void returned.fill(0xdb) });
  let taken = 0;
  return {
    get taken() {
      return taken;
    },
    take(bytes) {
      taken += 1;
      return memory.take(bytes);
    },
    giveBack(returned) {
      taken -= 1;
      memory.giveBack(returned);
    },
  };
}
