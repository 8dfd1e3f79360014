/** The three requests of a ClusterLink peer, with a peer's own certificate: what its data plane and its control plane send. */
import { readFile } from 'node:fs/promises';
import { request, type RequestOptions } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { PeerLayout } from '../layout.ts';

const ANSWER_TIMEOUT_MS = 5_000;

export interface Call {
  /** Whose certificate is shown. */
  readonly as: PeerLayout;
  readonly to: PeerLayout;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** `GET /healthz`: the labels of the peer. */
export async function askHealth(call: Call): Promise<unknown> {
  const { status, headers } = await send(call, { method: 'GET', path: '/healthz' });
  const labels = headers['clusterlinkpeerlabels'];
  if (status !== 200 || typeof labels !== 'string') throw new Error(`/healthz was answered ${status}`);
  return JSON.parse(Buffer.from(labels, 'base64').toString()) as unknown;
}

export interface Authz extends Call {
  readonly export: { readonly namespace: string; readonly name: string };
  readonly attributes: Readonly<Record<string, string>>;
}

/** `POST /authz`: may this client use that export? A token comes with a yes. */
export async function askAuthz(call: Authz): Promise<{ readonly status: number; readonly token: string | undefined }> {
  const body = JSON.stringify({
    ServiceName: call.export.name,
    ServiceNamespace: call.export.namespace,
    SrcAttributes: call.attributes,
  });
  const { status, headers } = await send(call, { method: 'POST', path: '/authz' }, body);
  const token = headers['x-access-token'];
  return { status, token: typeof token === 'string' ? token : undefined };
}

/** `CONNECT`: the bytes of the export, or the status of the refusal. */
export async function openTunnel({ token, ...call }: Call & { readonly token: string }): Promise<Duplex | number> {
  const options = { method: 'CONNECT', path: `${call.to.name}:443`, headers: { Authorization: `Bearer ${token}` } };
  const asked = request({ ...(await toOptions(call)), ...options });
  return new Promise((resolve, reject) => {
    asked.once('connect', ({ statusCode = 0 }, socket, head) => {
      if (statusCode === 200) {
        socket.unshift(head);
        return resolve(socket);
      }
      socket.destroy();
      resolve(statusCode);
    });
    asked.once('timeout', () => asked.destroy(new Error('CONNECT was not answered')));
    asked.once('error', reject);
    asked.end();
  });
}

async function send(call: Call, options: RequestOptions, body = ''): Promise<Answer> {
  const asked = request({ ...(await toOptions(call)), ...options });
  return new Promise((resolve, reject) => {
    asked.once('response', (response) => {
      response.resume();
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
      response.once('error', reject);
    });
    asked.once('timeout', () => asked.destroy(new Error(`${options.path ?? ''} was not answered`)));
    asked.once('error', reject);
    asked.end(body);
  });
}

/** The name of the peer is what its certificate has to say, whatever its address is. */
async function toOptions({ as, to }: Call): Promise<RequestOptions> {
  const { ca, cert, key } = as.certificates;
  return {
    host: '127.0.0.1',
    port: to.gatewayPort,
    servername: to.name,
    ca: await readFile(ca),
    cert: await readFile(cert),
    key: await readFile(key),
    agent: false,
    timeout: ANSWER_TIMEOUT_MS,
  };
}
