/** dns2 as its own manual has it: `createServer`, with the answers in a map. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Dns2Order } from './dns2-process.ts';
import { startNodeResponder } from './node-responder.ts';
import type { System } from './system.ts';

const PROGRAM = fileURLToPath(new URL('dns2-process.ts', import.meta.url));
const MANIFEST = new URL('../../../node_modules/dns2/package.json', import.meta.url);

export const dns2: System = {
  name: 'dns2',
  version: `${(JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string }).version}, Node ${process.versions.node}`,
  settings: ['createServer over UDP in one process, records made beforehand and found in a Map; no buffers can be set'],
  answers: 'names',
  start(stage) {
    const order: Dns2Order = { imports: stage.imports };
    return startNodeResponder(stage, { name: 'dns2', program: PROGRAM, order });
  },
};
