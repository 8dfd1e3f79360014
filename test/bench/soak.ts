/**
 * `npm run bench -- soak [--minutes 10] [--clients 32] [--kill-every 1] [--fast-path on] [--json]`: two gateways for a long time, connections
 * of random sizes that prove themselves by hashes, both ways, with half-closes, while the session between them is killed again and
 * again. Exit code 1 when a byte is lost, or an end claims to be clean and is not.
 */
import { parseArgs } from 'node:util';
import { AppError } from '#src/api/errors.ts';
import { runIntegrity, type IntegrityReport } from '#test/support/integrity.ts';

const VIP = '127.99.7.3';
const LIES_TOLD_MAX = 20;
/** Reports come so often; each is a run of its own, with gateways of its own. */
const LEG_MS = 60_000;

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

/** @throws {AppError} `ERR_USAGE` */
function parseOptions(args: readonly string[]): SoakOptions {
  const options = {
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '32' },
    'kill-every': { type: 'string', default: '1' },
    'fast-path': { type: 'string', default: 'on' },
    json: { type: 'boolean', default: false },
  } as const;
  const values = readValues(() => parseArgs({ args: [...args], options }).values);
  const positive = (flag: 'minutes' | 'clients' | 'kill-every'): number => {
    const value = Number(values[flag]);
    if (!(value > 0 && value < 1e6)) throw usage(`--${flag} ${values[flag]} is no number above 0`);
    return value;
  };
  const fastPath = values['fast-path'];
  if (fastPath !== 'on' && fastPath !== 'off') throw usage(`--fast-path ${fastPath} is neither on nor off`);
  return {
    minutes: positive('minutes'),
    clients: Math.ceil(positive('clients')),
    killEveryMs: Math.ceil(positive('kill-every') * 1_000),
    fastPath,
    json: values.json,
  };
}

function readValues<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw usage((error as Error).message);
  }
}

function usage(what: string): AppError {
  return new AppError('ERR_USAGE', `bench soak: ${what}`, { fix: 'docs/PERFORMANCE.md lists the flags' });
}
