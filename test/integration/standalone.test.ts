/** Two peers as processes: real dig, real curl and a real database through an import. */
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import {
  exportManifest,
  freePort,
  makeWorld,
  policyManifest,
  ruleManifest,
  type StandalonePeer,
  type World,
} from '#test/support/standalone.ts';
import { requireTool } from '#test/support/tools.ts';
import { waitFor } from '#test/support/wait.ts';

describe('two standalone peers', function () {
  this.timeout(60_000);
  let world: World;
  let east: StandalonePeer;
  let west: StandalonePeer;
  let web: Server;
  let redis: ChildProcess | undefined;

  before(async () => {
    world = await makeWorld();
    [east, west] = await Promise.all([world.peer('east'), world.peer('west')]);
    await world.link(east, west);
    web = createServer((_, response) => response.end('hello from east\n')).listen(0, '127.0.0.1');
    await new Promise((resolve) => web.once('listening', resolve));
    await east.write('web.yaml', exportManifest('web', 80, (web.address() as AddressInfo).port));
    await west.write('rule.yaml', `${ruleManifest()}---\n${stringify(policyManifest('store'))}`);
    await importReady('store/web');
  });
  after(async () => {
    redis?.kill();
    web.closeAllConnections();
    web.close();
    await world.close();
  });

  function importReady(name: string): Promise<unknown> {
    return waitFor(`${name} is ready at west`, async () =>
      (await west.status()).imports.some((one) => one.name === name && one.ready === 'True'),
    );
  }
  function dig(...words: string[]): string {
    const asked = spawnSync('dig', ['@127.0.0.1', '-p', String(west.dnsPort), '+time=2', '+tries=3', ...words], {
      encoding: 'utf8',
    });
    assert.equal(asked.status, 0, asked.stdout + asked.stderr);
    return asked.stdout;
  }
  function locate(name: string): { host: string; port: string } {
    const [, , port = ''] = dig('+short', `${name}.store.svc.clusterset.local`, 'SRV').trim().split(' ');
    return { host: dig('+short', `${name}.store.svc.clusterset.local`).trim(), port };
  }

  for (const transport of ['+notcp', '+tcp']) {
    it(`dig ${transport} → the address and the port of the import; the exporter's name does not exist here (NSS-04)`, function () {
      requireTool(this, 'dig');
      assert.match(locate('web').host, /^127\.\d+\.\d+\.\d+$/);
      assert.match(dig(transport, 'web.store.svc.clusterset.local'), /status: NOERROR/);
      assert.match(dig(transport, 'web.shop.svc.clusterset.local'), /status: NXDOMAIN/);
    });
  }

  it('curl → the answer of the service at the other peer', async function () {
    requireTool(this, 'curl');
    requireTool(this, 'dig');
    const { host, port } = locate('web');
    // Not spawnSync: the service is in this process.
    const { stdout } = await promisify(execFile)('curl', ['-sS', '--max-time', '10', `http://${host}:${port}/`]);
    assert.equal(stdout, 'hello from east\n');
  });

  it('Redis → redis-cli sets and gets, pipelines, and reads a megabyte back', async function () {
    const server = requireTool(this, 'redis-server');
    requireTool(this, 'redis-cli');
    requireTool(this, 'dig');
    const port = await freePort();
    redis = spawn(server, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
      stdio: 'ignore',
      cwd: world.root,
    });
    await east.write('db.yaml', exportManifest('db', 6379, port));
    await importReady('store/db');
    const place = locate('db');
    const ask = (words: string[], input = ''): string =>
      spawnSync('redis-cli', ['-h', place.host, '-p', place.port, ...words], {
        encoding: 'utf8',
        input,
        maxBuffer: 8 * 1024 * 1024,
      }).stdout;
    await waitFor('redis answers', () => ask(['ping']).trim() === 'PONG');
    const megabyte = 'x'.repeat(1024 * 1024);
    assert.equal(ask(['-x', 'set', 'big'], megabyte).trim(), 'OK');
    assert.equal(ask(['get', 'big']).trim(), megabyte);
    const commands = Array.from({ length: 1000 }, (_, index) => `set k${index} ${index}`).join('\n');
    assert.equal(
      ask([], commands)
        .trim()
        .split('\n')
        .filter((line) => line === 'OK').length,
      1000,
    );
    assert.equal(ask(['get', 'k999']).trim(), '999');
  });

  it('explain → every hop is ok, to the endpoint', async () => {
    const { ok, hops } = await west.explain('web.store.svc.clusterset.local:80');
    assert.equal(ok, true, JSON.stringify(hops));
    assert.deepEqual(
      hops.map(({ hop }) => hop),
      ['name', 'import', 'rule', 'source', 'egress', 'session', 'ingress', 'dial', 'endpoint'],
    );
  });

  it('metrics and probes → served, with the connections counted', async () => {
    const text = await (await fetch(`http://127.0.0.1:${west.metricsPort}/metrics`)).text();
    assert.match(
      text,
      /clusterlink_mcs_connections_total\{[^}]*import_or_export="store\/web"[^}]*reason="DONE"[^}]*\} [1-9]/,
    );
    assert.equal((await fetch(`http://127.0.0.1:${west.metricsPort}/readyz`)).status, 200);
    assert.equal((await fetch(`http://127.0.0.1:${west.metricsPort}/livez`)).status, 200);
  });

  it('west restarts while east is away → the import and its address are there at once, not ready', async () => {
    const before = (await west.status()).imports.find(({ name }) => name === 'store/web');
    await east.stop('SIGKILL');
    assert.equal(await west.stop(), 0);
    west = await world.peer('west');
    const after = (await west.status()).imports.find(({ name }) => name === 'store/web');
    assert.equal(after?.ip, before?.ip);
    await waitFor('it says why it is not ready', async () => {
      const found = (await west.status()).imports.find(({ name }) => name === 'store/web');
      return found?.ready.startsWith('False (NoUsableSource)');
    });
    assert.equal(dig('+short', 'web.store.svc.clusterset.local').trim(), before?.ip);
  });
});
