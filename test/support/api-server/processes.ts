/** An API server as two processes of this machine, etcd and kube-apiserver: loopback only, one folder, no trace afterwards. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { makeAuthority, makeTokenKeys, signCertificate } from './authority.ts';
import { AUDIT_POLICY } from './audit.ts';
import { commonFlags, type Backend, type BackendOptions } from './backend.ts';
import type { Binaries } from './source.ts';

/** Below the ephemeral range of Linux (32768), whose ports outgoing connections take while a server is stopped, and beside our own range. */
const PORT_FIRST = 10_000;
const PORT_LAST = 19_999;
const PORT_TRIES = 50;
/** kube-apiserver waits up to a minute for requests in flight; a test has no such time. */
const STOP_DEADLINE_MS = 30_000;

interface Program {
  readonly name: string;
  /** Undefined once it has ended. */
  child(): ChildProcess | undefined;
  start(): void;
  stop(signal: NodeJS.Signals): Promise<void>;
}

export async function startProcesses(options: BackendOptions & { readonly binaries: Binaries }): Promise<Backend> {
  const { folder, binaries } = options;
  const port = await findFreePort();
  const { serverCa, clientAuthority } = await writeKeys(folder);
  const etcd = makeProgram({ name: 'etcd', path: binaries.etcd, args: etcdFlags(folder), folder });
  const server = makeProgram({
    name: 'kube-apiserver',
    path: binaries.kubeApiserver,
    args: [...serverFlags(folder, port), ...commonFlags(options)],
    folder,
  });
  etcd.start();
  return {
    url: `https://127.0.0.1:${port}`,
    serverCa,
    clientAuthority,
    start: () => Promise.resolve(server.start()),
    stop: (signal) => server.stop(signal),
    async failure() {
      const ended = [etcd, server].find((program) => program.child() === undefined);
      return ended === undefined ? undefined : `${ended.name} has ended:\n${await readLogTail(folder, ended.name)}`;
    },
    pause: () => Promise.resolve(void etcd.child()?.kill('SIGSTOP')),
    resume: () => Promise.resolve(void etcd.child()?.kill('SIGCONT')),
    auditLog: () => readFile(join(folder, 'audit.log'), 'utf8').catch(emptyIfAbsent),
    log: () => readFile(join(folder, 'kube-apiserver.log'), 'utf8').catch(emptyIfAbsent),
    close: async () => void (await Promise.all([server.stop('SIGKILL'), etcd.stop('SIGKILL')])),
  };
}

async function writeKeys(folder: string): Promise<Pick<Backend, 'serverCa' | 'clientAuthority'>> {
  const [serverAuthority, clientAuthority, tokens] = await Promise.all([
    makeAuthority('test server authority'),
    makeAuthority('test client authority'),
    makeTokenKeys(),
  ]);
  const serving = await signCertificate(serverAuthority, { user: 'kube-apiserver', addresses: ['127.0.0.1'] });
  const files = {
    'client-ca.pem': clientAuthority.certPem,
    'server.pem': serving.certPem,
    'server-key.pem': serving.keyPem,
    'tokens.pem': tokens.publicPem,
    'tokens-key.pem': tokens.privatePem,
    'audit-policy.yaml': AUDIT_POLICY,
  };
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text, { mode: 0o600 })));
  return { serverCa: serverAuthority.certPem, clientAuthority };
}

/**
 * etcd listens on sockets in the folder: no port to lose to somebody else, and nobody else of this machine can write to it.
 * It uses the host part of a peer URL as the path, so that this one is relative to the working directory.
 */
function etcdFlags(folder: string): readonly string[] {
  const peer = 'http://localhost:2380';
  return [
    '--name=test',
    `--data-dir=${join(folder, 'etcd')}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
    `--listen-client-urls=unix://${join(folder, 'etcd.sock')}`,
    `--advertise-client-urls=unix://${join(folder, 'etcd.sock')}`,
    '--listen-peer-urls=unix://peer.sock',
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=test=${peer}`,
  ];
}

function serverFlags(folder: string, port: number): readonly string[] {
  return [
    `--etcd-servers=unix://${join(folder, 'etcd.sock')}`,
    '--bind-address=127.0.0.1',
    // Without it the server looks for a default route and ends where there is none.
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    '--endpoint-reconciler-type=none',
    '--authorization-mode=RBAC',
    '--allow-privileged=true',
    `--cert-dir=${folder}`,
    `--client-ca-file=${join(folder, 'client-ca.pem')}`,
    `--tls-cert-file=${join(folder, 'server.pem')}`,
    `--tls-private-key-file=${join(folder, 'server-key.pem')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${join(folder, 'tokens.pem')}`,
    `--service-account-signing-key-file=${join(folder, 'tokens-key.pem')}`,
    `--audit-policy-file=${join(folder, 'audit-policy.yaml')}`,
    `--audit-log-path=${join(folder, 'audit.log')}`,
  ];
}

interface ProgramOptions {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly folder: string;
}

/** Its output goes to NAME.log, its process id to NAME.pid while it runs: what the reaper kills. */
function makeProgram({ name, path, args, folder }: ProgramOptions): Program {
  let running: { readonly child: ChildProcess; readonly ended: Promise<unknown> } | undefined;
  const pidFile = join(folder, `${name}.pid`);
  return {
    name,
    child: () => running?.child,
    start() {
      if (running !== undefined) return;
      const log = openSync(join(folder, `${name}.log`), 'a');
      const child = spawn(path, args, { cwd: folder, stdio: ['ignore', log, log] });
      closeSync(log);
      if (child.pid !== undefined) writeFileSync(pidFile, String(child.pid));
      const ended = new Promise<void>((resolve) => {
        const end = (): void => {
          running = undefined;
          rmSync(pidFile, { force: true });
          resolve();
        };
        child.once('exit', end);
        child.once('error', (error) => {
          writeFileSync(join(folder, `${name}.log`), `${error.message}\n`, { flag: 'a' });
          end();
        });
      });
      running = { child, ended };
    },
    async stop(signal) {
      if (running === undefined) return;
      const { child, ended } = running;
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < PORT_TRIES; tries++) {
    const port = PORT_FIRST + Math.floor(Math.random() * (PORT_LAST - PORT_FIRST + 1));
    if (await canListen(port)) return port;
  }
  throw new Error(`no free port between ${PORT_FIRST} and ${PORT_LAST} in ${PORT_TRIES} tries`);
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer();
  try {
    const listening = once(server, 'listening');
    server.listen(port, '127.0.0.1');
    await listening;
    return (server.address() as AddressInfo).port === port;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

const LOG_TAIL_LINES = 15;

async function readLogTail(folder: string, name: string): Promise<string> {
  const log = await readFile(join(folder, `${name}.log`), 'utf8').catch(emptyIfAbsent);
  return log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
}

function emptyIfAbsent(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}
