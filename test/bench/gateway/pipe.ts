/** The simplest tunnel that Node allows, as a yardstick that is always installed: `pipe()` both ways, nothing decided. */
import { fileURLToPath } from 'node:url';
import { freePort } from '#test/support/standalone.ts';
import { placesAt, portsOf } from './places.ts';
import type { PipeOrder } from './pipe-process.ts';
import { SERVICES, type Credentials, type Places, type System } from './system.ts';

const PROGRAM = fileURLToPath(new URL('pipe-process.ts', import.meta.url));

export const pipe: System = {
  name: 'pipe',
  version: `Node ${process.versions.node} on OpenSSL ${process.versions.openssl}`,
  settings: [
    'stream.pipe() in two Node processes, a TLS 1.3 connection for each tunnel, buffers of 64 KiB, no decision',
  ],
  async start({ processes, credentials, services }) {
    const entries = await placesAt(freePort);
    const between = await placesAt(freePort);
    const start = async (part: PipeOrder['part'], from: Places, to: Places, own: Credentials) => {
      const hops = SERVICES.map((service) => ({ from: from[service], to: to[service] }));
      const order: PipeOrder = { part, own, hops };
      const args = [PROGRAM, JSON.stringify(order)];
      const started = processes.start({ name: `pipe-${part}`, command: process.execPath, args, channel: 'ipc' });
      await started.whenListening(portsOf(from));
      return started;
    };
    const both = await Promise.all([
      start('importer', entries, between, credentials.west),
      start('exporter', between, services, credentials.east),
    ]);
    return {
      entries,
      pids: both.map(({ pid }) => pid),
    };
  },
};
