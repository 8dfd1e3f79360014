/** Our side: the product as its users run it, `run --store dir:`, with ClusterLink's manifests in the folder. */
import { spawn } from 'node:child_process';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { findCondition } from '#src/api/conditions.ts';
import type { IImportBinding } from '#src/api/generated/ImportBinding.ts';
import type { IPeer } from '#src/api/generated/Peer.ts';
import { callAdmin } from '#src/runtime/admin.ts';
import { freePort, MAIN } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';
import type { InteropFabric } from './fabric.ts';
import { SYSTEM, toManifests } from './manifests.ts';
import { OUR_MANNERS, type Side, type SideOptions } from './side.ts';

const READY_WAIT_MS = 40_000;
const IMPORT_WAIT_MS = 15_000;
const ADMIN_WAIT_MS = 15_000;
/** What is kept of the log for a failure's message. */
const LOG_CHARS_MAX = 64 * 1024;
let started = 0;

export interface OurOptions extends SideOptions {
  readonly fabric: InteropFabric;
  /** Where its gateway listens, and where services are that it may dial. */
  readonly host: string;
}

export async function startOurs({ name, labels, fabric, host }: OurOptions): Promise<Side> {
  await fabric.identity(name);
  const folder = join(fabric.path, `ours-${++started}`);
  const manifests = join(folder, 'manifests');
  const state = join(folder, 'state');
  await mkdir(manifests, { recursive: true });
  const gateway = { host, port: await freePort() };
  const config = join(folder, 'peer.yaml');
  await writeFile(
    config,
    stringify({
      ...(await configOf({ name, fabric, host })),
      gateway: { listen: `${host}:${gateway.port}` },
      labels: labels ?? {},
    }),
  );
  const child = spawn(
    process.execPath,
    [MAIN, 'run', '--store', `dir:${manifests}`, '--state', state, '--config', config],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-LOG_CHARS_MAX)));
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const ask = async <T>(route: string, body?: unknown): Promise<T> =>
    (await callAdmin({
      path: join(state, 'admin.sock'),
      method: body === undefined ? 'GET' : 'POST',
      route,
      body,
      timeoutMs: ADMIN_WAIT_MS,
    })) as T;
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  };
  try {
    await waitFor(
      `${name} is ready`,
      async () => {
        if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${log}`);
        return (await ask<{ missing: string[] }>('/ready')).missing.length === 0;
      },
      READY_WAIT_MS,
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    name,
    kind: 'ours',
    labels,
    gateway,
    manners: OUR_MANNERS,
    async apply(objects) {
      const file = join(manifests, 'all.yaml');
      await writeFile(
        `${file}.draft`,
        toManifests(objects)
          .map((object) => stringify(object))
          .join('---\n'),
      );
      await rename(`${file}.draft`, file);
    },
    importAddress: (key) => waitFor(`import ${key} has an address`, () => addressOf(ask, key), IMPORT_WAIT_MS),
    async reachable(peer) {
      const object = await ask<IPeer>('/objects', { kind: 'Peer', key: `${SYSTEM}/${peer}` });
      return findCondition(object.status?.conditions, 'PeerReachable')?.status === 'True';
    },
    async swapCertificate() {
      await fabric.renew(name);
    },
    close,
  };
}

function configOf({ name, fabric, host }: Pick<OurOptions, 'name' | 'fabric' | 'host'>): Promise<object> {
  return Promise.all([freePort(), freePort()]).then(([dns]) => ({
    peer: name,
    fabric: fabric.files(name),
    dns: { listen: `127.0.0.1:${dns}` },
    exports: { targets: [`${host}:*`] },
    client: { namespace: 'default', serviceAccount: 'front' },
    drainSeconds: 0,
  }));
}

/** Where the binding of this import says that clients connect. */
async function addressOf(
  ask: <T>(route: string, body?: unknown) => Promise<T>,
  key: string,
): Promise<{ readonly host: string; readonly port: number } | undefined> {
  const bindings = await ask<readonly IImportBinding[]>('/objects', { kind: 'ImportBinding' });
  const binding = bindings.find(({ spec }) => `${spec.import.namespace}/${spec.import.name}` === key);
  const [host] = binding?.spec.ips ?? [];
  const port = binding?.spec.ports[0]?.port;
  return host === undefined || port === undefined ? undefined : { host, port };
}
