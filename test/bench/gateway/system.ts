/** What the benchmark needs of a system, ours or a rival's: that it can be started as a pair of gateways on loopback. */
import type { ProcessGroup, Processes } from '../processes.ts';
import { whenQuiet } from '../quiet.ts';
import type { SystemName } from './keys.ts';

/** What is behind the exporter: an iperf3 server, started for each transfer, and a server that echoes. */
export const SERVICES = ['iperf3', 'echo'] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface Place {
  readonly host: string;
  readonly port: number;
}

export type Places = Readonly<Record<ServiceName, Place>>;

/** Importer and exporter, two processes, with a handshake of both certificates between them. */
export interface Pair {
  /** Where clients connect. */
  readonly entries: Places;
  /** Ids of both gateways; the CPU time and the memory of what they have started count too. */
  readonly pids: readonly number[];
  /** Where the services of this pair are, when it does not reach those of the {@link Stage}: there iperf3 is started. */
  readonly servers?: Places;
  /** Ends what was not started by the processes of the stage. */
  end?(): Promise<void>;
}

export interface Credentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Certificate and key in one file. */
  readonly both: string;
}

/** What a pair is started on. */
export interface Stage {
  readonly folder: string;
  readonly processes: Processes;
  /** Of one fabric in `folder`, P-256: every system uses the same certificates. */
  readonly credentials: { readonly east: Credentials; readonly west: Credentials };
  /** The importer is west, the exporter east: there the services are. */
  readonly services: Places;
}

export interface System {
  readonly name: SystemName;
  readonly version: string;
  /** How it is set, for people to judge. */
  readonly settings: readonly string[];
  /** It works even when nothing goes through it: its pair runs only while it is measured. */
  readonly restless?: true;
  /** Resolves when both serve. What it has started with the stage's processes is the caller's to end, also when it fails. */
  start(stage: PairStage): Promise<Pair>;
  /** Gives back what its pairs share. */
  close?(): Promise<void>;
}

/** A {@link Stage} whose processes are those of one pair. */
export type PairStage = Omit<Stage, 'processes'> & { readonly processes: ProcessGroup };

export type RunningPair = Pair & { end(): Promise<void> };

export async function startPair(system: System, stage: Stage): Promise<RunningPair> {
  const group = stage.processes.group();
  let pair: Pair | undefined;
  const end = async (): Promise<void> => {
    await Promise.all([pair?.end?.(), group.end()]);
  };
  try {
    pair = await system.start({ ...stage, processes: group });
    // Who has just started still writes state and compiles code: what is measured must not pay for that.
    if (system.restless !== true) await whenQuiet('both gateways', pair.pids);
    return { ...pair, end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** A rival, or why it is not compared. */
export type Candidate = System | Absent;

export interface Absent {
  readonly name: SystemName;
  readonly absent: string;
}

export function isPresent(candidate: Candidate): candidate is System {
  return !('absent' in candidate);
}

export const FABRIC = 'bench';
export const IMPORTER = 'west';
export const EXPORTER = 'east';
