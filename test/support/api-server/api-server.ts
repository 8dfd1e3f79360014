/**
 * A real Kubernetes API server for tests: kube-apiserver and etcd, nothing else. No controller runs: namespaces that are deleted
 * stay Terminating, owner references collect nothing, pods have the status that a test writes.
 *
 *     await using server = await startApiServer();
 *     await createNamespace(server.admin, 'shop');
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../wait.ts';
import { parseAuditLog, type AuditEntry } from './audit.ts';
import { signCertificate, toKubeconfig } from './authority.ts';
import type { Backend, BackendOptions } from './backend.ts';
import { installCrds } from './manifests.ts';
import { startProcesses } from './processes.ts';
import { startReaper, type Reaper } from './reaper.ts';
import { openRest, type Rest } from './rest.ts';
import { findSource, type Source } from './source.ts';

/** 3 s on an idle machine; a container that is pulled first is waited for elsewhere. */
const READY_TIMEOUT_MS = 120_000;
/** A port that was free may be taken before the server has it. */
const START_TRIES = 3;
/** Kills what still runs, and removes the server's folder. */
const REAP = 'for file in "$1"/*.pid; do [ ! -e "$file" ] || kill -9 "$(cat "$file")"; done; rm -rf "$1"';
const PORT_TAKEN = /address already in use/;

export interface ApiServerOptions {
  /** Files or folders with CRDs, from the project's root; default `['crds']`. */
  readonly crds?: readonly string[];
  /** Default `10.96.0.0/16`. */
  readonly serviceRange?: string;
  /** Further flags of kube-apiserver, each `--name=value`. */
  readonly args?: readonly string[];
}

export interface ApiServer extends AsyncDisposable {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  /** The path of a kubeconfig file (0600) of a member of system:masters. */
  readonly kubeconfig: string;
  /** Requests as that administrator. */
  readonly admin: Rest;
  /** Another identity: the path of a kubeconfig file for this user name and these groups. */
  kubeconfigFor(user: string, groups?: readonly string[]): Promise<string>;
  /** Requests as another identity; closed with the server. */
  restFor(user: string, groups?: readonly string[]): Promise<Rest>;
  /** Every write that was asked for, the tests' own and refused ones too. An entry may come a moment after its answer. */
  writes(): Promise<readonly AuditEntry[]>;
  /** What kube-apiserver has logged. */
  log(): Promise<string>;
  /** Ends kube-apiserver; etcd stays. Default SIGTERM; a graceful end that takes 30 s is made a SIGKILL. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Brings it back on the same port, and waits until it is ready. */
  start(): Promise<void>;
  /** etcd stands still until `resumeEtcd`: requests hang. */
  pauseEtcd(): Promise<void>;
  resumeEtcd(): Promise<void>;
  /** Ends everything and removes every file; also without it nothing outlives the test process. */
  close(): Promise<void>;
}

/** @throws {Error} that says what is missing, when no API server can run on this machine. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  for (let tries = 1; ; tries++) {
    try {
      return await startOnce(options);
    } catch (error) {
      if (tries >= START_TRIES || !(error instanceof Error && PORT_TAKEN.test(error.message))) throw error;
    }
  }
}

async function startOnce({
  crds = ['crds'],
  serviceRange = '10.96.0.0/16',
  args = [],
}: ApiServerOptions): Promise<ApiServer> {
  const source = await findSource();
  const folder = await mkdtemp(join(tmpdir(), 'api-server-'));
  const reaper = startReaper(REAP, [folder]);
  let server: ApiServer | undefined;
  try {
    const backend = await startBackend(source, { folder, serviceRange, args });
    server = await makeServer({ backend, folder, reaper });
    await server.start();
    await installCrds(server.admin, crds);
    return server;
  } catch (error) {
    await (server ?? reaper).close();
    throw error;
  }
}

async function startBackend(source: Source, options: BackendOptions): Promise<Backend> {
  if (source.kind === 'binaries') return startProcesses({ ...options, binaries: source });
  const { startContainer } = await import('./k3s.ts');
  return startContainer({ ...options, image: source.image });
}

interface ServerParts {
  readonly backend: Backend;
  readonly folder: string;
  readonly reaper: Reaper;
}

async function makeServer({ backend, folder, reaper }: ServerParts): Promise<ApiServer> {
  const { url, serverCa, clientAuthority } = backend;
  const rests: Rest[] = [];
  const identify = async (user: string, groups: readonly string[]) => {
    const identity = await signCertificate(clientAuthority, { user, groups });
    const rest = openRest({ url, serverCa, identity });
    rests.push(rest);
    const path = join(folder, `${randomBytes(8).toString('hex')}.kubeconfig`);
    await writeFile(path, toKubeconfig({ name: 'test', url, serverCa, identity }), { mode: 0o600 });
    return { rest, path };
  };
  const admin = await identify('admin', ['system:masters']);
  const close = async (): Promise<void> => {
    for (const rest of rests) rest.close();
    await backend.close();
    await reaper.close();
  };
  return {
    url,
    kubeconfig: admin.path,
    admin: admin.rest,
    kubeconfigFor: async (user, groups = []) => (await identify(user, groups)).path,
    restFor: async (user, groups = []) => (await identify(user, groups)).rest,
    writes: async () => parseAuditLog(await backend.auditLog()),
    log: () => backend.log(),
    stop: (signal = 'SIGTERM') => backend.stop(signal),
    async start() {
      await backend.start();
      await waitUntilReady(backend, admin.rest);
    },
    pauseEtcd: () => backend.pause(),
    resumeEtcd: () => backend.resume(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Fails at once when etcd or the server has ended, for example over a wrong flag. */
async function waitUntilReady(backend: Backend, admin: Rest): Promise<void> {
  let failure: string | undefined;
  await waitFor(
    `${backend.url} is ready`,
    async () => {
      failure = await backend.failure();
      if (failure !== undefined) return true;
      return (await admin.request('GET', '/readyz')).status === 200;
    },
    READY_TIMEOUT_MS,
  );
  if (failure !== undefined) throw new Error(failure);
}
