/** Responders that are Node programs of the benchmark: they say by their channel at which port they answer. */
import { ask } from '../ask.ts';
import { pin } from './cpus.ts';
import { LOOPBACK, type Responder, type Stage } from './system.ts';

const START_TIMEOUT_MS = 20_000;

/** The only report that they make. */
export interface ServingReport {
  readonly port: number;
}

export interface NodeResponder {
  readonly name: string;
  readonly program: string;
  /** Sent to it first. */
  readonly order?: object;
}

export async function startNodeResponder(
  { processes, cpus }: Stage,
  { name, program, order = {} }: NodeResponder,
): Promise<Responder> {
  const started = processes.start({ name, ...pin(cpus.responder, process.execPath, [program]), channel: 'ipc' });
  const { port } = await ask<ServingReport>(started, { order, timeoutMs: START_TIMEOUT_MS });
  return { place: { host: LOOPBACK, port }, pids: [started.pid] };
}
