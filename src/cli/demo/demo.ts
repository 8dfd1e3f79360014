/** `demo`: the product in one sitting, on one machine, with nothing left behind. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatError } from '../../api/errors.ts';
import { makeNames } from './clients.ts';
import { CLUSTERLINK } from './clusterlink/profile.ts';
import { makeLayout } from './layout.ts';
import { MCS } from './mcs/profile.ts';
import type { DemoContext, Profile } from './profile.ts';

export interface DemoOptions {
  readonly profile: ProfileName;
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

/** The first one is that of `demo` without `--profile`. */
export const PROFILE_NAMES = ['mcs', 'clusterlink'] as const;
export type ProfileName = (typeof PROFILE_NAMES)[number];

export function runDemo(options: DemoOptions): Promise<DemoResult> {
  return options.profile === 'mcs' ? runProfile(MCS, options) : runProfile(CLUSTERLINK, options);
}

/** `ok` only if every step ran and held. */
async function runProfile<Name extends string>(profile: Profile<Name>, options: DemoOptions): Promise<DemoResult> {
  const { say, signal, keep } = options;
  const root = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-demo-'));
  const results: StepResult[] = [];
  const closers: DemoContext<Name>['closers'] = [];
  try {
    const record = async (name: string, words: string, run: () => Promise<void>): Promise<boolean> => {
      const result = await runTimed({ name, words, say, run });
      results.push(result);
      return result.ok;
    };
    let context: DemoContext<Name> | undefined;
    await record('fabric', 'A fabric CA and a certificate for each of three peers are made on the spot.', async () => {
      const layout = await makeLayout(root, profile.peers);
      const names = makeNames(layout.peers[profile.clientsAt].dnsPort);
      const made = { layout, peers: new Map(), closers, say, names };
      await profile.prepare(made);
      context = made;
    });
    if (context === undefined) return { ok: false, steps: results };
    const ready = context;
    for (const { name, words, run } of profile.steps) {
      if (signal.aborted) return { ok: false, steps: results };
      if (!(await record(name, words, () => run(ready)))) return { ok: false, steps: results };
    }
    if (keep === 'running') await leaveRunning(profile.commandsToTry(ready.layout), { say, signal });
    return { ok: true, steps: results };
  } finally {
    for (const close of closers.reverse()) await close().catch(() => undefined);
    await rm(root, { recursive: true, force: true });
  }
}

interface TimedStep {
  readonly name: string;
  readonly words: string;
  readonly say: DemoOptions['say'];
  run(): Promise<void>;
}

async function runTimed({ name, words, say, run }: TimedStep): Promise<StepResult> {
  say(`\n== ${words}`);
  const startedMs = performance.now();
  const error = await run().then(
    () => undefined,
    (thrown: unknown) => formatError(thrown),
  );
  const ms = Math.round(performance.now() - startedMs);
  say(error === undefined ? `-- ok, ${ms} ms` : `-- FAILED after ${ms} ms: ${error}`);
  return { name, ok: error === undefined, ms, ...(error === undefined ? {} : { error }) };
}

async function leaveRunning(
  commands: readonly string[],
  { say, signal }: Pick<DemoOptions, 'say' | 'signal'>,
): Promise<void> {
  say(`\nEverything keeps running until you press Ctrl-C. To try by hand:\n  ${commands.join('\n  ')}`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
