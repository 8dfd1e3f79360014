/**
 * `npm run example -- bookinfo|iperf3`: runs the standalone form of an example as its README says, on one machine, and shows that
 * it works. Exit code 0 when it does. Everything it makes lies in a temporary folder and goes with it.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { Resolver } from 'node:dns/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const CLI = join(HERE, '../bin/clusterlink-mcs.mjs');
const READY_TIMEOUT_MS = 60_000;
const RETRY_MS = 250;
const STOP_TIMEOUT_MS = 10_000;

const run = promisify(execFile);

interface Stage {
  /** Starts a program that is ended with the example. */
  start(command: string, args: readonly string[], env?: Readonly<Record<string, string>>): void;
  /** Repeats what fails until it does not, or the time is over. */
  until<T>(what: string, attempt: () => Promise<T>): Promise<T>;
}

/** Shows that it works: resolves with what a user would see. */
type Example = (stage: Stage) => Promise<string>;

const EXAMPLES: Readonly<Record<string, Example>> = { bookinfo: showBookinfo, iperf3: showIperf3 };

async function showBookinfo({ start, until }: Stage): Promise<string> {
  const app = join(HERE, 'bookinfo/app/app.mjs');
  const part = (name: string, port: number, env: Readonly<Record<string, string>>): void =>
    start(process.execPath, [app, name, String(port)], env);
  part('details', 26_081, { WHO: 'books' });
  part('reviews', 26_082, { WHO: 'critics' });
  part('ratings', 26_083, { WHO: 'critics' });
  part('productpage', 26_080, { DNS_SERVER: '127.0.0.1:26053' });
  return until('the product page', async () => {
    const response = await fetch('http://127.0.0.1:26080/', { signal: AbortSignal.timeout(RETRY_MS * 20) });
    const page = await response.text();
    if (!response.ok) throw new Error(page.trim());
    return page;
  });
}

async function showIperf3({ start, until }: Stage): Promise<string> {
  start('iperf3', ['--server', '--bind', '127.0.0.1', '--port', '26201']);
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers(['127.0.0.1:26063']);
  const { bits, address } = await until('iperf3', async () => {
    const [found = ''] = await resolver.resolve4('iperf3.measure.svc.clusterset.local');
    const { stdout } = await run('iperf3', ['--client', found, '--port', '5201', '--time', '1', '--json']);
    const report = JSON.parse(stdout) as { end: { sum_received: { bits_per_second: number } } };
    return { bits: report.end.sum_received.bits_per_second, address: found };
  });
  if (!(bits > 0)) throw new Error('iperf3 has measured nothing');
  return `iperf3.measure.svc.clusterset.local is ${address}: ${(bits / 1e9).toFixed(2)} Gbit/s\n`;
}

async function main(name: string | undefined): Promise<void> {
  const example = EXAMPLES[name ?? ''];
  if (name === undefined || example === undefined) {
    console.error(`usage: npm run example -- ${Object.keys(EXAMPLES).join('|')}`);
    process.exitCode = 2;
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), `clusterlink-mcs-${name}-`));
  const children: { readonly title: string; readonly child: ChildProcess; log: string }[] = [];
  const start = (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void => {
    const child = spawn(command, args, { cwd: folder, env: { ...process.env, ...env } });
    const entry = { title: [command, ...args].join(' '), child, log: '' };
    children.push(entry);
    const keep = (text: Buffer): void => void (entry.log = (entry.log + text.toString()).slice(-4_000));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => (entry.log += error.message));
  };
  try {
    await cp(join(HERE, name, 'standalone'), folder, { recursive: true });
    const peers = (await readdir(folder)).sort();
    await run(process.execPath, [CLI, 'create', 'fabric', '--name', 'example'], { cwd: folder });
    for (const peer of peers) {
      await run(process.execPath, [CLI, 'create', 'peer-cert', '--fabric', 'example', '--name', peer], { cwd: folder });
      const places = ['--store', `dir:${peer}/manifests`, '--state', `state-${peer}`];
      start(process.execPath, [CLI, 'run', ...places, '--config', `${peer}/peer.yaml`]);
    }
    console.log(await example({ start, until }));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    for (const { title, log } of children) console.error(`--- ${title}\n${log}`);
    process.exitCode = 1;
  } finally {
    await Promise.all(children.map(({ child }) => stop(child)));
    await rm(folder, { recursive: true, force: true });
  }
}

async function until<T>(what: string, attempt: () => Promise<T>): Promise<T> {
  const endsMs = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > endsMs) throw new Error(`${what}: not in ${READY_TIMEOUT_MS} ms`, { cause: error });
      await sleep(RETRY_MS);
    }
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

await main(process.argv[2]);
