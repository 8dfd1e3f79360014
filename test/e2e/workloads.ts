/** Pods that offer and use services, and what becomes of a connection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { IPod } from '#src/api/generated/Pod.ts';
import type { ObjectKey } from '#src/api/object.ts';
import type { Finished } from '#test/clusters/command.ts';
import { eventually } from './api.ts';
import { IMAGE, TOOLS_IMAGE, type Peer } from './fixture.ts';
import { hold, idle, load, serve, toScript, type LoadReport } from './programs.ts';

const RESTRICTED = { allowPrivilegeEscalation: false, runAsNonRoot: true, runAsUser: 65_532 };
const NODE = '/bin/node';
const READY_TIMEOUT_MS = 60_000;

const container = (name: string, command: readonly string[], extra: object = {}): object => ({
  name,
  image: name === 'tools' ? TOOLS_IMAGE : IMAGE,
  imagePullPolicy: 'IfNotPresent',
  command,
  securityContext: RESTRICTED,
  // Without it a pod gets what is left on a busy node, which is next to nothing.
  resources: { requests: { cpu: '50m' } },
  ...extra,
});

export const namespace = (name: string): object => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

/** Ready pods that are called so, and answer with `<peer>/<pod>`: HTTP at 8080, echo at 7000. */
export function server(peer: Peer, key: ObjectKey, replicas = 1): object {
  const labels = { app: key.name };
  const env = [
    { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'WHO', value: `${peer.name}/$(POD)` },
  ];
  const readinessProbe = { tcpSocket: { port: 7000 }, periodSeconds: 1 };
  const spec = {
    terminationGracePeriodSeconds: 1,
    containers: [container('node', [NODE, '-e', toScript(serve)], { env, readinessProbe })],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: key,
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

/** HTTP at 80 and echo at 7000, of the pods of a {@link server}. */
export function service(key: ObjectKey, app: string, extra: object = {}): object {
  const ports = [
    { name: 'http', port: 80, targetPort: 8080 },
    { name: 'echo', port: 7000 },
  ];
  return { apiVersion: 'v1', kind: 'Service', metadata: key, spec: { selector: { app }, ports, ...extra } };
}

export const serviceExport = (key: ObjectKey, annotations: Readonly<Record<string, string>> = {}): object => ({
  apiVersion: 'multicluster.x-k8s.io/v1beta1',
  kind: 'ServiceExport',
  metadata: { ...key, annotations },
});

export interface ClientOptions {
  readonly serviceAccount?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly hostNetwork?: boolean;
}

/** A pod in which commands are run: dash, curl and dig in its container `tools`, Node in `node`. */
export function client(key: ObjectKey, { serviceAccount, labels = {}, hostNetwork }: ClientOptions = {}): object[] {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { ...key, name: serviceAccount } };
  const spec = {
    terminationGracePeriodSeconds: 1,
    ...(serviceAccount === undefined ? {} : { serviceAccountName: serviceAccount }),
    ...(hostNetwork === undefined ? {} : { hostNetwork, dnsPolicy: 'ClusterFirstWithHostNet' }),
    containers: [container('node', [NODE, '-e', toScript(idle)]), container('tools', ['sleep', '86400'])],
  };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...key, labels }, spec };
  return serviceAccount === undefined ? [pod] : [account, pod];
}

export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  /** Connections a second. */
  readonly rate: number;
  /** Transfers that go on. */
  readonly long: number;
}

/** A pod that does nothing else from its beginning on; see {@link readLoad}. */
export function loadPod(key: ObjectKey, { host, port, rate, long }: LoadOptions): object {
  const env = Object.entries({ HOST: host, PORT: port, RATE: rate, LONG: long }).map(([name, value]) => ({
    name,
    value: String(value),
  }));
  const readinessProbe = { tcpSocket: { port: 8090 }, periodSeconds: 1 };
  const containers = [container('node', [NODE, '-e', toScript(load)], { env, readinessProbe })];
  return { apiVersion: 'v1', kind: 'Pod', metadata: key, spec: { terminationGracePeriodSeconds: 1, containers } };
}

export async function readLoad(peer: Peer, key: ObjectKey): Promise<LoadReport> {
  return JSON.parse(await peer.readPod(key, '8090/')) as LoadReport;
}

export async function whenPodsReady(
  peer: Peer,
  place: string,
  count: number,
  timeoutMs = READY_TIMEOUT_MS,
): Promise<IPod[]> {
  return eventually(
    `${peer.name}: ${count} pods of ${place} are ready`,
    async () => {
      const pods = (await peer.list('Pod', place)).filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
      return pods.length === count && pods.every(isReady) ? pods : undefined;
    },
    timeoutMs,
  );
}

export function isReady({ status }: IPod): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

/** Runs a command in the container `tools` of a client; any exit code is an answer. */
export function inPod(
  peer: Peer,
  { namespace: place, name }: ObjectKey,
  command: readonly string[],
): Promise<Finished> {
  return peer.tryKubectl(['-n', place, 'exec', name, '-c', 'tools', '--', ...command]);
}

/** Exit codes of curl. */
export const CURL = { unknownHost: 6, refused: 7, timeout: 28, sendError: 55, reset: 56 } as const;
const REFUSALS: readonly number[] = [CURL.refused, CURL.sendError, CURL.reset];

/** Whether curl was turned away; never by an end without an answer. Which of the codes it is depends on how far it was with its request. */
export const isRefusal = (code: number): boolean => REFUSALS.includes(code);

/** What curl prints of `http://HOST/`: the server's name. @throws {Error} with what curl said. */
export async function get(peer: Peer, from: ObjectKey, host: string): Promise<string> {
  const { stdout, stderr, code } = await tryGet(peer, from, host);
  assert.equal(code, 0, `curl of ${host} from ${from.name}: ${stderr}`);
  return stdout.trim();
}

export function tryGet(peer: Peer, from: ObjectKey, host: string): Promise<Finished> {
  return inPod(peer, from, ['curl', '-sS', '-m', '5', `http://${host}/`]);
}

/** Who answers each of many requests that curl makes one after the other, each over a connection of its own; '' where one failed. */
export async function getMany(peer: Peer, from: ObjectKey, host: string, count: number): Promise<string[]> {
  const loop = `i=0; while [ $i -lt ${count} ]; do curl -s -m 5 http://${host}/ || echo; i=$((i+1)); done`;
  const { stdout } = await inPod(peer, from, ['sh', '-c', loop]);
  return stdout.split('\n').slice(0, count);
}

/** The lines of `dig +short NAME TYPE`, sorted. @throws {Error} when no server answered. */
export async function dig(peer: Peer, from: ObjectKey, name: string, type = 'A'): Promise<string[]> {
  const { stdout, stderr, code } = await inPod(peer, from, ['dig', '+short', '+time=3', '+tries=4', name, type]);
  assert.equal(code, 0, `dig of ${name} from ${from.name}: ${stdout} ${stderr}`);
  // A try without an answer is a line of its own, also where the next one is answered.
  const lines = stdout.split('\n').filter((line) => !line.startsWith(';'));
  return lines.filter(Boolean).sort();
}

/** `ECONNRESET`, `ECONNREFUSED` or what else becomes of a connection that must not open. curl tells the two apart only at times. */
export async function refusalOf(peer: Peer, from: ObjectKey, to: { host: string; port: number }): Promise<string> {
  const held = await tryHold(peer, from, to);
  if (!('who' in held)) return held.why;
  held.close();
  assert.fail(`${from.name} was let in by ${held.who}`);
}

/**
 * How much later than a gateway the tests here see what it does: kubectl, a watch and the kubelet's stream are on the way. The bounds
 * themselves are held by test/integration, in gateway*.test.ts and clusterlink-*.test.ts.
 */
export const SEEN_LATE_MS = 3_000;

export interface Held {
  readonly who: string;
  /** How it was over, and how long after it was opened. */
  readonly over: Promise<{ readonly why: string; readonly afterMs: number }>;
  readonly isOver: () => boolean;
  close(): void;
}

/** A connection that a client keeps open and talks over. @throws {Error} when it does not open. */
export async function holdOpen(peer: Peer, from: ObjectKey, to: { host: string; port: number }): Promise<Held> {
  const held = await tryHold(peer, from, to);
  if (!('who' in held)) assert.fail(`${from.name} was not let in: ${held.why}`);
  return held;
}

interface HoldEvent {
  readonly event: 'open' | 'over';
  readonly who: string;
  readonly why: string;
  readonly afterMs: number;
}

async function tryHold(
  peer: Peer,
  from: ObjectKey,
  { host, port }: { host: string; port: number },
): Promise<Held | { readonly why: string }> {
  const program = [NODE, '-e', toScript(hold), host, String(port)];
  const child = peer.spawnKubectl(['-n', from.namespace, 'exec', from.name, '-c', 'node', '--', ...program]);
  child.stderr.resume();
  const first = Promise.withResolvers<HoldEvent>();
  const over = Promise.withResolvers<HoldEvent>();
  let isOver = false;
  createInterface(child.stdout).on('line', (line) => {
    const event = JSON.parse(line) as HoldEvent;
    first.resolve(event);
    if (event.event === 'open') return;
    isOver = true;
    over.resolve(event);
  });
  void once(child, 'close').then(() => first.reject(new Error(`${from.name}: the program ended without a word`)));
  const event = await first.promise;
  if (event.event === 'over') return event;
  return { who: event.who, over: over.promise, isOver: () => isOver, close: () => void child.kill() };
}
