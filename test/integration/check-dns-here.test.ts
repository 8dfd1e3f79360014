/** `check dns` of a resolver: in a pod, on a machine, with a configuration of a peer. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDnsServer } from '#src/dns/server.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { runCheckDns, verdictsOf, type Outcome } from '#test/support/check-dns.ts';
import { FIXTURE, ZONE } from '#test/support/dns-fixture.ts';

/** A resolver that forwards our zone to `upstream`, and says of everything else that there is no such name. */
async function startForwarder(
  upstream: number | undefined,
): Promise<{ readonly address: string; readonly socket: Socket }> {
  const socket = createSocket('udp4');
  socket.on('message', (query, client) => {
    const isOurs = query.includes(Buffer.from('\x0aclusterset\x05local\x00', 'latin1'));
    if (isOurs && upstream !== undefined) {
      const relay = createSocket('udp4');
      relay.once('message', (answer) => {
        socket.send(answer, client.port, client.address);
        relay.close();
      });
      return relay.send(query, upstream, '127.0.0.1');
    }
    const answer = Buffer.from(query);
    answer.writeUInt16BE(0x8183, 2);
    socket.send(answer, client.port, client.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { address: `127.0.0.1:${socket.address().port}`, socket };
}

describe('check dns from here', () => {
  const NAME = `web.shop.svc.${ZONE}`;
  let responder: Awaited<ReturnType<typeof startDnsServer>>;
  let port = 0;
  before(async () => {
    const options = { listen: { host: '127.0.0.1', port: 0 }, clients: ['127.0.0.0/8'], logger: makeSilentLogger() };
    responder = await startDnsServer(options);
    responder.apply(FIXTURE);
    ({ port } = responder.address);
  });
  after(() => responder.close());

  async function checkHere(upstream: number | undefined, ...words: string[]): Promise<Outcome> {
    const { address, socket } = await startForwarder(upstream);
    try {
      return await runCheckDns('--from-here', '--resolver', address, '--responder', `127.0.0.1:${port}`, ...words);
    } finally {
      socket.close();
    }
  }

  it('a resolver that forwards the zone → answered, as the responder answers, with the cost of the search list; exit code 0', async () => {
    const { exitCode, out } = await checkHere(port, '--name', `${NAME}.`);
    assert.equal(exitCode, 0, out);
    assert.match(out, /^ok +Answered +dns-version\.clusterset\.local TXT +127\.0\.0\.1:\d+ says 1\.0\.0 in \d+ ms$/m);
    assert.match(
      out,
      /^ok +Answered +web\.shop\.svc\.clusterset\.local A +\S+ says 10\.45\.0\.7 in \d+ ms, as the responder does$/m,
    );
    assert.match(out, /^ok +SearchCost /m);
  });

  it('one that does not → failed, exit code 1', async () => {
    const { exitCode, out } = await checkHere(undefined, '--name', NAME, '-o', 'json');
    assert.equal(exitCode, 1);
    assert.deepEqual(verdictsOf(out).slice(0, 3), ['ok Answered', 'failed NotAnswered', 'failed Disagrees']);
  });

  it('a name that is no import → failed: the responder says the same', async () => {
    const { exitCode, out } = await checkHere(port, '--name', `nosuch.shop.svc.${ZONE}`);
    assert.equal(exitCode, 1);
    assert.match(out, /NotAnswered .*NXDOMAIN/);
    assert.match(out, /the responder says the same/);
  });

  it('nobody listens there → exit code 3', async () => {
    const { address, socket } = await startForwarder(port);
    socket.close();
    await once(socket, 'close');
    const { exitCode, out } = await runCheckDns(
      '--from-here',
      '--resolver',
      address,
      '--responder',
      `127.0.0.1:${port}`,
    );
    assert.equal(exitCode, 3);
    assert.match(out, /^failed +ResolverSilent .*ECONNREFUSED/m);
  });

  it('in a pod → from here by itself, not by the API server', async () => {
    const { address, socket } = await startForwarder(port);
    process.env['KUBERNETES_SERVICE_HOST'] = '192.0.2.1';
    try {
      const { out } = await runCheckDns('--resolver', address, '-o', 'json', '--name', NAME);
      assert.ok(verdictsOf(out).includes('ok SearchCost'), out);
    } finally {
      delete process.env['KUBERNETES_SERVICE_HOST'];
      socket.close();
    }
  });
});

describe('check dns of a peer on a machine', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'check-dns-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function configure(port: number): Promise<string> {
    const fabric = { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' };
    const file = join(folder, `${port}.yaml`);
    await writeFile(
      file,
      JSON.stringify({ peer: 'east', fabric, dns: { listen: `127.0.0.1:${port}`, zones: ['x.local'] } }),
    );
    return file;
  }

  it('the resolver does not forward its zone → failed, with the recipe for this machine; nobody listens → exit code 3', async () => {
    const options = { listen: { host: '127.0.0.1', port: 0 }, clients: ['127.0.0.0/8'], logger: makeSilentLogger() };
    const responder = await startDnsServer(options);
    responder.apply({ ...FIXTURE, zones: ['x.local'] });
    const { port } = responder.address;
    const { address, socket } = await startForwarder(undefined);
    const words = ['--config', await configure(port), '--resolver', address, '--state', folder];
    const { exitCode, out } = await runCheckDns(...words, '--name', 'web.shop.svc.x.local');
    assert.equal(exitCode, 1, out);
    assert.match(
      out,
      new RegExp(`^ok +Answered +the responder, dns-version.x.local TXT +127.0.0.1:${port} says 1.0.0`, 'm'),
    );
    assert.match(out, /^failed +NotAnswered +dns-version.x.local TXT /m);
    assert.match(out, new RegExp(`127\\.0\\.0\\.1[:@#]${port}`));
    assert.match(out, /x\.local/);
    await responder.close();
    const gone = await runCheckDns(...words);
    assert.equal(gone.exitCode, 3, gone.out);
    assert.match(gone.out, /^failed +ResponderSilent /m);
    socket.close();
  });

  it('a configuration that is not there → exit code 1; one that is wrong → 2', async () => {
    assert.equal((await runCheckDns('--config', join(folder, 'none.yaml'))).exitCode, 1);
    await writeFile(join(folder, 'wrong.yaml'), 'dns: {listen: 1}');
    assert.equal((await runCheckDns('--config', join(folder, 'wrong.yaml'))).exitCode, 2);
  });
});

describe('check dns --help', () => {
  it('→ teaches with examples', () => {
    const launcher = fileURLToPath(new URL('../../bin/clusterlink-mcs.mjs', import.meta.url));
    const { status, stdout } = spawnSync(process.execPath, [launcher, 'check', 'dns', '--help'], { encoding: 'utf8' });
    assert.equal(status, 0);
    assert.match(stdout, /Examples:\n {2}npx clusterlink-mcs check dns --context east\n/);
  });
});
