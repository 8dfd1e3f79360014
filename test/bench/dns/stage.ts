/** What the benchmark of DNS begins with: our program as the image has it, an API server with the imports, a folder, processes. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApiServer } from '#test/support/api-server/api-server.ts';
import { assembleRootfs, PROGRAM } from '../../../scripts/image/rootfs.ts';
import { exitWhenInterrupted, openProcesses, type Processes } from '../processes.ts';
import { within } from '../within.ts';
import { createBindings, createNamespaces } from './cluster.ts';
import { findCpus } from './cpus.ts';
import { toImports } from './names.ts';
import type { Stage } from './system.ts';

const PROGRAM_TIMEOUT_MS = 120_000;
/** The first time on a machine it is built. */
const API_SERVER_TIMEOUT_MS = 600_000;
/** For 10,000 objects on a machine that has other work. */
export const OBJECTS_TIMEOUT_MS = 600_000;

export interface OpenStage extends AsyncDisposable {
  readonly stage: Stage & { readonly processes: Processes };
  /** The bundle of the image. */
  readonly program: string;
}

export interface StageOptions {
  readonly imports: number;
  readonly tell: (text: string) => void;
}

/** Ends every process, and takes every file away, when it is disposed of and when this process is interrupted. */
export async function openStage({ imports: count, tell }: StageOptions): Promise<OpenStage> {
  const cpus = findCpus();
  await using failing = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-bench-'));
  const processes = openProcesses(folder);
  failing.defer(() => processes.close());
  exitWhenInterrupted();

  tell('bundling our program');
  const rootfs = join(folder, 'rootfs');
  await within('our program', PROGRAM_TIMEOUT_MS, assembleRootfs(rootfs));
  tell('starting an API server');
  const server = await within('an API server', API_SERVER_TIMEOUT_MS, startApiServer());
  failing.defer(() => server.close());
  tell(`creating ${count} imports`);
  const imports = toImports(count);
  await createNamespaces(server);
  await within('to create imports', OBJECTS_TIMEOUT_MS, createBindings(server, imports));
  const open = failing.move();
  return {
    stage: { folder, processes, cpus, server, imports },
    program: join(rootfs, PROGRAM),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
