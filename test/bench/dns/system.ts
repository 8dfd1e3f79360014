/** What the benchmark needs of a responder, ours or a rival's: that it can be started on loopback with the imports. */
import type { ApiServer } from '#test/support/api-server/api-server.ts';
import type { ProcessGroup } from '../processes.ts';
import type { Cpus } from './cpus.ts';
import type { SystemName } from './keys.ts';
import type { Import } from './names.ts';

export const LOOPBACK = '127.0.0.1';

export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface Responder {
  /** Over UDP. */
  readonly place: Place;
  /** Of what runs alone on its core; the CPU time and the memory of what they have started count too. */
  readonly pids: readonly number[];
  /** Why what was just measured is worth nothing, as the responder itself says. */
  fault?(): Promise<string | undefined>;
}

export interface Stage {
  readonly folder: string;
  readonly processes: Pick<ProcessGroup, 'start'>;
  readonly cpus: Cpus;
  /** Real, with the ImportBindings of `imports`. */
  readonly server: ApiServer;
  readonly imports: readonly Import[];
}

export interface System {
  readonly name: SystemName;
  readonly version: string;
  /** How it is set, for people to judge. */
  readonly settings: readonly string[];
  /** `names`: it answers for the imports, which is verified before it is measured. */
  readonly answers: 'names' | 'itself';
  /** What it has started is the caller's to end, also when it fails. */
  start(stage: Stage): Promise<Responder>;
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
