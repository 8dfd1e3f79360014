/** `npm run chaos -- --minutes N --seed S --json`: faults by a seed for so long; the log on stderr, the result as the last line. */
import { parseArgs } from 'node:util';
import { drawFaults, FAULT_SORTS } from './faults.ts';
import { makeRandom } from './random.ts';
import { runChaos } from './run.ts';

const CONNECTIONS_PER_SECOND = 200;
const MINUTES_MAX = 7 * 24 * 60;
const SMALL_DISK = 'west';

interface Arguments {
  readonly minutes: number;
  readonly seed: number;
  readonly json: boolean;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  if (!(minutes > 0 && minutes <= MINUTES_MAX))
    throw new TypeError(`--minutes must be above 0 and at most ${MINUTES_MAX}`);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff)
    throw new TypeError('--seed must be a whole number of 32 bits');
  return { minutes, seed, json: values.json };
}

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString()} ${line}\n`);
}

async function main({ minutes, seed, json }: Arguments): Promise<void> {
  const random = makeRandom(seed);
  const untilMs = performance.now() + minutes * 60_000;
  say(`chaos: ${minutes} minutes, seed ${seed}`);
  let isTold = false;
  const { connections, questions, ...result } = await runChaos({
    next({ fillDisk, setClock }) {
      if (!fillDisk && !isTold) say('left out: a full disk (only root can mount a small one)');
      if (!setClock && !isTold) say('left out: a wrong clock (libfaketime is not installed)');
      isTold = true;
      if (performance.now() >= untilMs) return undefined;
      const sorts = FAULT_SORTS.filter((sort) => (sort !== 'full' || fillDisk) && (sort !== 'clock' || setClock));
      return drawFaults({ random, sorts, smallDisk: SMALL_DISK });
    },
    connectionsPerSecond: CONNECTIONS_PER_SECOND,
    say,
  });
  say(`connections: ${JSON.stringify(connections)}; questions to DNS: ${questions}`);
  const { ok, faults, lost, wrong } = result;
  process.stdout.write(
    json
      ? `${JSON.stringify({ ok, faults, lost, wrong })}\n`
      : `${ok ? 'ok' : 'not ok'}: ${faults} faults, ${lost} lost, ${wrong} wrong\n`,
  );
  process.exitCode = ok ? 0 : 1;
}

let given: Arguments | undefined;
try {
  given = readArguments();
} catch (error) {
  say(
    `ERR_USAGE chaos: ${error instanceof Error ? error.message : String(error)}. Fix: give --minutes N --seed S [--json]`,
  );
  process.exitCode = 2;
}
if (given !== undefined) await main(given);
