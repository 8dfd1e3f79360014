/** Our own responder: the part `dns` of `clusterlink-mcs run`, as the image has it, which reads ImportBindings from a real API server. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { version } from '#src/cli/version.ts';
import { freePort } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';
import { stringify } from 'yaml';
import { NODE_FLAGS } from '../node-flags.ts';
import { nodeOptionsOf } from '../peer.ts';
import { SYSTEM } from './cluster.ts';
import { pin } from './cpus.ts';
import { LOOPBACK, type System } from './system.ts';

const READY_TIMEOUT_MS = 60_000;
const POD = 'dns-0';
/** As an administrator would permit: pods, and here loopback too. */
const CLIENTS = ['10.0.0.0/8', '127.0.0.0/8', '::1/128'];
/** All of dnsperf's queries come from one address: no bound of ours may be what is measured. */
const REPLIES_PER_SECOND = 10_000_000;
/** Other drops are late answers: dnsperf counts them as lost. */
const REFUSED = /^clusterlink_mcs_dns_dropped_total\{[^}]*reason="(rate-limited|client-not-allowed)"[^}]*\} (\d+)/gm;

/** @param program - the bundle of the image. */
export async function makeOurs(program: string): Promise<System> {
  const nodeOptions = await nodeOptionsOf('dns');
  return {
    name: 'ours',
    version: `${version}, Node ${process.versions.node}`,
    settings: [
      `\`clusterlink-mcs run --store kubernetes --part dns\`, NODE_OPTIONS=${JSON.stringify(nodeOptions)}; log level warn`,
      `metrics; clients are decided on: ${CLIENTS.join(', ')}`,
      `replies to one network are counted, and bounded at ${REPLIES_PER_SECOND} a second, since all queries come from one address`,
    ],
    answers: 'names',
    async start({ processes, cpus, folder, server }) {
      const [dnsPort, metricsPort] = [await freePort(), await freePort()];
      const home = join(folder, 'ours');
      await mkdir(home);
      const file = join(home, 'peer.yaml');
      const config = {
        peer: 'bench',
        fabric: { name: 'bench', ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' },
        dns: { listen: `${LOOPBACK}:${dnsPort}`, clients: CLIENTS, repliesPerSecond: REPLIES_PER_SECOND },
        metrics: `${LOOPBACK}:${metricsPort}`,
        log: { level: 'warn' },
        drainSeconds: 0,
      };
      await writeFile(file, stringify(config));
      const store = ['--store', `kubernetes:${server.kubeconfig}`, '--part', 'dns'];
      const args = [program, 'run', ...store, '--config', file, '--state', join(home, 'state')];
      const started = processes.start({
        name: 'ours',
        ...pin(cpus.responder, process.execPath, [...NODE_FLAGS, ...args]),
        env: { POD_NAME: POD, POD_IP: LOOPBACK, POD_NAMESPACE: SYSTEM, NODE_OPTIONS: nodeOptions },
      });
      const ask = (path: string): Promise<Response> => fetch(`http://${LOOPBACK}:${metricsPort}${path}`);
      await waitFor(
        'our responder is ready',
        async () => started.hasEnded || (await ask('/readyz')).ok,
        READY_TIMEOUT_MS,
      );
      if (started.hasEnded) throw new Error(`our responder has ended:\n${started.logTail()}`);
      return {
        place: { host: LOOPBACK, port: dnsPort },
        pids: [started.pid],
        async fault() {
          const refused = parseRefused(await (await ask('/metrics')).text());
          return refused.length === 0 ? undefined : `it refused queries: ${refused.join(', ')}`;
        },
      };
    },
  };
}

/** Queries that were not answered for who has asked: `rate-limited 3`. Pure. */
export function parseRefused(metrics: string): readonly string[] {
  return [...metrics.matchAll(REFUSED)]
    .filter(([, , count]) => Number(count) > 0)
    .map(([, reason, count]) => `${reason} ${count}`);
}
