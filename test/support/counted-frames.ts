/** Memory of frames that is spoiled when it comes back, and of which is known how much is out. */
import { makeFrameBuffers, type FrameBuffers } from '#src/gateway/yamux/frame-buffers.ts';

export interface CountedFrameBuffers extends FrameBuffers {
  /** Frames that were filled and are not sent yet. */
  readonly taken: number;
}

export function makeCountedFrameBuffers(): CountedFrameBuffers {
  const buffers = makeFrameBuffers({ onReturn: (memory) => void memory.fill(0xdb) });
  let taken = 0;
  return {
    get taken() {
      return taken;
    },
    fill(header, payload) {
      const { bytes, onSent } = buffers.fill(header, payload);
      if (onSent === undefined) return { bytes };
      taken += 1;
      return {
        bytes,
        onSent() {
          taken -= 1;
          onSent();
        },
      };
    },
  };
}
