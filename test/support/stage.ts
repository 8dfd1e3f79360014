/** A pair of standalone peers on which faults are brought about and undone: see test/faults/explain.ts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { startAcceptor } from '#src/gateway/handshake.ts';
import { makeTestFabric } from './fabric.ts';
import { makeOddIdentity } from './odd-identity.ts';
import { freePort, makeWorld, policyManifest, ruleManifest, type StandalonePeer } from './standalone.ts';
import { waitFor } from './wait.ts';

export interface ExportChanges {
  readonly namespace?: string;
  /** `host:port`; undefined: the Service names none. Absent: a service that answers. */
  readonly endpoints?: string | undefined;
  /** In the place of the policy that admits everybody. */
  readonly policy?: string;
  /** An EndpointSlice in the place of the annotation. */
  readonly slice?: { readonly ready: boolean };
}

/** What a fault is brought about with; all of it is taken back by `undo`. */
export interface Stage {
  readonly eastPort: number;
  /** A file of manifests of its own. */
  write(peer: 'east' | 'west', text: string): Promise<void>;
  /** Service, ServiceExport and a policy for everybody. */
  exportTexts(name: string, changes?: ExportChanges): string;
  /** `shop/NAME` at east; the result withdraws it. */
  exportAtEast(name: string, changes?: ExportChanges): Promise<() => Promise<void>>;
  /** West can use it. */
  importReady(name: string): Promise<unknown>;
  /** West has it, usable or not. */
  importKnown(name: string): Promise<unknown>;
  /** Where west listens for the import that always works. */
  catalogAtWest(): Promise<string>;
  /** Nobody listens there. */
  closedPort(): Promise<number>;
  /** Connections to it are neither taken nor refused. */
  silentPort(): Promise<number>;
  gatewayOfOtherFabric(): Promise<number>;
  gatewayThatExpired(): Promise<number>;
  /** East is there and does nothing. */
  stopEast(): Promise<void>;
}

export interface StagedPair {
  /** Of both peers: the fabric is in its folder `fabric`. */
  readonly root: string;
  readonly stage: Stage;
  readonly east: StandalonePeer;
  readonly west: StandalonePeer;
  /** Takes back what the last fault has brought about, and waits until the pair works. */
  undo(): Promise<void>;
  close(): Promise<void>;
}

/** Connections that a server takes which accepts none: its queue has one or two places. */
const QUEUE_MAX = 8;
const SYN_WAIT_MS = 300;

/** East exports `shop/catalog`, `shop/pears` and `shop/plums`; west imports all of `shop` into `store`, and allows that. */
export async function makeStagedPair(): Promise<StagedPair> {
  const world = await makeWorld();
  const [east, west] = await Promise.all([world.peer('east'), world.peer('west')]);
  await world.link(east, west);
  const answering = createServer((socket) => socket.on('error', () => undefined));
  await listen(answering);
  let undoing = new AsyncDisposableStack();
  let files = 0;

  const importIs = (name: string, ready: string | undefined): Promise<unknown> =>
    waitFor(`import ${name}`, async () =>
      (await west.status()).imports.some((one) => one.name === name && (ready === undefined || one.ready === ready)),
    );
  const remove = (path: string) => rm(path, { force: true });

  async function writeFileOf(peer: StandalonePeer, file: string, text: string): Promise<string> {
    const path = join(peer.manifests, file);
    undoing.defer(() => remove(path));
    await writeFile(path, text);
    return path;
  }

  function exportTexts(name: string, changes: ExportChanges = {}): string {
    const { namespace = 'shop', policy, slice } = changes;
    const endpoints = 'endpoints' in changes ? changes.endpoints : `127.0.0.1:${portOf(answering)}`;
    const annotations =
      endpoints === undefined || slice !== undefined ? {} : { 'mcs.clusterlink.net/endpoints': endpoints };
    const objects = [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace, annotations },
        spec: { ports: [{ name: 'main', protocol: 'TCP', port: 80 }] },
      },
      { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: { name, namespace } },
      ...(slice === undefined ? [] : [sliceOf(name, { namespace, ready: slice.ready, port: portOf(answering) })]),
    ];
    const texts = objects.map((object) => stringify(object));
    return [...texts, policy ?? stringify(policyManifest(namespace, `allow-${name}`))].join('---\n');
  }

  async function gatewayOf(identity: PeerIdentity): Promise<number> {
    const acceptor = await startAcceptor({
      listen: { host: '127.0.0.1', port: 0 },
      identity: () => identity,
      onPeer: (_, socket) => socket.destroy(),
      onRefused: () => undefined,
    });
    undoing.defer(() => acceptor.close());
    return acceptor.address.port;
  }

  const stage: Stage = {
    eastPort: east.gatewayPort,
    async write(peer, text) {
      await writeFileOf(peer === 'east' ? east : west, `fault-${files++}.yaml`, text);
    },
    exportTexts,
    async exportAtEast(name, changes) {
      const path = await writeFileOf(east, `export-${name}.yaml`, exportTexts(name, changes));
      return () => remove(path);
    },
    importReady: (name) => importIs(name, 'True'),
    importKnown: (name) => importIs(name, undefined),
    async catalogAtWest() {
      const { imports } = await west.status();
      return `${imports.find(({ name }) => name === 'store/catalog')?.ip}:80`;
    },
    closedPort: freePort,
    async silentPort() {
      const port = await startDeafServer(undoing);
      await fillQueue(port, undoing);
      return port;
    },
    async gatewayOfOtherFabric() {
      const other = await makeTestFabric();
      undoing.defer(() => other.remove());
      return gatewayOf(await other.identity('north'));
    },
    async gatewayThatExpired() {
      const notAfter = new Date(Date.now() - 60_000);
      return gatewayOf(await makeOddIdentity({ path: world.root }, { sans: ['north'], notAfter, fabric: 'fabric' }));
    },
    async stopEast() {
      east.signal('SIGSTOP');
      undoing.defer(() => east.signal('SIGCONT'));
      return Promise.resolve();
    },
  };

  const fruits = ['catalog', 'pears', 'plums'];
  await east.write('base.yaml', fruits.map((name) => exportTexts(name)).join('---\n'));
  await west.write('base.yaml', `${ruleManifest()}---\n${stringify(policyManifest('store'))}`);
  await importIs('store/catalog', 'True');

  return {
    root: world.root,
    stage,
    east,
    west,
    async undo() {
      await undoing.disposeAsync();
      undoing = new AsyncDisposableStack();
      await waitFor(
        'west has what it had',
        async () => {
          const { imports } = await west.status();
          return imports.length === fruits.length && imports.every(({ ready }) => ready === 'True');
        },
        20_000,
      );
    },
    async close() {
      await undoing.disposeAsync();
      answering.close();
      await world.close();
    },
  };
}

async function listen(server: Server): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function sliceOf(name: string, input: { readonly namespace: string; readonly ready: boolean; readonly port: number }) {
  const { namespace, ready, port } = input;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready } }],
    ports: [{ name: 'main', protocol: 'TCP', port }],
  };
}

/** Listens and never accepts: its process sleeps for good once it has told its port. */
async function startDeafServer(undoing: AsyncDisposableStack): Promise<number> {
  const program = `
    const server = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port) + '\\n');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] });
  undoing.defer(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return Number(line);
}

/** Until the kernel drops what comes: it has no place for one more connection that nobody accepts. */
async function fillQueue(port: number, undoing: AsyncDisposableStack): Promise<void> {
  for (let count = 0; count < QUEUE_MAX; count++) {
    const socket: Socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    undoing.defer(() => void socket.destroy());
    const late = AbortSignal.timeout(SYN_WAIT_MS);
    const isTaken = await once(socket, 'connect', { signal: late }).then(
      () => true,
      () => false,
    );
    if (!isTaken) return;
  }
  throw new Error(`port ${port} takes more than ${QUEUE_MAX} connections`);
}
