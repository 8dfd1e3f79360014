/** Parts of the product as processes of their own, against a test API server. Nothing runs pods: a gateway's Pod object is written here. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { SYSTEM } from './cluster-objects.ts';
import { MAIN } from './standalone.ts';
import { waitFor } from './wait.ts';

export const GATEWAY_PORT = 14_443;
export const DNS_PORT = 15_353;
const READY_TIMEOUT_MS = 60_000;
const EXIT_TIMEOUT_MS = 20_000;
const LOG_TAIL_CHARS = 2_000;

export interface ProcessOptions {
  readonly part: 'gateway' | 'controller' | 'dns';
  /** This peer's name. */
  readonly peer: string;
  readonly pod: string;
  /** A loopback address: everything of this process listens there. */
  readonly address: string;
  readonly metricsPort: number;
  readonly kubeconfig: string;
  /** Its configuration, log and state; the state of an earlier process of the pod is found again. */
  readonly folder: string;
  readonly files?: { readonly ca: string; readonly cert: string; readonly key: string };
}

export interface PartProcess extends AsyncDisposable {
  readonly pod: string;
  /** Resolves when `/readyz` says so. */
  whenReady(): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  end(name?: NodeJS.Signals): Promise<void>;
  log(): string;
}

export async function startProcess(options: ProcessOptions): Promise<PartProcess> {
  const { part, peer, pod, address, metricsPort, kubeconfig, folder } = options;
  const { files = { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' } } = options;
  await mkdir(folder, { recursive: true });
  const paths = { config: join(folder, `${pod}.yaml`), log: join(folder, `${pod}.log`), state: join(folder, pod) };
  const config = {
    peer,
    fabric: { name: 'test', ...files },
    gateway: { listen: `${address}:${GATEWAY_PORT}` },
    dns: { listen: `${address}:${DNS_PORT}` },
    metrics: `${address}:${metricsPort}`,
    log: { level: 'warn' },
    drainSeconds: 0,
  };
  await writeFile(paths.config, stringify(config));
  const log = openSync(paths.log, 'a');
  const store = ['--store', `kubernetes:${kubeconfig}`, '--part', part];
  const child: ChildProcess = spawn(
    process.execPath,
    [MAIN, 'run', ...store, '--config', paths.config, '--state', paths.state],
    {
      stdio: ['ignore', log, log],
      env: { ...process.env, POD_NAME: pod, POD_IP: address, POD_NAMESPACE: SYSTEM },
    },
  );
  closeSync(log);
  const read = (): string => readFileSync(paths.log, 'utf8');
  async function end(name: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(name);
    const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }
  return {
    pod,
    async whenReady() {
      await waitFor(
        `${pod} of ${peer} is ready`,
        async () => {
          if (child.exitCode !== null) throw new Error(read().slice(-LOG_TAIL_CHARS));
          return (await fetch(`http://${address}:${metricsPort}/readyz`)).ok;
        },
        READY_TIMEOUT_MS,
      );
    },
    signal: (name) => void child.kill(name),
    end,
    log: read,
    // A stopped process takes no other signal.
    [Symbol.asyncDispose]: () => end('SIGKILL'),
  };
}

/** An address of 127.0.0.0/8 for one test: others on this machine listen on the same ports of theirs. */
export function loopbackAddress(): string {
  const part = (): number => 1 + Math.floor(Math.random() * 254);
  // Below 127.64.0.0/10, from which peers take pools.
  return `127.${1 + Math.floor(Math.random() * 60)}.${part()}.${part()}`;
}
