/** One TLS connection to a gateway that speaks ClusterLink's form: a few requests, one after the other, and then perhaps a tunnel. */
import type { TLSSocket } from 'node:tls';
import { readHead } from '../read-head.ts';
import { makeBodiedResponseHeadParser, malformed, type HeadParser, type ResponseHead } from '../wire/head.ts';
import { ANSWER_BODY_BYTES_MAX } from './limits.ts';

export interface GatewayConnection {
  readonly socket: TLSSocket;
  /** It has answered before: its gateway may be closing it at this moment, whatever it thinks of the next request. */
  readonly isUsed: boolean;
  /** Another request can follow. */
  readonly isOpen: boolean;
  /** Of the last answer; monotonic. */
  readonly answeredMs: number;
  /**
   * Sends a request and waits for the whole of its answer, whose body is skipped.
   *
   * @throws {AppError} `ERR_TIMEOUT`, `ERR_MALFORMED`, `ERR_STREAM_RESET`, or the error of the socket; it is destroyed then.
   */
  ask(request: Buffer, timeoutMs: number): Promise<ResponseHead>;
  /** The same for a CONNECT: what stands behind the head stays in the socket, which is the caller's where the status is 200. */
  askForTunnel(request: Buffer, timeoutMs: number): Promise<ResponseHead>;
  destroy(): void;
}

export interface ConnectionOptions {
  readonly socket: TLSSocket;
  readonly now: () => number;
  /** It was closed while nothing was asked. */
  onIdleClose(connection: GatewayConnection): void;
}

export function makeConnection({ socket, now, onIdleClose }: ConnectionOptions): GatewayConnection {
  let isUsed = false;
  let isLast = false;
  let answeredMs = now();
  const connection: GatewayConnection = {
    socket,
    get isUsed() {
      return isUsed;
    },
    get isOpen() {
      return !isLast && !socket.destroyed && socket.writable;
    },
    get answeredMs() {
      return answeredMs;
    },
    async ask(request, timeoutMs) {
      const endsMs = now() + timeoutMs;
      const head = await exchange(request, timeoutMs);
      try {
        const bytes = bodyBytesOf(head);
        // Without a length it ends with the connection: nobody waits for that.
        isLast = bytes === undefined || head.fields.get('connection')?.toLowerCase() === 'close';
        if (!isLast && bytes !== 0) await readHead(socket, makeSkipper(bytes ?? 0), endsMs - now());
      } catch (error) {
        socket.destroy();
        throw error;
      }
      isUsed = true;
      answeredMs = now();
      rest();
      return head;
    },
    async askForTunnel(request, timeoutMs) {
      const head = await exchange(request, timeoutMs);
      isLast = true;
      if (head.status !== 200) {
        socket.destroy();
      } else if ((bodyBytesOf(head) ?? 0) > 0) {
        socket.destroy();
        throw malformed('answer: a tunnel with a length');
      }
      return head;
    },
    destroy: () => void socket.destroy(),
  };

  async function exchange(request: Buffer, timeoutMs: number): Promise<ResponseHead> {
    socket.off('readable', onUnasked).off('end', onUnasked).off('close', onClose);
    try {
      socket.write(request);
      return await readHead(socket, makeBodiedResponseHeadParser(), timeoutMs);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** Whatever comes while nothing was asked is its end, or the beginning of something that nobody here expects. */
  function onUnasked(): void {
    if (socket.readableLength > 0 || socket.readableEnded || socket.read() !== null) socket.destroy();
  }
  const onClose = (): void => onIdleClose(connection);
  function rest(): void {
    socket.on('readable', onUnasked).on('end', onUnasked).on('close', onClose);
    if (socket.destroyed) setImmediate(onClose);
  }
  return connection;
}

/** @returns undefined where it ends with the connection. @throws {AppError} `ERR_MALFORMED` */
function bodyBytesOf({ status, fields }: ResponseHead): number | undefined {
  if (fields.has('transfer-encoding')) throw malformed('answer: transfer-encoding is not expected');
  const text = fields.get('content-length');
  if (text === undefined) return status === 204 || status === 304 ? 0 : undefined;
  if (!/^[0-9]{1,9}$/.test(text)) throw malformed('answer: content-length is not a number');
  if (Number(text) > ANSWER_BODY_BYTES_MAX) throw malformed(`answer: larger than ${ANSWER_BODY_BYTES_MAX} bytes`);
  return Number(text);
}

/** Takes so many bytes and forgets them. */
function makeSkipper(bytes: number): HeadParser<'skipped'> {
  let left = bytes;
  return {
    push(chunk) {
      const taken = Math.min(left, chunk.length);
      left -= taken;
      return left === 0 ? { head: 'skipped', rest: chunk.subarray(taken) } : undefined;
    },
  };
}
