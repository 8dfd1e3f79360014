/**
 * An HTTP proxy in front of an API server, with the identity of a kubeconfig, that answers some requests with what a test wants, and cuts
 * watches in the middle.
 */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { parse, stringify } from 'yaml';

export interface ProxiedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly isWatch: boolean;
}

export interface Fault {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface FaultProxy {
  /** The path of a kubeconfig that leads here. */
  readonly kubeconfig: string;
  /** Every request that came, faulty ones too. */
  readonly requests: readonly ProxiedRequest[];
  /** Asked about every request from now on; undefined lets it pass. */
  inject(fault: (request: ProxiedRequest) => Fault | undefined): void;
  /** Sends half an event on every open watch, and resets its connection. */
  cutWatches(): void;
  /** Sends an event of type ERROR with this code on every open watch, and ends it. */
  endWatches(code: number): void;
  close(): Promise<void>;
}

/** @param kubeconfig - of the API server at `url`: as whom requests are passed on. */
export async function startFaultProxy(server: {
  readonly url: string;
  readonly kubeconfig: string;
}): Promise<FaultProxy> {
  const { text, agent } = await readIdentity(server.kubeconfig);
  const requests: ProxiedRequest[] = [];
  const watches = new Set<ServerResponse>();
  let fault: (request: ProxiedRequest) => Fault | undefined = () => undefined;

  function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method = 'GET', url = '/', headers } = incoming;
    const upstream = httpsRequest(new URL(url, server.url), {
      agent,
      method,
      headers: withoutHost(headers),
    });
    upstream.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
      answer.on('error', () => outgoing.destroy());
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  }

  const listener = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/' } = incoming;
    const asked = { method, path: url, isWatch: new URL(url, server.url).searchParams.has('watch') };
    requests.push(asked);
    const wrong = fault(asked);
    if (wrong !== undefined) {
      incoming.resume();
      outgoing.writeHead(wrong.status, { 'content-type': 'application/json', ...wrong.headers });
      outgoing.end(JSON.stringify(statusOf(wrong.status)));
      return;
    }
    if (asked.isWatch) {
      watches.add(outgoing);
      outgoing.on('close', () => watches.delete(outgoing));
    }
    forward(incoming, outgoing);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const kubeconfig = `${server.kubeconfig}.${port}`;
  await writeFile(kubeconfig, toProxied(text, `http://127.0.0.1:${port}`), { mode: 0o600 });
  return {
    kubeconfig,
    requests,
    inject: (next) => (fault = next),
    cutWatches() {
      for (const response of [...watches]) {
        response.write('{"type":"MODIFIED","object":{"kind":');
        setImmediate(() => response.socket?.resetAndDestroy());
      }
    },
    endWatches(code) {
      for (const response of [...watches])
        response.end(`${JSON.stringify({ type: 'ERROR', object: statusOf(code) })}\n`);
    },
    async close() {
      listener.closeAllConnections();
      listener.close();
      agent.destroy();
      await once(listener, 'close');
    },
  };
}

function withoutHost(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'host'));
}

function statusOf(code: number): Record<string, unknown> {
  return { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', message: 'injected', reason: '', code };
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Record<string, string> }[];
  readonly users: readonly { readonly user: Record<string, string> }[];
}

async function readIdentity(path: string): Promise<{ readonly text: string; readonly agent: Agent }> {
  const text = await readFile(path, 'utf8');
  const { clusters, users } = parse(text) as Kubeconfig;
  const decode = (base64 = ''): Buffer => Buffer.from(base64, 'base64');
  const agent = new Agent({
    keepAlive: true,
    ca: decode(clusters[0]?.cluster['certificate-authority-data']),
    cert: decode(users[0]?.user['client-certificate-data']),
    key: decode(users[0]?.user['client-key-data']),
  });
  return { text, agent };
}

/** Plain HTTP within this machine: no certificate is needed, and the product asks that this is said. */
function toProxied(text: string, url: string): string {
  const config = parse(text) as Kubeconfig;
  return stringify({
    ...config,
    clusters: config.clusters.map((entry) => ({
      ...entry,
      cluster: { server: url, 'insecure-skip-tls-verify': true },
    })),
    users: config.users.map((entry) => ({ ...entry, user: {} })),
  });
}
