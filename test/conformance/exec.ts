/** Commands in the request pod: kubectl exec with a terminal, over WebSocket, as the API servers since 1.30 offer it. */
import { Writable } from 'node:stream';
import { Exec, type KubeConfig, type V1Status } from '@kubernetes/client-node';
import { EXEC_MS, EXEC_OUTPUT_BYTES } from './limits.ts';
import { toEvidence, toMessage } from './outcome.ts';

export interface ExecTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  readonly signal: AbortSignal;
}

export interface ExecResult {
  /** Standard output and error, since a terminal has one stream. '' if the command failed, or did not end in time. */
  readonly output: string;
  /** Why the output is empty, with what was printed nevertheless; undefined after a success. For people, never for a verdict. */
  readonly problem: string | undefined;
}

/** The part of a `ws` socket that is used here; client-node's own types for it are not installed. */
interface Socket {
  onclose: (() => void) | null;
  readonly readyState: number;
  terminate(): void;
}
const SOCKET_CLOSED = 3;

/** Never throws and ends within {@link EXEC_MS}: to the tests a command that cannot run is one that prints nothing. */
export async function execInPod(config: KubeConfig, target: ExecTarget): Promise<ExecResult> {
  const { namespace, pod, container, command, signal } = target;
  const { promise, resolve } = Promise.withResolvers<ExecResult>();
  const printed = collect();
  const fail = (why: string) => {
    const text = printed.text();
    resolve({ output: '', problem: text === '' ? why : `${why}; it had printed: ${toEvidence(text)}` });
  };
  const deadline = setTimeout(() => fail(`no end within ${EXEC_MS} ms`), EXEC_MS);
  const abort = () => fail('interrupted');
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();

  const onStatus = (status: V1Status) => {
    if (status.status === 'Success') resolve({ output: printed.text(), problem: undefined });
    else fail(status.message ?? 'the command failed');
  };
  const connecting: Promise<unknown> = new Exec(config)
    // Standard input and error stay closed: with a terminal the error stream does not exist.
    .exec(namespace, pod, container, [...command], printed.stream, null, null, true, onStatus)
    .then((connected) => {
      const socket = connected as unknown as Socket;
      socket.onclose = () => fail('the connection ended without a status');
      if (socket.readyState === SOCKET_CLOSED) fail('the connection ended without a status');
      return promise.finally(() => socket.terminate());
    })
    .catch((error: unknown) => fail(describeError(error)));

  try {
    return await promise;
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', abort);
    // A handshake that is late has its own deadline, and its socket is ended once it is there.
    void connecting;
  }
}

/** A WebSocket that is refused rejects with an event that carries a message, not with an Error. */
function describeError(error: unknown): string {
  const event = typeof error === 'object' && error !== null && 'message' in error ? error.message : undefined;
  return typeof event === 'string' && event !== '' ? event : toMessage(error);
}

function collect(): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const room = EXEC_OUTPUT_BYTES - bytes;
      if (room > 0) {
        chunks.push(chunk.subarray(0, room));
        bytes += Math.min(chunk.length, room);
      }
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}
