/** One peer of a benchmark: a bare API server of its own, and the product's three parts as processes. Nothing runs pods here. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import type { Manifest } from '#test/support/api-server/rest.ts';
import { waitFor } from '#test/support/wait.ts';
import { NODE_FLAGS } from './node-flags.ts';

export const SYSTEM = 'clusterlink-system';
export const PARTS_USER = 'clusterlink-mcs';
export const GATEWAY_PORT = 14_443;
export const DNS_PORT = 15_353;
const METRICS_PORTS = { gateway: 19_090, controller: 19_091, dns: 19_092 } as const;
const POD_ADDRESS = '10.244.1.1';
const EXIT_TIMEOUT_MS = 20_000;

export type PartName = keyof typeof METRICS_PORTS;

export interface BenchPeerOptions {
  readonly name: string;
  /** A loopback address: everything of this peer listens there, so that two peers share one machine. */
  readonly address: string;
  readonly folder: string;
  /** Folder with cert.pem and key.pem of this peer, and the fabric's cert.pem. */
  readonly files: { readonly ca: string; readonly cert: string; readonly key: string };
  /** The program as the image has it. */
  readonly program: string;
}

export interface BenchPeer {
  readonly name: string;
  readonly address: string;
  readonly server: ApiServer;
  /** Starts a part; a gateway gets a Pod object of its own, as a kubelet would report it. Resolves when it is ready. */
  start(part: PartName, pod?: string): Promise<void>;
  /** Kills it at once, and takes its Pod away, as a kubelet would report it. */
  kill(part: PartName): Promise<void>;
  /** One of its metrics, the sum of its series. */
  metric(part: PartName, name: string): Promise<number>;
  /** Resident memory in MiB. */
  rssMb(part: PartName): number;
  /** What the parts have written so far, Leases apart: `patch services`, `patch serviceimports/status`. */
  writes(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function startBenchPeer({ name, address, folder, files, program }: BenchPeerOptions): Promise<BenchPeer> {
  const server = await startApiServer();
  const running = new Map<PartName, { readonly child: ChildProcess; readonly pod: string }>();
  const home = join(folder, name);
  await mkdir(home, { recursive: true });
  // Their own user, so that the audit log tells their writes from the benchmark's.
  const kubeconfig = await server.kubeconfigFor(PARTS_USER, ['system:masters']);
  await apply(server, namespace(SYSTEM));

  async function start(part: PartName, pod = `${part}-0`): Promise<void> {
    const config = join(home, `${pod}.yaml`);
    const { ca, cert, key } = files;
    await writeFile(
      config,
      `peer: ${name}
fabric: {name: bench, ca: ${ca}, cert: ${cert}, key: ${key}}
gateway: {listen: "${address}:${GATEWAY_PORT}"}
dns: {listen: "${address}:${DNS_PORT}"}
metrics: "${address}:${METRICS_PORTS[part]}"
log: {level: warn}
drainSeconds: 0
`,
    );
    // The API server takes no loopback address in slices: what the Pod says is not where the process listens.
    if (part === 'gateway') await applyPod(server, pod, POD_ADDRESS);
    const log = openSync(join(home, `${pod}.log`), 'a');
    const state = join(home, `${pod}.state`);
    const store = ['--store', `kubernetes:${kubeconfig}`, '--part', part];
    const child = spawn(
      process.execPath,
      [...NODE_FLAGS, program, 'run', ...store, '--config', config, '--state', state],
      {
        stdio: ['ignore', log, log],
        env: {
          ...process.env,
          ...{ POD_NAME: pod, POD_IP: address, POD_NAMESPACE: SYSTEM },
          NODE_OPTIONS: await nodeOptionsOf(part),
        },
      },
    );
    closeSync(log);
    running.set(part, { child, pod });
    await waitFor(
      `${part} of ${name} is ready`,
      async () => {
        if (child.exitCode !== null) throw new Error(readFileSync(join(home, `${pod}.log`), 'utf8').slice(-2000));
        return (await fetch(`http://${address}:${METRICS_PORTS[part]}/readyz`)).ok;
      },
      30_000,
    );
  }

  async function end(part: PartName, signal: NodeJS.Signals): Promise<string | undefined> {
    const entry = running.get(part);
    if (entry === undefined) return undefined;
    running.delete(part);
    const { child, pod } = entry;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    }
    return pod;
  }

  return {
    name,
    address,
    server,
    start,
    async kill(part) {
      const pod = await end(part, 'SIGKILL');
      if (part === 'gateway' && pod !== undefined) {
        await server.admin.request('DELETE', `/api/v1/namespaces/${SYSTEM}/pods/${pod}?gracePeriodSeconds=0`);
      }
    },
    async metric(part, metric) {
      const text = await (await fetch(`http://${address}:${METRICS_PORTS[part]}/metrics`)).text();
      const values = [...text.matchAll(new RegExp(`^${metric}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
        Number(value),
      );
      return values.reduce((sum, value) => sum + value, 0);
    },
    rssMb(part) {
      const pid = running.get(part)?.child.pid ?? 0;
      const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
      return Math.round(Number(kib) / 1024);
    },
    async writes() {
      const writes = await server.writes();
      return writes
        .filter(({ user, resource }) => user === PARTS_USER && resource !== 'leases')
        .map(({ verb, resource, subresource }) => `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}`);
    },
    async close() {
      for (const part of [...running.keys()]) await end(part, 'SIGTERM');
      await server.close();
    },
  };
}

export function namespace(name: string): Manifest {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

/** @throws {Error} with the server's answer when it refuses. */
export async function apply(server: ApiServer, manifest: Manifest, subresource?: 'status'): Promise<void> {
  const { status, body } = await server.admin.apply(manifest, subresource === undefined ? {} : { subresource });
  if (status >= 300) throw new Error(`${manifest.kind} ${manifest.metadata.name}: ${status} ${JSON.stringify(body)}`);
}

async function applyPod(server: ApiServer, name: string, ip: string): Promise<void> {
  const labels = { 'app.kubernetes.io/name': 'clusterlink-mcs', 'app.kubernetes.io/component': 'gateway' };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: SYSTEM, labels } };
  await apply(server, { ...pod, spec: { containers: [{ name: 'gateway', image: 'none' }] } });
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString() }];
  await apply(server, { ...pod, status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions } }, 'status');
}

/** As the manifests have it: memory is judged as users will see it. */
export async function nodeOptionsOf(part: PartName): Promise<string> {
  const text = await readFile(new URL(`../../manifests/base/${part}.yaml`, import.meta.url), 'utf8');
  const found = parseAllDocuments(text)
    .map((document) => document.toJS() as Workload)
    .flatMap(({ spec }) => spec?.template?.spec?.containers ?? [])
    .flatMap(({ env = [] }) => env)
    .find(({ name }) => name === 'NODE_OPTIONS');
  assert.ok(found?.value !== undefined, `manifests/base/${part}.yaml has no NODE_OPTIONS`);
  return found.value;
}

interface Workload {
  readonly spec?: {
    readonly template?: {
      readonly spec?: {
        readonly containers?: readonly {
          readonly env?: readonly { readonly name: string; readonly value?: string }[];
        }[];
      };
    };
  };
}
