/** Names are answered whatever ends behind the responder: asked all the time, and every question has its answer. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { copyFile, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { openUdpClient } from '#test/support/dns-clients.ts';
import { makeQuery, readReply } from '#test/support/dns-wire.ts';
import {
  clusterImportRule,
  makeCluster,
  namespace,
  PARTS_USER,
  peer,
  peerRecords,
  SYSTEM,
} from '#test/support/cluster-objects.ts';
import { DNS_PORT, loopbackAddress, startProcess, type PartProcess } from '#test/support/cluster-process.ts';
import {
  exportManifest,
  freePort,
  makeWorld,
  policyManifest,
  ruleManifest,
  type StandalonePeer,
  type World,
} from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeRecord } from '../unit/exchange/samples.ts';

const QUERY = makeQuery('web.store.svc.clusterset.local');
/** While something is broken, one after the other: seconds for each fault. */
const QUESTIONS = 5_000;

interface Responder {
  readonly host: string;
  readonly port: number;
}

async function ask({ host, port }: Responder): Promise<number> {
  await using client = await openUdpClient(port, '127.0.0.1', host);
  client.send(QUERY);
  return readReply(await client.receive()).answers.length;
}

/** Every question is answered with the address. @throws when one is not, in the time of a patient client. */
async function staysAnswered(responder: Responder): Promise<void> {
  for (let count = 0; count < QUESTIONS; count++) assert.equal(await ask(responder), 1, `question ${count}`);
}

describe('DNS in a cluster, while its world ends', function () {
  this.timeout(180_000);
  let server: ApiServer;
  let folder: string;
  let dns: PartProcess;
  let controller: PartProcess;
  let responder: Responder;
  let startDns: () => Promise<PartProcess>;

  before(async () => {
    server = await startApiServer();
    folder = await mkdtemp(join(tmpdir(), 'dns-faults-'));
    const cluster = makeCluster(server);
    // A copy: the server's own goes with it.
    const kubeconfig = join(folder, 'kubeconfig');
    await copyFile(await server.kubeconfigFor(PARTS_USER, ['system:masters']), kubeconfig);
    await cluster.apply(...[SYSTEM, 'store'].map(namespace), peer('east'));
    const common = { peer: 'west', kubeconfig, folder };
    responder = { host: loopbackAddress(), port: DNS_PORT };
    const [metricsPort, otherPort] = [await freePort(), await freePort()];
    startDns = () => startProcess({ ...common, part: 'dns', pod: 'dns-0', address: responder.host, metricsPort });
    controller = await startProcess({
      ...common,
      part: 'controller',
      pod: 'controller-0',
      address: loopbackAddress(),
      metricsPort: otherPort,
    });
    dns = await startDns();
    await cluster.apply(
      clusterImportRule('all', { peers: { all: true }, exports: { all: true }, into: { namespace: 'store' } }),
      peerRecords('east', [makeRecord('web', { readyEndpoints: 1 })]),
    );
    await dns.whenReady();
    await waitFor('the import is answered', async () => (await ask(responder)) === 1, 60_000);
  });
  after(async () => {
    await dns?.end('SIGKILL');
    await controller?.end('SIGKILL');
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('SIGKILL of the controller → every question is answered', async () => {
    await Promise.all([controller.end('SIGKILL'), staysAnswered(responder)]);
  });

  it('etcd stands still → every question is answered', async () => {
    await Promise.all([server.pauseEtcd(), staysAnswered(responder)]);
    await server.resumeEtcd();
  });

  it('SIGKILL of the API server → every question is answered', async () => {
    await Promise.all([server.stop('SIGKILL'), staysAnswered(responder)]);
  });

  it('SIGKILL of etcd, too → every question is answered', async () => {
    await Promise.all([server.close(), staysAnswered(responder)]);
  });

  it('then SIGKILL of DNS itself → the next one answers by what was kept', async () => {
    const kept = join(folder, 'dns-0', 'objects', 'ImportBinding.json');
    await waitFor('the import is kept', async () => (await readFile(kept, 'utf8')).includes('"web"'), 30_000);
    await dns.end('SIGKILL');
    dns = await startDns();
    await dns.whenReady();
    await staysAnswered(responder);
  });
});

describe('DNS of a standalone peer, without its manifests', function () {
  this.timeout(120_000);
  let world: World;
  let west: StandalonePeer;
  let web: Server;

  before(async () => {
    world = await makeWorld();
    const east = await world.peer('east');
    west = await world.peer('west');
    await world.link(east, west);
    web = createServer((_, response) => response.end('hello\n')).listen(0, '127.0.0.1');
    await new Promise((resolve) => web.once('listening', resolve));
    await east.write('web.yaml', exportManifest('web', 80, (web.address() as AddressInfo).port));
    await west.write('rule.yaml', `${ruleManifest()}---\n${stringify(policyManifest('store'))}`);
    await waitFor('the import is answered', async () => (await ask(responder())) === 1, 60_000);
  });
  after(async () => {
    web.close();
    await world.close();
  });
  const responder = (): Responder => ({ host: '127.0.0.1', port: west.dnsPort });

  it('the folder is gone, then back → every question is answered', async () => {
    const away = `${west.manifests}.away`;
    await Promise.all([rename(west.manifests, away), staysAnswered(responder())]);
    await staysAnswered(responder());
    await rename(away, west.manifests);
    await staysAnswered(responder());
  });
});
