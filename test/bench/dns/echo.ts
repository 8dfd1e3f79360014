/** The floor of `node:dgram`: what comes goes back, as an answer by one bit. */
import { fileURLToPath } from 'node:url';
import { startNodeResponder } from './node-responder.ts';
import type { System } from './system.ts';

const PROGRAM = fileURLToPath(new URL('echo-process.ts', import.meta.url));

export const echo: System = {
  name: 'echo',
  version: `Node ${process.versions.node}`,
  settings: ['node:dgram in one thread: each message is sent back with the bit QR set; buffers of 4 MiB'],
  answers: 'itself',
  start: (stage) => startNodeResponder(stage, { name: 'echo', program: PROGRAM }),
};
