/**
 * Where hostile peers are tried: the victim and a good peer are processes of their own, a third one keeps a paced exchange
 * going through both the whole time, and the test is the attacker. What the victim counts is read from its metrics.
 *
 * A second such exchange goes through the good peer and a bystander that nobody attacks: what it suffers is the machine's doing, on
 * which all of them and the attacker have to run.
 */
import assert from 'node:assert/strict';
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { getPriority, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { createPeerCertFiles, loadIdentity, type PeerIdentity } from '#src/fabric/files.ts';
import type { PacedOrder, PacedReport } from './paced-process.ts';
import { exportManifest, makeWorld, peerManifest, policyManifest, ruleManifest } from './standalone.ts';
import type { StandalonePeer, World } from './standalone.ts';
import { waitFor } from './wait.ts';

const PACED = fileURLToPath(new URL('./paced-process.ts', import.meta.url));
/** How long the exchange runs undisturbed before, and after: 200 messages. */
const QUIET_MS = 2_000;
const ATTACKER_NICE = 10;

/** docs/LIMITS.md, "What a hostile peer can cost". */
export const ATTACKED_LOOP_DELAY_MAX_MS = 500;
export const ATTACKED_RESIDENT_BYTES_MAX = 512 * 1024 * 1024;

export interface Counters {
  /** The sum of all series with these labels. */
  of(metric: string, labels?: Readonly<Record<string, string>>): number;
}

export interface HostileStage {
  readonly world: World;
  readonly east: StandalonePeer;
  readonly west: StandalonePeer;
  readonly mallory: PeerIdentity;
  /** Where east's gateway listens, as {@link dialAs} wants it. */
  readonly victim: { readonly name: string; readonly port: number };
  /** A peer's certificate in the victim's fabric; no Peer object. */
  identity(name: string): Promise<PeerIdentity>;
  /** From now on what is counted begins at 0. */
  mark(): Promise<void>;
  counters(): Promise<Counters>;
  /** Waits until the victim has refused so many for this reason since the mark, and none for another. */
  refused(reason: string, count?: number): Promise<void>;
  /** How many it has refused since the mark, for whatever reason. */
  refusals(): Promise<number>;
  /** Waits until it has refused at this limit. */
  limited(limit: string, peer?: string): Promise<number>;
  /** Waits until so many connections or requests of mallory were closed for this reason. */
  closedFor(reason: string, countMin?: number): Promise<void>;
  /** Whether the victim has a session with mallory. */
  hasSession(): Promise<boolean>;
  /** The good peer's exchange, and what the victim used, judged by the published bounds. */
  judge(): Promise<void>;
  close(): Promise<void>;
}

/** East says yes to west alone, and imports what mallory says it has, where a rule lets it. */
export async function startHostileStage(): Promise<HostileStage> {
  const world = await makeWorld();
  const [paced, aside] = [startPaced(), startPaced()];
  const stalled = await startStalledService();
  const [east, west, south] = await Promise.all([world.peer('east'), world.peer('west'), world.peer('south')]);
  const identity = async (name: string): Promise<PeerIdentity> => {
    await createPeerCertFiles({ path: world.root, fabric: 'fabric', peer: name });
    const folder = join(world.root, 'fabric');
    return loadIdentity({
      ca: join(folder, 'cert.pem'),
      cert: join(folder, name, 'cert.pem'),
      key: join(folder, name, 'key.pem'),
    });
  };
  const mallory = await identity('mallory');
  await world.link(east, west);
  await east.write('mallory.yaml', outboundPeerManifest('mallory'));
  // Without its policy for everybody.
  const [service, serviceExport] = exportManifest('echo', 7777, await paced.servicePort).split('---\n');
  await east.write('echo.yaml', [service, serviceExport, stringify(FOR_WEST)].join('---\n'));
  // In a namespace of its own, since everybody may use these.
  const open = (name: string, port: number): string => exportManifest(name, 7777, port).replaceAll('shop', 'open');
  await east.write('stalled.yaml', open('stalled', stalled.port));
  await east.write('metadata.yaml', open('metadata', 80).replace('127.0.0.1:80', '169.254.169.254:80'));
  await east.write('gateway.yaml', open('gateway', east.gatewayPort));
  await south.write('west.yaml', peerManifest(west));
  await south.write('aside.yaml', exportManifest('aside', 7777, await aside.servicePort));
  await west.write('south.yaml', peerManifest(south));
  await west.write('rule.yaml', ruleManifest({ peers: { names: ['east', 'south'] } }));
  await west.write('policy.yaml', stringify(policyManifest('store')));
  const connect = async (exchange: Paced, name: string): Promise<void> => {
    const { ip, port } = await waitFor(`${name} is ready`, async () => {
      const found = (await west.status()).imports.find((told) => told.name === name);
      if (found?.ready !== 'True') return undefined;
      return { ip: found.ip, port: Number(/at (\d+)/.exec(found.ports)?.[1] ?? 7777) };
    });
    exchange.order({ kind: 'connect', host: ip, port });
  };
  await Promise.all([connect(paced, 'store/echo'), connect(aside, 'store/aside')]);
  await Promise.all([paced.take(), aside.take()]);
  await sleep(QUIET_MS);
  const quietMs = p99(await paced.take());
  await aside.take();

  const stepForth = stepBack();
  let marked = parseMetrics('');
  let loopDelayMs = 0;
  let residentBytes = 0;
  async function counters(): Promise<Counters> {
    const now = await countersOf(east);
    loopDelayMs = Math.max(loopDelayMs, loopDelayOf(now));
    residentBytes = Math.max(residentBytes, now.of('process_resident_memory_bytes'));
    return now;
  }
  const since = async (metric: string, labels?: Readonly<Record<string, string>>): Promise<number> =>
    (await counters()).of(metric, labels) - marked.of(metric, labels);
  // What it took to start is not the attackers' work.
  await Promise.all([counters(), countersOf(south)]);
  [loopDelayMs, residentBytes] = [0, 0];

  return {
    world,
    east,
    west,
    mallory,
    identity,
    victim: { name: 'east', port: east.gatewayPort },
    async mark() {
      marked = await counters();
    },
    counters,
    async refused(reason, count = 1) {
      await waitFor(`${count} times ${reason}, and nothing else`, async () => {
        const now = await counters();
        const delta = (labels?: Record<string, string>): number =>
          now.of('clusterlink_mcs_handshakes_refused_total', labels) -
          marked.of('clusterlink_mcs_handshakes_refused_total', labels);
        assert.deepEqual([delta({ reason }), delta()], [count, count]);
        return true;
      });
    },
    refusals: () => since('clusterlink_mcs_handshakes_refused_total'),
    limited: (limit, peer = 'mallory') =>
      waitFor(`it is refused at ${limit}`, async () => {
        const count = await since('clusterlink_mcs_limit_refusals_total', { limit, peer });
        return count > 0 ? count : undefined;
      }),
    async closedFor(reason, countMin = 1) {
      const labels = { direction: 'ingress', peer: 'mallory', reason };
      await waitFor(
        `closed for ${reason}`,
        async () => (await since('clusterlink_mcs_connections_total', labels)) >= countMin,
      );
    },
    hasSession: async () => (await counters()).of('clusterlink_mcs_sessions', { peer: 'mallory' }) > 0,
    async judge() {
      const [attackedMs, asideMs] = [p99(await paced.take()), p99(await aside.take())];
      await sleep(QUIET_MS);
      const afterMs = p99(await paced.take());
      // Sessions that are up hold no place of those that are still shaking hands.
      await waitFor('no handshake is in flight', async () => {
        const now = await counters();
        const used = now.of('clusterlink_mcs_limit_used_ratio', { limit: 'handshakes' });
        return used === 0 && now.of('clusterlink_mcs_sessions', { peer: 'west' }) > 0;
      });
      const quiet = Math.max(quietMs, afterMs, asideMs);
      // The longest of the whole time: nobody has asked before.
      const machineDelayMs = loopDelayOf(await countersOf(south));
      const said = JSON.stringify({
        quietMs,
        afterMs,
        asideMs,
        attackedMs,
        loopDelayMs,
        machineDelayMs,
        residentMiB: residentBytes / 2 ** 20,
      });
      assert.ok(attackedMs <= Math.max(5 * quiet, quiet + 50), `the good peer was slowed: ${said}`);
      assert.ok(loopDelayMs <= ATTACKED_LOOP_DELAY_MAX_MS + machineDelayMs, `the victim stood still: ${said}`);
      assert.ok(residentBytes <= ATTACKED_RESIDENT_BYTES_MAX, `the victim has grown: ${said}`);
    },
    async close() {
      stepForth();
      paced.stop();
      aside.stop();
      stalled.stop();
      await world.close();
    },
  };
}

const FOR_WEST = {
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'AccessPolicy',
  metadata: { namespace: 'shop', name: 'allow-echo' },
  spec: {
    action: 'allow',
    from: [{ workloadSelector: { matchLabels: { 'peer.clusterlink.net/name': 'west' } } }],
    to: [{ workloadSelector: {} }],
  },
};

function outboundPeerManifest(name: string): string {
  return peerManifest({ name, gatewayPort: 0 }).replace(/gateways:[\s\S]*/, 'gateways: []\n');
}

interface Paced {
  readonly servicePort: Promise<number>;
  order(order: PacedOrder): void;
  /** Round trips since the last call. */
  take(): Promise<readonly number[]>;
  stop(): void;
}

function startPaced(): Paced {
  const child: ChildProcess = fork(PACED);
  const serving = Promise.withResolvers<number>();
  let taken = Promise.withResolvers<readonly number[]>();
  child.on('message', (message: PacedReport) => {
    if (message.kind === 'serving') return serving.resolve(message.port);
    if (message.ended === '') taken.resolve(message.roundTripsMs);
    else taken.reject(new Error(`the good peer's connection has ended: ${message.ended}`));
  });
  const order = (message: PacedOrder): void => void child.send(message);
  return {
    servicePort: serving.promise,
    order,
    take() {
      taken = Promise.withResolvers();
      order({ kind: 'take' });
      return taken.promise;
    },
    stop: () => void child.kill(),
  };
}

/** A service that stands still: the kernel takes two connections for it, and does not answer those that come then. */
async function startStalledService(): Promise<{ readonly port: number; stop(): void }> {
  const listening = "require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, ";
  const told = 'function () { console.log(this.address().port); })';
  const child = spawn(process.execPath, ['-e', listening + told], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGSTOP');
  return { port: Number(line.toString()), stop: () => void child.kill('SIGKILL') };
}

/**
 * An attacker has a machine of its own: here it must not take the processor from the one whose fairness is measured. Only where it
 * can be undone, which the tests that come after this one want.
 */
function stepBack(): () => void {
  const before = getPriority();
  const restore = (): void => setPriority(before);
  try {
    setPriority(before + 1);
    restore();
    setPriority(ATTACKER_NICE);
    return restore;
  } catch {
    return () => undefined;
  }
}

function p99(samples: readonly number[]): number {
  assert.ok(samples.length >= 50, `only ${samples.length} answers`);
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * 0.99) - 1)] ?? NaN;
}

async function countersOf({ metricsPort }: StandalonePeer): Promise<Counters> {
  const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  return parseMetrics(await response.text());
}

/** The longest since the last scrape; its clock ticks every 10 ms. */
function loopDelayOf(counters: Counters): number {
  return counters.of('nodejs_eventloop_lag_max_seconds') * 1_000 - 10;
}

function parseMetrics(text: string): Counters {
  const series = [...text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gm)].map(([, metric = '', labels = '', value]) => ({
    metric,
    labels: new Map([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, label]) => [name, label] as const)),
    value: Number(value),
  }));
  return {
    of: (metric, labels = {}) =>
      series
        .filter((each) => each.metric === metric)
        .filter((each) => Object.entries(labels).every(([name, label]) => each.labels.get(name) === label))
        .reduce((sum, { value }) => sum + value, 0),
  };
}
