/** What the kernel says of processes: CPU time, memory, listening ports. The parsers are pure. Sources: proc(5). */
import { readdirSync, readFileSync } from 'node:fs';

/** `sysconf(_SC_CLK_TCK)`: 100 on every architecture of Linux that Node runs on. */
export const TICKS_PER_SECOND = 100;
const LISTEN = '0A';

export interface ProcessStat {
  readonly parent: number;
  /** User and system time of all its threads. */
  readonly ticks: number;
}

/** `/proc/PID/stat`. The name in parentheses may hold spaces and parentheses: what counts comes after the last one. */
export function parseStat(text: string): ProcessStat {
  const end = text.lastIndexOf(')');
  const fields = text
    .slice(end + 1)
    .trim()
    .split(/\s+/);
  // The first of them is field 3, the state; 4 is the parent, 14 and 15 are utime and stime.
  const [parent, user, system] = [fields[1], fields[11], fields[12]].map((field) => Number(field ?? NaN));
  if (end === -1 || parent === undefined || user === undefined || system === undefined || !(user + system >= 0)) {
    throw new Error(`not the stat of a process: ${JSON.stringify(text.slice(0, 80))}`);
  }
  return { parent, ticks: user + system };
}

/** VmRSS of `/proc/PID/status`, in KiB. A process that is just ending has none. */
export function parseResidentKib(text: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0);
}

/** Ports on which somebody listens, by the text of `/proc/net/tcp` or `tcp6`. */
export function parseListeningPorts(text: string): ReadonlySet<number> {
  const ports = new Set<number>();
  for (const line of text.split('\n')) {
    const [, local = '', , state = ''] = line.trim().split(/\s+/);
    if (state === LISTEN) ports.add(Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16));
  }
  return ports;
}

/** These processes and all that descend from them. */
export function withDescendants(
  roots: readonly number[],
  parents: Iterable<readonly [pid: number, parent: number]>,
): ReadonlySet<number> {
  const childrenOf = Map.groupBy(parents, ([, parent]) => parent);
  const found = new Set<number>();
  const waiting = [...roots];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    if (found.has(pid)) continue;
    found.add(pid);
    waiting.push(...(childrenOf.get(pid) ?? []).map(([child]) => child));
  }
  return found;
}

/** These processes and what descends from them now. */
export function treeOf(roots: readonly number[]): ReadonlySet<number> {
  return withDescendants(
    roots,
    [...readStats()].map(([pid, { parent }]) => [pid, parent] as const),
  );
}

/** Seconds of user and system time so far. The workers of a gateway count. */
export function cpuSecondsOf(roots: readonly number[]): number {
  const stats = readStats();
  const parents = [...stats].map(([pid, { parent }]) => [pid, parent] as const);
  let ticks = 0;
  for (const pid of withDescendants(roots, parents)) ticks += stats.get(pid)?.ticks ?? 0;
  return ticks / TICKS_PER_SECOND;
}

/** Resident memory in KiB. */
export function residentKibOf(roots: readonly number[]): number {
  let kib = 0;
  for (const pid of treeOf(roots)) kib += parseResidentKib(readProcess(pid, 'status') ?? '');
  return kib;
}

/** A probing connection would be taken for a test by iperf3: that somebody listens is seen in the kernel's list. */
export function isListening(port: number): boolean {
  return ['tcp', 'tcp6'].some((name) => parseListeningPorts(readFileSync(`/proc/net/${name}`, 'utf8')).has(port));
}

function readStats(): ReadonlyMap<number, ProcessStat> {
  const stats = new Map<number, ProcessStat>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const text = readProcess(Number(name), 'stat');
    if (text !== undefined) stats.set(Number(name), parseStat(text));
  }
  return stats;
}

/** Undefined when it has ended. */
function readProcess(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}
