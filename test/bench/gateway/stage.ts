/** What every benchmark of the data plane begins with: our program as the image has it, certificates, services, a maker of load. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '#src/api/errors.ts';
import { createFabricFiles, createPeerCertFiles } from '#src/fabric/files.ts';
import { freePort } from '#test/support/standalone.ts';
import { assembleRootfs, PROGRAM } from '../../../scripts/image/rootfs.ts';
import { findIperf3 } from './iperf3.ts';
import { startLoad, type Load } from './load.ts';
import { LOOPBACK } from './places.ts';
import { exitWhenInterrupted, openProcesses } from '../processes.ts';
import { EXPORTER, FABRIC, IMPORTER, type Credentials, type Stage } from './system.ts';

export interface OpenStage extends AsyncDisposable {
  readonly stage: Stage;
  readonly load: Load;
  /** The bundle of the image. */
  readonly program: string;
  /** Its version. */
  readonly iperf3: string;
}

/** Ends every process, and takes every file away, when it is disposed of and when this process is interrupted. @throws {AppError} `ERR_USAGE` */
export async function openStage(tell: (text: string) => void): Promise<OpenStage> {
  const iperf3 = findIperf3();
  if (iperf3 === undefined) {
    throw new AppError('ERR_USAGE', 'bench: iperf3 is not installed', { fix: 'apt-get install iperf3' });
  }
  await using failing = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-bench-'));
  const processes = openProcesses(folder);
  failing.defer(() => processes.close());
  exitWhenInterrupted();

  tell('bundling our program');
  const rootfs = join(folder, 'rootfs');
  await assembleRootfs(rootfs);
  const credentials = await issueAll(folder);
  const echo = await startLoad(processes, 'echo').order({ kind: 'echo', host: LOOPBACK });
  if (echo.kind !== 'serving') throw new Error(`the echo process answered ${echo.kind}`);
  const services: Stage['services'] = {
    iperf3: { host: LOOPBACK, port: await freePort() },
    echo: { host: LOOPBACK, port: echo.port },
  };
  const load = startLoad(processes, 'load');
  const open = failing.move();
  return {
    stage: { folder, processes, credentials, services },
    ...{ load, iperf3, program: join(rootfs, PROGRAM) },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

async function issueAll(folder: string): Promise<Stage['credentials']> {
  const fabric = await createFabricFiles({ path: folder, fabric: FABRIC });
  const issue = async (peer: string): Promise<Credentials> => {
    const { cert, key } = await createPeerCertFiles({ path: folder, fabric: FABRIC, peer });
    const both = join(folder, `${peer}.pem`);
    await writeFile(both, (await readFile(cert, 'utf8')) + (await readFile(key, 'utf8')), { mode: 0o600 });
    return { ca: fabric.cert, cert, key, both };
  };
  return { east: await issue(EXPORTER), west: await issue(IMPORTER) };
}
