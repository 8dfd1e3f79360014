/** Runs the table between two sides, each case with its deadline, whatever became of the others. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CASES, type Case } from './cases.ts';
import { startScene, type Scene } from './scene.ts';
import type { Driver, Kind } from './side.ts';

export interface Pairing {
  readonly exporter: Kind;
  readonly importer: Kind;
}

export interface CaseResult {
  readonly name: string;
  readonly ok: boolean;
  /** Why not. */
  readonly error?: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly driver: Driver;
  readonly pairing: Pairing;
  readonly cases?: readonly Case[];
  /** Told each result as it comes. */
  readonly say?: (result: CaseResult) => void;
}

/** A scene that cannot begin fails all of its cases. */
export async function runPairing({
  driver,
  pairing,
  cases = CASES,
  say = () => undefined,
}: RunOptions): Promise<CaseResult[]> {
  const wanted = cases.filter(({ applies }) => applies?.({ driver }) ?? true);
  const titled = (name: string): string => `${pairing.exporter} exports, ${pairing.importer} imports: ${name}`;
  const told = (result: CaseResult): CaseResult => {
    say(result);
    return result;
  };
  let scene: Scene;
  try {
    scene = await startScene(driver, pairing);
  } catch (error) {
    return wanted.map(({ name }) =>
      told({ name: titled(name), ok: false, error: `no start: ${textOf(error)}`, ms: 0 }),
    );
  }
  await using running = scene;
  const judge = async (each: Case): Promise<CaseResult> =>
    told({ ...(await runCase(each, running)), name: titled(each.name) });
  const waiting = wanted.filter(({ waits }) => waits === true).map(judge);
  const results: CaseResult[] = [];
  for (const each of wanted.filter(({ waits }) => waits !== true)) results.push(await judge(each));
  return [...(await Promise.all(waiting)), ...results];
}

export async function runCase({ name, deadlineMs, run }: Case, scene: Scene): Promise<CaseResult> {
  const startedMs = performance.now();
  const late = new AbortController();
  try {
    await Promise.race([run(scene), failLate(deadlineMs, late.signal)]);
    return { name, ok: true, ms: Math.round(performance.now() - startedMs) };
  } catch (error) {
    return { name, ok: false, error: textOf(error), ms: Math.round(performance.now() - startedMs) };
  } finally {
    late.abort();
  }
}

async function failLate(deadlineMs: number, signal: AbortSignal): Promise<never> {
  await sleep(deadlineMs, undefined, { signal });
  throw new Error(`not done within ${deadlineMs} ms`);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
