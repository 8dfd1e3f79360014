/** Where data frames are put together to be sent: their payload is only lent, and one piece costs TLS one write and no copy. */
import { FRAME_BYTES_MAX, FRAME_BUFFERS_MAX, POOLED_FRAME_BYTES_MIN } from './limits.ts';
import { encodeHeader, HEADER_BYTES, type FrameHeader } from './frame.ts';

export interface FrameBuffers {
  /** @returns the frame as bytes of its own, and what is to be called once, when they have been sent or never will be. */
  fill(header: FrameHeader, payload: readonly Buffer[]): { readonly bytes: Buffer; readonly onSent?: () => void };
}

export interface FrameBuffersOptions {
  readonly buffersMax?: number;
  /** One is free again. Tests spoil it here, so that who sends it too late is seen. */
  readonly onReturn?: (memory: Buffer) => void;
}

export function makeFrameBuffers({ buffersMax = FRAME_BUFFERS_MAX, onReturn }: FrameBuffersOptions = {}): FrameBuffers {
  const free: Buffer[] = [];

  return {
    fill(header, payload) {
      const isPooled = buffersMax > 0 && header.length >= POOLED_FRAME_BYTES_MIN && header.length <= FRAME_BYTES_MAX;
      const memory = isPooled
        ? (free.pop() ?? Buffer.allocUnsafeSlow(HEADER_BYTES + FRAME_BYTES_MAX))
        : Buffer.allocUnsafe(HEADER_BYTES + header.length);
      encodeHeader(header, memory);
      let offset = HEADER_BYTES;
      for (const piece of payload) offset += piece.copy(memory, offset);
      const bytes = memory.subarray(0, offset);
      if (!isPooled) return { bytes };
      return {
        bytes,
        onSent() {
          onReturn?.(memory);
          if (free.length < buffersMax) free.push(memory);
        },
      };
    },
  };
}

/** Of this process. */
export const frameBuffers = makeFrameBuffers();
