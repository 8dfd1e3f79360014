/** All responders, each on the responders' core, proved to answer rightly before anybody measures. */
import { waitFor } from '#test/support/wait.ts';
import { treeOf } from '../proc.ts';
import type { ProcessGroup } from '../processes.ts';
import { whenQuiet } from '../quiet.ts';
import { within } from '../within.ts';
import { move } from './cpus.ts';
import { echo } from './echo.ts';
import type { Running } from './measures.ts';
import type { Failure } from './rounds.ts';
import type { Stage, System } from './system.ts';
import { verify } from './verify.ts';

const START_TIMEOUT_MS = 180_000;
/** For all imports to be answered, once somebody listens. */
const ANSWERS_TIMEOUT_MS = 90_000;

export interface StartOptions {
  readonly stage: Stage;
  /** Ours first. */
  readonly systems: readonly System[];
  /** What everybody but ours is started in: it ends earlier. */
  readonly rivals: ProcessGroup;
}

export interface StartedAll {
  readonly running: readonly Running[];
  /** One of those, if it is compared. */
  readonly echo: Running;
  /** Of rivals. */
  readonly failures: readonly Failure[];
}

/** Who does not start, or answers wrongly, is a failure, not a figure. The rest of this process' tree leaves the responders' core. */
export async function startAll({ stage, systems, rivals }: StartOptions): Promise<StartedAll> {
  const running: Running[] = [];
  const failures: Failure[] = [];
  for (const system of systems) {
    const own = system.name === 'ours' ? stage : { ...stage, processes: rivals };
    try {
      running.push(await within(system.name, START_TIMEOUT_MS, startOne(system, own)));
    } catch (error) {
      // Without ours there is nothing to compare.
      if (system.name === 'ours') throw error;
      failures.push({
        system: system.name,
        measure: 'start',
        message: error instanceof Error ? error.message : String(error),
      });
    }
  }
  const yardstick =
    running.find(({ system }) => system === echo) ?? (await startOne(echo, { ...stage, processes: rivals }));
  const responders = treeOf([...running, yardstick].flatMap(({ responder }) => responder.pids));
  const others = [...treeOf([process.pid])].filter((pid) => !responders.has(pid));
  move(others, stage.cpus.load);
  return { running, echo: yardstick, failures };
}

async function startOne(system: System, stage: Stage): Promise<Running> {
  const responder = await system.start(stage);
  await waitFor(
    `${system.name} answers rightly`,
    async () => {
      await verify(system.answers, responder.place, stage.imports);
      return true;
    },
    ANSWERS_TIMEOUT_MS,
  );
  await whenQuiet(system.name, responder.pids);
  return { system, responder };
}
