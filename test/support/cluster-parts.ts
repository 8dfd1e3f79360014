/** Parts of the product in the process of a test, against a real API server: what they log and say of their readiness is read here. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startControllerPart } from '#src/cli/run/cluster/controller.ts';
import { parseConfig } from '#src/runtime/config.ts';
import { makeHealth, type Health } from '#src/runtime/health.ts';
import { makeLogger } from '#src/runtime/log.ts';
import { makeMetrics } from '#src/runtime/metrics.ts';

export interface RunningPart extends AsyncDisposable {
  readonly health: Health;
  /** Lines of the log of level warn and above, as they were written. */
  readonly lines: readonly string[];
  close(): Promise<void>;
}

export interface ControllerPartOptions {
  readonly kubeconfig: string;
  /** This peer's name. */
  readonly peer?: string;
  readonly pod?: string;
}

/** Resolves when it runs, which is before it leads. */
export async function startController({
  kubeconfig,
  peer = 'west',
  pod = 'controller-0',
}: ControllerPartOptions): Promise<RunningPart> {
  const state = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-controller-'));
  const lines: string[] = [];
  const health = makeHealth();
  const files = '{name: test, ca: ca.pem, cert: cert.pem, key: key.pem}';
  const file = { name: join(state, 'config.yaml'), text: `peer: ${peer}\nfabric: ${files}\n` };
  const part = await startControllerPart({
    config: parseConfig({ file, env: {}, cwd: state, state }),
    kubeconfig,
    state,
    version: '0.0.0',
    env: { POD_NAME: pod, POD_IP: '10.244.0.2' },
    logger: makeLogger({ level: 'warn', destination: { write: (line) => void lines.push(line) } }),
    health,
    metrics: makeMetrics({ version: '0.0.0' }),
  });
  const close = async (): Promise<void> => {
    await part.close();
    await rm(state, { recursive: true, force: true });
  };
  return { health, lines, close, [Symbol.asyncDispose]: close };
}
