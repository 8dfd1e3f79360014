/**
 * Bad input, item by item: a clear error or a counted, reasoned refusal that says which object and what to do, while
 * everything else keeps working.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { stringify } from 'yaml';
import { createFabricFiles, createPeerCertFiles, loadIdentity } from '#src/fabric/files.ts';
import { createRequest } from '#src/fabric/request.ts';
import { signRequest } from '#src/fabric/sign.ts';
import { clientTlsOptions } from '#src/fabric/tls.ts';
import { dialPeer } from '#src/gateway/handshake.ts';
import {
  exportManifest,
  MAIN,
  makeWorld,
  policyManifest,
  ruleManifest,
  type StandalonePeer,
  type World,
} from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

describe('bad input', function () {
  this.timeout(60_000);
  let world: World;
  let east: StandalonePeer;
  let west: StandalonePeer;
  let echo: Server;
  const others: Server[] = [];

  before(async () => {
    world = await makeWorld();
    [east, west] = await Promise.all([world.peer('east'), world.peer('west')]);
    await world.link(east, west);
    echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    await east.write('echo.yaml', exportManifest('echo', 7777, (echo.address() as AddressInfo).port));
    await west.write('rule.yaml', ruleManifest());
    await west.write('policy.yaml', stringify(policyManifest('store')));
    await assertStillWorks();
  });
  after(async () => {
    echo.close();
    await world.close();
  });
  afterEach(async () => {
    for (const server of others.splice(0)) server.close();
    await rm(join(west.manifests, 'bad.yaml'), { force: true });
    await waitFor('the problem is gone with its file', async () => (await west.status()).problems.length === 0);
    await assertStillWorks();
  });

  /** The good import passes bytes, whatever stands beside it. */
  async function assertStillWorks(): Promise<void> {
    await waitFor('store/echo passes bytes', async () => {
      const found = (await west.status()).imports.find(({ name }) => name === 'store/echo');
      if (found?.ready !== 'True') return false;
      const port = Number(/at (\d+)/.exec(found.ports)?.[1] ?? 7777);
      return (await roundTrip(found.ip, port)) === 'ping';
    });
  }
  function roundTrip(host: string, port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, host, () => socket.write('ping'));
      socket.once('data', (chunk: Buffer) => {
        socket.destroy();
        resolve(chunk.toString());
      });
      socket.once('error', reject);
    });
  }
  /** The running peer says so in its status, and `check` says the same without running. */
  async function assertProblem(text: string, wanted: RegExp): Promise<void> {
    await west.write('bad.yaml', text);
    const problem = await waitFor('the peer reports the file', async () =>
      (await west.status()).problems.find((line) => line.includes('bad.yaml')),
    );
    assert.match(problem, wanted);
    assert.match(problem, /bad\.yaml:\d+/);
    assert.match(problem, /Fix: /);
    const checked = spawnSync(process.execPath, [MAIN, 'check', west.manifests], { encoding: 'utf8' });
    assert.equal(checked.status, 1, checked.stdout);
    assert.match(checked.stdout, wanted);
  }
  const service = (changes: Record<string, unknown>): string =>
    stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'bad', namespace: 'shop' }, ...changes });

  it('invalid YAML → file and line, the other files stay in force', () =>
    assertProblem('kind: Service\n  metadata: {name: x\n', /bad\.yaml/));

  it('half a file after a good one → the good objects of before stay', async () => {
    const good = ruleManifest(
      { exports: { namespaces: ['shop'], names: ['echo'] }, into: { namespace: 'twice' } },
      'twice',
    );
    await west.write('bad.yaml', good);
    await waitFor('its import is there', async () =>
      (await west.status()).imports.some(({ name }) => name === 'twice/echo'),
    );
    await assertProblem(good.slice(0, -30).concat('{{{'), /bad\.yaml/);
    assert.ok((await west.status()).imports.some(({ name }) => name === 'twice/echo'));
  });

  it('wrong kinds → a kind that is written by the product alone is refused', () =>
    assertProblem(
      stringify({
        apiVersion: 'mcs.clusterlink.net/v1alpha1',
        kind: 'ImportBinding',
        metadata: { name: 'x', namespace: 'clusterlink-system' },
        spec: {},
      }),
      /ImportBinding/,
    ));

  it('unknown fields → the field, and the one that was meant', () =>
    assertProblem(service({ spec: { prots: [] } }), /spec\.prots.*ports/));

  it('one object in two files → both are named, the first counts', () => assertProblem(ruleManifest(), /rule\.yaml/));

  it('names that are not labels → the field', () =>
    assertProblem(
      service({ metadata: { name: 'Not_A_Label', namespace: 'shop' }, spec: { ports: [{ port: 1 }] } }),
      /metadata\.name/,
    ));

  for (const port of [0, 70_000]) {
    it(`port ${port} → the field and its bounds`, () =>
      assertProblem(service({ spec: { ports: [{ port }] } }), new RegExp(`spec\\.ports\\[0\\]\\.port.*65535`)));
  }

  it('two rules for one import → one owns it, the other says whose it is', async () => {
    await west.write('bad.yaml', ruleManifest({ priority: -1 }, 'second'));
    const lost = await waitFor('the losing rule says so', async () =>
      (await west.status()).skipped.find(({ rule }) => rule === 'second'),
    );
    assert.equal(lost.reason, 'NameTaken');
    const rule = await west.get<{ status: { conditions: { type: string; status: string; message: string }[] } }>(
      'ClusterImportRule',
      'second',
    );
    const collision = rule.status.conditions.find(({ type }) => type === 'Collision');
    assert.equal(collision?.status, 'True');
    assert.match(collision.message, /shop-into-store/);
  });

  it('a wildcard listener already on the service’s port → another port, told by status, condition and SRV', async () => {
    const wildcard = createServer().listen(0, '0.0.0.0');
    others.push(wildcard);
    await once(wildcard, 'listening');
    const { port } = wildcard.address() as AddressInfo;
    await east.write('taken.yaml', exportManifest('taken', port, (echo.address() as AddressInfo).port));
    const found = await waitFor('the import is remapped', async () =>
      (await west.status()).imports.find(
        ({ name, ready, ports }) => name === 'store/taken' && ready === 'True' && ports.includes(' at '),
      ),
    );
    const listenPort = Number(/at (\d+)/.exec(found.ports)?.[1]);
    assert.ok(listenPort >= 20_000 && listenPort <= 29_999);
    assert.equal(await roundTrip(found.ip, listenPort), 'ping');
    const binding = await west.get<{ status: { listeners: { reason: string; message: string }[] } }>(
      'ImportBinding',
      'clusterlink-system/taken.store',
    );
    assert.equal(binding.status.listeners[0]?.reason, 'PORT_REMAPPED');
    assert.match(binding.status.listeners[0].message, /--dport/);
    await rm(join(east.manifests, 'taken.yaml'));
  });

  it('port 80 as an unprivileged user → another port, and why', async function () {
    const { makeListeners } = await import('#src/gateway/listeners.ts');
    if (process.getuid?.() === 0 && process.platform === 'linux') {
      // Root may have port 80: the rights are dropped for the one call that asks for it.
      process.setegid?.(65_534);
      process.seteuid?.(65_534);
    }
    try {
      const state = Promise.withResolvers<{ listenPort?: number; message?: string }>();
      const listeners = makeListeners({
        onClient: () => undefined,
        onState: (_, [listener]) => {
          if (listener?.state !== 'Closed' && listener !== undefined) state.resolve(listener);
        },
      });
      const wanted = {
        object: 'store/web',
        port: 80,
        address: '127.98.7.6',
        listenPort: 80,
        ifTaken: 'remap' as const,
      };
      listeners.apply([wanted], () => true);
      const { listenPort = 0, message = '' } = await state.promise;
      await listeners.close();
      const mayListen = Number(await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) <= 80;
      if (mayListen) assert.equal(listenPort, 80);
      else {
        assert.ok(listenPort >= 20_000);
        assert.match(message, /privilege/);
      }
    } finally {
      if (process.geteuid?.() !== process.getuid?.()) {
        process.seteuid?.(0);
        process.setegid?.(0);
      }
    }
  });

  async function refusedHandshakes(peer: StandalonePeer, reason: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${peer.metricsPort}/metrics`)).text();
    return Number(new RegExp(`handshakes_refused_total\\{reason="${reason}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
  }
  async function assertCounted(reason: string, act: () => Promise<unknown>): Promise<void> {
    const before = await refusedHandshakes(east, reason);
    await act();
    await waitFor(`${reason} is counted`, async () => (await refusedHandshakes(east, reason)) > before);
  }
  async function dialEast(identityFolder: string): Promise<void> {
    const identity = await loadIdentity({
      ca: join(identityFolder, '..', 'cert.pem'),
      cert: join(identityFolder, 'cert.pem'),
      key: join(identityFolder, 'key.pem'),
    });
    const socket = connectTls({
      host: '127.0.0.1',
      port: east.gatewayPort,
      ...clientTlsOptions(identity, { peer: 'east' }),
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('close', resolve));
  }

  it('a certificate for another peer → the dialler does not take it for the one it wanted', async () => {
    const identity = await loadIdentity({
      ca: join(world.root, 'fabric', 'cert.pem'),
      cert: join(world.root, 'fabric', 'west', 'cert.pem'),
      key: join(world.root, 'fabric', 'west', 'key.pem'),
    });
    const dialled = await dialPeer({
      peer: 'south',
      gateway: { host: '127.0.0.1', port: east.gatewayPort },
      identity,
      signal: AbortSignal.timeout(5_000),
    });
    assert.deepEqual([dialled.ok, dialled.ok ? '' : dialled.reason], [false, 'PEER_NAME_MISMATCH']);
  });

  it('a certificate of a name that no Peer object has → refused, counted', async () => {
    await createPeerCertFiles({ path: world.root, fabric: 'fabric', peer: 'stranger' });
    await assertCounted('PEER_UNKNOWN', () => dialEast(join(world.root, 'fabric', 'stranger')));
  });

  it('an expired certificate → refused by the gateway, counted', async () => {
    const folder = join(world.root, 'fabric');
    const [caCertPem, caKeyPem] = [
      await readFile(join(folder, 'cert.pem'), 'utf8'),
      await readFile(join(folder, 'key.pem'), 'utf8'),
    ];
    const { keyPem, csrPem } = await createRequest({ peer: 'west' });
    const past = new Date(Date.now() - 2 * 86_400_000);
    const certPem = await signRequest({ caCertPem, caKeyPem, csrPem, days: 1, now: past });
    const identity = { peer: 'west', certPem, keyPem, caPem: caCertPem, notAfter: past };
    await assertCounted('CERT_EXPIRED', async () => {
      const socket = connectTls({
        host: '127.0.0.1',
        port: east.gatewayPort,
        ...clientTlsOptions(identity, { peer: 'east' }),
      });
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('close', resolve));
    });
  });

  it('a foreign CA → refused, counted', async () => {
    await createFabricFiles({ path: world.root, fabric: 'foreign' });
    await createPeerCertFiles({ path: world.root, fabric: 'foreign', peer: 'west' });
    await assertCounted('PEER_ROOT_MISMATCH', () => dialEast(join(world.root, 'foreign', 'west')));
  });

  it('an own certificate that has expired or is another’s → the peer does not start, and says what to do', async () => {
    await createFabricFiles({ path: world.root, fabric: 'second' });
    await createPeerCertFiles({ path: world.root, fabric: 'second', peer: 'north' });
    const config = join(world.root, 'north.yaml');
    const folder = join(world.root, 'second');
    await writeFile(
      config,
      stringify({
        peer: 'south',
        fabric: {
          ca: join(folder, 'cert.pem'),
          cert: join(folder, 'north', 'cert.pem'),
          key: join(folder, 'north', 'key.pem'),
        },
      }),
    );
    const ended = spawnSync(
      process.execPath,
      [MAIN, 'run', '--store', `dir:${west.manifests}`, '--state', join(world.root, 'north-state'), '--config', config],
      { encoding: 'utf8', timeout: 20_000 },
    );
    assert.notEqual(ended.status, 0);
    assert.match(ended.stderr, /ERR_CERTIFICATE .*north.*Fix: /s);
  });

  it('garbage instead of TLS → refused, counted', () =>
    assertCounted('MALFORMED', async () => {
      const socket = connect(east.gatewayPort, '127.0.0.1', () => socket.write(randomBytes(4096)));
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('close', resolve));
    }));

  it('garbage inside a session → the session ends, counted, with the peer’s name', async () => {
    const folder = join(world.root, 'fabric', 'west');
    const identity = await loadIdentity({
      ca: join(world.root, 'fabric', 'cert.pem'),
      cert: join(folder, 'cert.pem'),
      key: join(folder, 'key.pem'),
    });
    await assertCounted('MALFORMED', async () => {
      const dialled = await dialPeer({
        peer: 'east',
        gateway: { host: '127.0.0.1', port: east.gatewayPort },
        identity,
        signal: AbortSignal.timeout(5_000),
      });
      assert.ok(dialled.ok);
      dialled.socket.on('error', () => undefined);
      dialled.socket.resume().write(randomBytes(4096));
      await new Promise((resolve) => dialled.socket.once('close', resolve));
    });
    await waitFor('the log names the peer', () => /"reason":"MALFORMED","from":"west at/.test(east.log()));
  });
});
