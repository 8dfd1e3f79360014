/** Standalone peers as processes of their own, each with a folder of manifests, made and removed by the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { StatusReport } from '#src/cli/run/status.ts';
import { createFabricFiles, createPeerCertFiles } from '#src/fabric/files.ts';
import type { Explanation } from '#src/gateway/explain.ts';
import { callAdmin } from '#src/runtime/admin.ts';
import { waitFor } from './wait.ts';

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface StandalonePeer {
  readonly name: string;
  readonly manifests: string;
  readonly state: string;
  readonly gatewayPort: number;
  readonly dnsPort: number;
  readonly metricsPort: number;
  /** Of its main process. */
  readonly pid: number;
  /** What it has logged so far. */
  log(): string;
  status(): Promise<StatusReport>;
  explain(target: string): Promise<Explanation>;
  get<T>(kind: string, key?: string): Promise<T>;
  /** Writes a file of manifests. */
  write(file: string, text: string): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Resolves with the exit code when it has ended by itself, or was told before. */
  ended(): Promise<number | null>;
  /** Resolves with the exit code. */
  stop(name?: NodeJS.Signals): Promise<number | null>;
}

export interface World {
  readonly root: string;
  peer(
    name: string,
    changes?: Record<string, unknown>,
    environment?: Readonly<Record<string, string>>,
  ): Promise<StandalonePeer>;
  /** Says on each side who the other is; both dial. */
  link(a: StandalonePeer, b: StandalonePeer): Promise<void>;
  close(): Promise<void>;
}

export async function makeWorld(): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-test-'));
  await createFabricFiles({ path: root, fabric: 'fabric' });
  const peers: StandalonePeer[] = [];
  return {
    root,
    async peer(name, changes = {}, environment = {}) {
      await createPeerCertFiles({ path: root, fabric: 'fabric', peer: name }).catch((error: { code?: string }) => {
        if (error.code !== 'ERR_ALREADY_EXISTS') throw error;
      });
      const peer = await startStandalone({ root, name, changes, environment });
      peers.push(peer);
      return peer;
    },
    async link(a, b) {
      await Promise.all([a.write('peers.yaml', peerManifest(b)), b.write('peers.yaml', peerManifest(a))]);
      await waitFor(`${a.name} and ${b.name} have a session`, async () => {
        const reports = await Promise.all([a.status(), b.status()]);
        return reports.every(({ peers: seen }) => seen.some(({ reachable }) => reachable));
      });
    },
    async close() {
      for (const peer of peers) await peer.stop('SIGKILL');
      await rm(root, { recursive: true, force: true });
    },
  };
}

export function peerManifest({ name, gatewayPort }: { readonly name: string; readonly gatewayPort: number }): string {
  return stringify({
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Peer',
    metadata: { name, namespace: 'clusterlink-system' },
    spec: { gateways: [{ host: '127.0.0.1', port: gatewayPort }] },
  });
}

/** Service, ServiceExport and a policy for everybody, `shop/NAME`. */
export function exportManifest(name: string, servicePort: number, endpointPort: number): string {
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name,
        namespace: 'shop',
        annotations: { 'mcs.clusterlink.net/endpoints': `127.0.0.1:${endpointPort}` },
      },
      spec: { ports: [{ name: 'main', protocol: 'TCP', port: servicePort }] },
    },
    { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: { name, namespace: 'shop' } },
    policyManifest('shop', `allow-${name}`),
  ]
    .map((object) => stringify(object))
    .join('---\n');
}

export function policyManifest(namespace: string, name = 'allow-all'): unknown {
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { name, namespace },
    spec: { action: 'allow', from: [{ workloadSelector: {} }], to: [{ workloadSelector: {} }] },
  };
}

export function ruleManifest(changes: Record<string, unknown> = {}, name = 'shop-into-store'): string {
  return stringify({
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ClusterImportRule',
    metadata: { name },
    spec: { peers: { names: ['east'] }, exports: { namespaces: ['shop'] }, into: { namespace: 'store' }, ...changes },
  });
}

/** Below the range that the kernel gives outgoing connections, any of which could else have it in the next moment. */
const PORTS = { from: 12_000, to: 25_999 } as const;
const PORT_TRIES_MAX = 100;
const givenPorts = new Set<number>();

/** A port at 127.0.0.1 that nobody has now, and that this process has not given before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from + 1));
    if (givenPorts.has(port)) continue;
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    givenPorts.add(port);
    return port;
  }
  throw new Error(`no free port from ${PORTS.from} to ${PORTS.to} in ${PORT_TRIES_MAX} tries`);
}

async function startStandalone(input: {
  readonly root: string;
  readonly name: string;
  readonly changes: Record<string, unknown>;
  readonly environment: Readonly<Record<string, string>>;
}): Promise<StandalonePeer> {
  const { root, name, changes, environment } = input;
  const folder = join(root, `peer-${name}`);
  const manifests = join(folder, 'manifests');
  const state = join(folder, 'state');
  await mkdir(manifests, { recursive: true });
  const [gatewayPort, dnsPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const certificates = join(root, 'fabric', name);
  const config = {
    peer: name,
    fabric: {
      ca: join(root, 'fabric', 'cert.pem'),
      cert: join(certificates, 'cert.pem'),
      key: join(certificates, 'key.pem'),
    },
    gateway: { listen: `127.0.0.1:${gatewayPort}` },
    dns: { listen: `127.0.0.1:${dnsPort}` },
    metrics: `127.0.0.1:${metricsPort}`,
    exports: { targets: ['127.0.0.1:*'] },
    drainSeconds: 1,
    ...changes,
  };
  const configFile = join(folder, 'peer.yaml');
  await writeFile(configFile, stringify(config));
  const child: ChildProcess = spawn(
    process.execPath,
    [MAIN, 'run', '--store', `dir:${manifests}`, '--state', state, '--config', configFile],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...environment } },
  );
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const ask = async <T>(method: string, route: string, body?: unknown): Promise<T> =>
    (await callAdmin({ path: join(state, 'admin.sock'), method, route, body, timeoutMs: 15_000 })) as T;
  await waitFor(
    `peer ${name} is ready`,
    async () => {
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${log}`);
      return (await ask<{ missing: string[] }>('GET', '/ready')).missing.length === 0;
    },
    40_000,
  ).catch(async (error: unknown) => {
    // Nobody else knows it yet.
    child.kill('SIGKILL');
    await exited;
    throw error;
  });
  return {
    name,
    manifests,
    state,
    gatewayPort,
    dnsPort,
    metricsPort,
    pid: child.pid ?? 0,
    log: () => log,
    status: () => ask('GET', '/status'),
    explain: (target) => ask('POST', '/explain', { target }),
    get: (kind, key) => ask('POST', '/objects', { kind, ...(key === undefined ? {} : { key }) }),
    write: (file, text) => writeFile(join(manifests, file), text),
    signal: (signalName) => void child.kill(signalName),
    ended: () => exited,
    async stop(signalName = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signalName);
      return exited;
    },
  };
}
