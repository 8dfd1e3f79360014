/** What a change of one import among many costs: how long until it is answered, and how long others wait for answers meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ApiServer } from '#test/support/api-server/api-server.ts';
import { waitFor } from '#test/support/wait.ts';
import { ask } from '../ask.ts';
import { treeOf } from '../proc.ts';
import type { ProcessGroup, Started } from '../processes.ts';
import { whenQuiet } from '../quiet.ts';
import { median } from '../statistics.ts';
import { within } from '../within.ts';
import { changeAddress, createBindings, writeElsewhere } from './cluster.ts';
import { move } from './cpus.ts';
import type { ChangeSample } from './keys.ts';
import type { Running } from './measures.ts';
import { hostOf, toImports, type Import } from './names.ts';
import type { DnsBenchOptions } from './options.ts';
import { OBJECTS_TIMEOUT_MS } from './stage.ts';
import type { Place, Stage } from './system.ts';
import { verify } from './verify.ts';
import type { WatchOrder, WatchReport } from './watcher-process.ts';

const PROGRAM = fileURLToPath(new URL('watcher-process.ts', import.meta.url));
const REPORT_TIMEOUT_MS = 15_000;
const ANSWERS_TIMEOUT_MS = 180_000;
const CHANGE_TIMEOUT_MS = 30_000;
/** Before each change: what the one before has left to do is done. */
const REST_MS = 400;
/** After the answer: collections that it has brought near. */
const AFTER_MS = 100;
/** Prime, so that changes are spread over all imports. */
const STEP = 7_919;

export interface TakeChangeOptions {
  readonly stage: Stage;
  readonly ours: Running;
  readonly options: Pick<DnsBenchOptions, 'changes' | 'changeImports'>;
  readonly tell: (text: string) => void;
}

/** Adds imports until there are as many as wanted, and gives everybody all cores: what else runs must not look like our own blocking. */
export async function takeChange({ stage, ours, options, tell }: TakeChangeOptions): Promise<ChangeSample> {
  const { server, processes, cpus } = stage;
  const { place, pids } = ours.responder;
  const imports = toImports(options.changeImports);
  tell(`growing to ${imports.length} imports`);
  await within('to create imports', OBJECTS_TIMEOUT_MS, createBindings(server, imports, stage.imports.length));
  await waitFor('all are answered', () => verify('names', place, imports).then(() => true), ANSWERS_TIMEOUT_MS);
  await whenQuiet('our responder', pids);
  move(treeOf([process.pid]), cpus.all);
  tell(`changing ${options.changes} of them`);
  const changing = measureChanges({ server, processes, place, imports, changes: options.changes });
  return within('changes', options.changes * CHANGE_TIMEOUT_MS, changing);
}

interface ChangeOptions {
  readonly server: ApiServer;
  readonly processes: Pick<ProcessGroup, 'start'>;
  readonly place: Place;
  readonly imports: readonly Import[];
  readonly changes: number;
}

interface Change {
  readonly tookMs: number;
  readonly writeMs: number;
  readonly blockedMs: number;
  readonly quietMs: number;
}

/** @throws {Error} when a change is not answered in time. */
async function measureChanges(options: ChangeOptions): Promise<ChangeSample> {
  const { processes, imports } = options;
  const watcher = processes.start({ name: 'watcher', command: process.execPath, args: [PROGRAM], channel: 'ipc' });
  const changes: Change[] = [];
  for (let index = 0; index < options.changes; index++) {
    const changed = imports[(index * STEP) % imports.length];
    if (changed !== undefined) changes.push(await changeOne(options, watcher, { ...changed, address: toNew(index) }));
  }
  await watcher.end();
  return summarize(changes);
}

async function changeOne({ server, place }: ChangeOptions, watcher: Started, changed: Import): Promise<Change> {
  watcher.child.send({
    kind: 'watch',
    to: place,
    name: hostOf(changed),
    address: changed.address,
  } satisfies WatchOrder);
  await sleep(REST_MS);
  const seen = ask<WatchReport>(watcher, { timeoutMs: REPORT_TIMEOUT_MS });
  const fromMs = nowMs();
  const written = changeAddress(server, changed).then(() => nowMs());
  const [report, writtenMs] = await Promise.all([seen, written]);
  if (report.kind !== 'seen') throw new Error(`the watcher answered ${report.kind}`);
  await sleep(AFTER_MS);
  const lengthMs = report.atMs + AFTER_MS - fromMs;
  const blockedMs = await takeLongest(watcher, fromMs, lengthMs);

  await sleep(REST_MS);
  const quietFromMs = nowMs();
  await writeElsewhere(server, `${changed.name} ${changed.address}`);
  await sleep(Math.max(0, quietFromMs + lengthMs - nowMs()));
  const quietMs = await takeLongest(watcher, quietFromMs, lengthMs);
  return { tookMs: report.atMs - fromMs, writeMs: writtenMs - fromMs, blockedMs, quietMs };
}

async function takeLongest(watcher: Started, fromMs: number, lengthMs: number): Promise<number> {
  const order: WatchOrder = { kind: 'take', fromMs, toMs: fromMs + lengthMs };
  const report = await ask<WatchReport>(watcher, { order, timeoutMs: REPORT_TIMEOUT_MS });
  if (report.kind !== 'taken' || report.asked === 0) throw new Error('the watcher has asked nothing');
  return report.longestMs;
}

/** Pure. @param changes - at least one. */
export function summarize(changes: readonly Change[]): ChangeSample {
  const middle = (of: (change: Change) => number): number => median(changes.map(of)) ?? NaN;
  const longest = (of: (change: Change) => number): number => Math.max(...changes.map(of));
  return {
    change_ms: middle(({ tookMs }) => tookMs),
    change_max_ms: longest(({ tookMs }) => tookMs),
    write_ms: middle(({ writeMs }) => writeMs),
    change_blocked_ms: middle(({ blockedMs }) => blockedMs),
    change_blocked_max_ms: longest(({ blockedMs }) => blockedMs),
    quiet_blocked_ms: middle(({ quietMs }) => quietMs),
    quiet_blocked_max_ms: longest(({ quietMs }) => quietMs),
  };
}

/** Addresses that no import has. */
function toNew(index: number): string {
  return `10.190.${Math.floor(index / 254)}.${1 + (index % 254)}`;
}

/** The clock of the watcher. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
