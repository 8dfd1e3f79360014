/**
 * `npm run bench -- soak`: two gateways for a long time, connections of random sizes that prove themselves by hashes, both ways, with
 * half-closes, while the session between them is killed again and again. Exit code 1 when a byte is lost, or an end claims to be clean
 * and is not.
 */
import { Option } from 'commander';
import { runIntegrity, type IntegrityReport } from '#test/support/integrity.ts';
import { makeFlags, positiveNumber, readFlags, wholeNumber } from './flags.ts';

const VIP = '127.99.7.3';
const LIES_TOLD_MAX = 20;
/** Reports come so often; each is a run of its own, with gateways of its own. */
const LEG_MS = 60_000;
const NUMBER_MAX = 1_000_000;

interface SoakOptions {
  readonly minutes: number;
  readonly clients: number;
  readonly killEveryMs: number;
  readonly fastPath: 'on' | 'off';
  readonly json: boolean;
}

/** @throws {AppError} `ERR_USAGE` */
export async function main(args: readonly string[]): Promise<number> {
  return soak(parseOptions(args));
}

async function soak({ minutes, clients, killEveryMs, fastPath, json }: SoakOptions): Promise<number> {
  const say = json ? console.error : console.log;
  const total = { done: 0, cut: 0, refused: 0, kills: 0, bytes: 0, lies: 0 };
  const endMs = performance.now() + minutes * 60_000;
  for (let leftMs = minutes * 60_000; leftMs > 0; leftMs = endMs - performance.now()) {
    const leg = await runIntegrity({
      ...{ fastPath, clients, killEveryMs, vip: VIP },
      durationMs: Math.min(leftMs, LEG_MS),
    });
    add(total, leg);
    for (const lie of leg.lies.slice(0, LIES_TOLD_MAX)) say(`WRONG: ${lie}`);
    const rssMib = Math.round(process.memoryUsage.rss() / 1024 / 1024);
    say(`${total.done} done, ${total.cut} cut by ${total.kills} kills, ${total.lies} wrong, ${rssMib} MiB`);
  }
  console.log(JSON.stringify({ bench: 'soak', fast_path: fastPath, minutes, ...total }));
  // Where nothing passed nothing was proved.
  return total.lies === 0 && total.done > 0 ? 0 : 1;
}

function add(total: Record<Exclude<keyof IntegrityReport, 'lies'> | 'lies', number>, leg: IntegrityReport): void {
  for (const key of ['done', 'cut', 'refused', 'kills', 'bytes'] as const) total[key] += leg[key];
  total.lies += leg.lies.length;
}

/** @throws {AppError} `ERR_USAGE`. `--help` throws as {@link readFlags} says. */
function parseOptions(args: readonly string[]): SoakOptions {
  const flags = makeFlags(
    'soak',
    'Connections that prove themselves by hashes, while the session between the gateways is reset.',
  )
    .option('--minutes <m>', 'how long', positiveNumber(NUMBER_MAX), 10)
    .option('--clients <n>', 'connections at once', wholeNumber(NUMBER_MAX), 32)
    .option('--kill-every <s>', 'seconds between two resets, about', positiveNumber(NUMBER_MAX), 1)
    .addOption(new Option('--fast-path <mode>', 'how sockets are read').choices(['on', 'off']).default('on'))
    .option('--json', 'nothing but the result goes to standard output', false);
  const { killEvery, ...same } = readFlags<Omit<SoakOptions, 'killEveryMs'> & { readonly killEvery: number }>(
    flags,
    args,
  );
  return { ...same, killEveryMs: Math.ceil(killEvery * 1_000) };
}
