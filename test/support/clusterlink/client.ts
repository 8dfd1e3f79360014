/** The HTTP client of ClusterLink's control plane: few kept connections, three seconds a try, all gateways at once (§3.3, §3.7). */
import type { TLSSocket } from 'node:tls';
import type { Dialler } from './dialler.ts';
import { bodyLength, parseHead, parseStatusLine, writeHead, type Head } from './head.ts';
import { ANSWER_BYTES_MAX } from './limits.ts';
import { readBody, readHead, within } from './records.ts';
import type { Address, PeerObject } from './types.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly fields: Head['fields'];
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
}

/** The first answer of any gateway, whatever its status; undefined when none came. */
export interface PeerClient {
  ask(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer | undefined>;
  /** Uses none of the present connections again. */
  forget(): void;
}

export interface ClientOptions {
  readonly dialler: Dialler;
  readonly requestMs: number;
}

/** Go keeps so many idle connections for each gateway; a burst opens more and closes them after use (§3.4). */
const IDLE_MAX = 2;

export function makePeerClient(peer: PeerObject, options: ClientOptions): PeerClient {
  const clients = peer.gateways.map((gateway) => makeGatewayClient(peer.name, gateway, options));
  return {
    async ask(request, signal) {
      const asked = clients.map(async (client) => {
        const answer = await client.ask(request, signal);
        if (answer === undefined) throw new Error('no answer');
        return answer;
      });
      return Promise.any(asked).catch(() => undefined);
    },
    forget: () => clients.forEach((client) => client.forget()),
  };
}

interface Kept {
  readonly socket: TLSSocket;
  release(): TLSSocket;
}

type Outcome = HttpAnswer | 'late' | 'broken';

function makeGatewayClient(peer: string, gateway: Address, { dialler, requestMs }: ClientOptions): PeerClient {
  const idle: Kept[] = [];
  // Of connections: those of an earlier one have the certificate of then.
  let generation = 0;

  function keep(socket: TLSSocket, born: number): void {
    if (born !== generation || idle.length >= IDLE_MAX) return void socket.destroySoon();
    // Go sees that an idle connection is closed, or spoken on, and does not use it again.
    const drop = (): void => {
      idle.splice(idle.indexOf(kept), 1);
      kept.release().destroy();
    };
    const kept: Kept = {
      socket,
      release() {
        socket.off('data', drop).off('end', drop).off('close', drop).pause();
        return socket;
      },
    };
    idle.push(kept);
    socket.on('data', drop).on('end', drop).on('close', drop).resume();
  }

  function forget(): void {
    generation++;
    idle.splice(0).forEach(({ release }) => release().destroySoon());
  }

  async function attempt(request: HttpRequest, kept: TLSSocket | undefined, signal: AbortSignal): Promise<Outcome> {
    const deadline = within(requestMs, signal);
    const born = generation;
    const dial = { peer, gateway, maxVersion: 'TLSv1.3', checksName: 'yes', signal: deadline } as const;
    const socket = kept ?? (await dialler.dial(dial));
    if (socket === undefined) return deadline.aborted ? 'late' : 'broken';
    socket.write(encodeRequest(gateway, request));
    const answer = await readAnswer(socket, deadline);
    if (typeof answer === 'string') {
      socket.destroy();
      return answer;
    }
    if (answer.reusable === 'yes') keep(socket, born);
    else socket.destroySoon();
    return answer;
  }

  return {
    async ask(request, signal) {
      const kept = idle.pop()?.release();
      let outcome = await attempt(request, kept, signal);
      // A kept connection that is closed under a request: Go tries a GET anew, but not always a POST (§3.4).
      if (outcome === 'broken' && kept !== undefined && request.method === 'GET') {
        outcome = await attempt(request, undefined, signal);
      }
      if (outcome === 'late' && !signal.aborted) outcome = await attempt(request, undefined, signal);
      return typeof outcome === 'string' ? undefined : outcome;
    },
    forget,
  };
}

/** Fields in Go's order (§3.2, §3.4). */
function encodeRequest({ host, port }: Address, { method, path, body }: HttpRequest): string {
  const content =
    body === undefined
      ? []
      : ([
          ['Content-Length', String(Buffer.byteLength(body))],
          ['Content-Type', 'application/json; charset=utf-8'],
        ] as const);
  const head = writeHead(`${method} ${path} HTTP/1.1`, [
    ['Host', `${host}:${port}`],
    ['User-Agent', 'Go-http-client/1.1'],
    ...content,
    ['Accept-Encoding', 'gzip'],
  ]);
  return head + (body ?? '');
}

async function readAnswer(
  socket: TLSSocket,
  signal: AbortSignal,
): Promise<(HttpAnswer & { readonly reusable: 'yes' | 'no' }) | 'late' | 'broken'> {
  const read = await readHead(socket, { bytesMax: ANSWER_BYTES_MAX, signal });
  if (typeof read === 'string') return read === 'late' ? 'late' : 'broken';
  const head = parseHead(read.head);
  const status = head && parseStatusLine(head.line);
  if (head === undefined || status === undefined) return 'broken';
  const length = bodyLength(head);
  const framed = length !== undefined && length <= ANSWER_BYTES_MAX;
  // Without a length the body goes on to the end, and nobody wants it.
  if (!framed) return { status, fields: head.fields, reusable: 'no' };
  const body = await readBody(socket, { begun: read.beside, length, signal });
  if (typeof body === 'string') return body === 'late' ? 'late' : 'broken';
  const close = head.fields.get('connection')?.toLowerCase() === 'close' || body.beside.length > 0;
  return { status, fields: head.fields, reusable: close ? 'no' : 'yes' };
}
