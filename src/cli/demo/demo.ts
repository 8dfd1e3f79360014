/** `demo`: the product in one sitting, on one machine, with nothing left behind. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatError } from '../../api/errors.ts';
import { makeNames } from './clients.ts';
import { makeLayout } from './layout.ts';
import { STEPS, type DemoContext } from './steps.ts';

export interface DemoOptions {
  /** Prints one line of words. */
  say(line: string): void;
  /** Aborted by the user: stop between two steps and clean up. */
  readonly signal: AbortSignal;
  /** Leave it running until the signal, and say what to try. */
  readonly keep: 'running' | 'nothing';
}

export interface StepResult {
  readonly name: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly error?: string;
}

export interface DemoResult {
  readonly ok: boolean;
  readonly steps: readonly StepResult[];
}

export async function runDemo({ say, signal, keep }: DemoOptions): Promise<DemoResult> {
  const root = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-demo-'));
  const steps: StepResult[] = [];
  const closers: DemoContext['closers'] = [];
  let context: DemoContext | undefined;
  try {
    const timedStep = async (name: string, words: string, run: () => Promise<void>): Promise<boolean> => {
      say(`\n== ${words}`);
      const startedMs = performance.now();
      const result = await run().then(
        () => ({ ok: true }),
        (error: unknown) => ({ ok: false, error: formatError(error) }),
      );
      const step = { name, ...result, ms: Math.round(performance.now() - startedMs) };
      steps.push(step);
      say(
        step.ok
          ? `-- ok, ${step.ms} ms`
          : `-- FAILED after ${step.ms} ms: ${'error' in step ? String(step.error) : ''}`,
      );
      return step.ok;
    };

    const made = await timedStep(
      'fabric',
      'A fabric CA and a certificate for each of three peers are made on the spot.',
      async () => {
        const layout = await makeLayout(root);
        context = { layout, peers: new Map(), closers, say, names: makeNames(layout.peers.west.dnsPort) };
      },
    );
    let going = made;
    for (const step of STEPS) {
      if (!going || signal.aborted || context === undefined) break;
      const current = context;
      going = await timedStep(step.name, step.words, () => step.run(current));
    }
    const ok = going && !signal.aborted && steps.length === STEPS.length + 1;
    if (ok && keep === 'running' && context !== undefined) await leaveRunning(context, signal);
    return { ok, steps };
  } finally {
    for (const close of closers.reverse()) await close().catch(() => undefined);
    await rm(root, { recursive: true, force: true });
  }
}

async function leaveRunning({ layout, say }: DemoContext, signal: AbortSignal): Promise<void> {
  const { west, east } = layout.peers;
  say(`
Everything keeps running until you press Ctrl-C. To try by hand:
  npx clusterlink-mcs status --state ${west.state}
  npx clusterlink-mcs explain --state ${west.state} host web.store.svc.clusterset.local:80
  dig @127.0.0.1 -p ${west.dnsPort} web.store.svc.clusterset.local SRV
  ls ${east.manifests} ${west.manifests}`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
