/** Bulk transfers by iperf3, which is neither ours nor a rival's. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Processes } from '../processes.ts';
import type { Place } from './system.ts';

/** Beyond the transfer: connections through a gateway that has just started. */
const SPARE_MS = 20_000;

export interface Transfer {
  readonly through: Place;
  /** Where the server listens that the way ends at: it is started for this transfer alone. */
  readonly server: Place;
  /** `forward`: from the client to the server. */
  readonly way: 'forward' | 'back';
  readonly streams: number;
  readonly amount: { readonly seconds: number } | { readonly mib: number };
}

export interface Transferred {
  readonly gbit: number;
  readonly bytes: number;
}

export async function transfer(processes: Processes, options: Transfer): Promise<Transferred> {
  const { through, server, way, streams, amount } = options;
  const place = (flag: string, { host, port }: Place): readonly string[] => [flag, host, '-p', String(port)];
  const serving = processes.start({
    name: 'iperf3-server',
    command: 'iperf3',
    args: ['-s', '-1', '-B', server.host, '-p', String(server.port)],
  });
  try {
    await serving.whenListening([server.port]);
    const client = processes.start({
      name: 'iperf3-client',
      command: 'iperf3',
      args: [
        ...place('-c', through),
        ...['-J', '-P', String(streams), '--connect-timeout', '5000'],
        ...('seconds' in amount ? ['-t', String(amount.seconds)] : ['-n', `${amount.mib}M`]),
        ...(way === 'back' ? ['-R'] : []),
      ],
      output: 'pipe',
    });
    const exited = once(client.child, 'exit');
    const timer = setTimeout(
      () => client.child.kill('SIGKILL'),
      SPARE_MS + ('seconds' in amount ? amount.seconds * 1000 : 0),
    );
    try {
      if (client.child.stdout === null) throw new Error('iperf3 has no output');
      const printed = await text(client.child.stdout);
      await exited;
      return parseReport(printed);
    } finally {
      clearTimeout(timer);
      await client.end();
    }
  } finally {
    await serving.end();
  }
}

/** What `iperf3 -J` prints; what arrived counts. @throws {Error} with iperf3's own words when it failed. */
export function parseReport(printed: string): Transferred {
  if (printed === '') throw new Error('iperf3 was ended before it was done');
  const report = JSON.parse(printed) as Report;
  const received = report.end?.sum_received;
  if (report.error !== undefined || received === undefined || !(received.bytes > 0)) {
    throw new Error(`iperf3: ${report.error ?? 'nothing was transferred'}`);
  }
  return { gbit: received.bits_per_second / 1e9, bytes: received.bytes };
}

interface Report {
  readonly error?: string;
  readonly end?: { readonly sum_received?: { readonly bits_per_second: number; readonly bytes: number } };
}

/** `3.12`; undefined where it is not installed. */
export function findIperf3(): string | undefined {
  const { status, stdout } = spawnSync('iperf3', ['--version'], { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? /^iperf (\S+)/m.exec(stdout)?.[1] : undefined;
}
