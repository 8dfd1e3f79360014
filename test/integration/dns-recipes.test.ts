/** The recipes of docs/DNS.md, as they stand there, in the real dnsmasq and unbound before a real responder. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDnsServer, type DnsServer } from '#src/dns/server.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { runDig, type DigAnswer } from '#test/support/dns-clients.ts';
import { clusterSetIp, FIXTURE, ZONE } from '#test/support/dns-fixture.ts';
import { requireTool } from '#test/support/tools.ts';
import { waitFor } from '#test/support/wait.ts';

const DOCUMENT = readFileSync(new URL('../../docs/DNS.md', import.meta.url), 'utf8');
const LOOPBACK = `local.shop.svc.${ZONE}`;
const STARTED_MS = 10_000;
const START_TRIES = 3;
/** An answer to a query with recursion, RFC 1035 §4.1.1. */
const NXDOMAIN = 0x8183;
/** The key of the root: with it unbound wants signatures, as distributions install it. https://data.iana.org/root-anchors/ */
const ROOT_KEY = '. DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D';

/** The first code block below a heading. */
function recipe(heading: string): string {
  const [, section = ''] = DOCUMENT.split(`\n### ${heading}\n`);
  const [, text] = /^```\w*\n([\s\S]*?)^```$/m.exec(section) ?? [];
  assert.ok(text !== undefined, `docs/DNS.md has no recipe for ${heading}`);
  return text;
}

/** Where nothing listens now, over UDP and TCP. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = createSocket('udp4');
  try {
    socket.bind(port, '127.0.0.1');
    await once(socket, 'listening');
    return port;
  } catch {
    return await freePort();
  } finally {
    socket.close();
    server.close();
    await once(server, 'close');
  }
}

interface Resolver extends AsyncDisposable {
  ask(...args: readonly string[]): Promise<DigAnswer>;
}

describe('docs/DNS.md, recipes', function () {
  this.timeout(60_000);
  let dig = '';
  let folder = '';
  let responder: DnsServer;
  let world: Socket;
  let worldPort = 0;
  /** What the world was asked for. */
  let asked: Buffer[] = [];

  before(async function () {
    dig = requireTool(this, 'dig');
    folder = await mkdtemp(join(tmpdir(), 'dns-recipes-'));
    const options = { listen: { host: '127.0.0.1', port: 0 }, clients: ['127.0.0.0/8'], logger: makeSilentLogger() };
    responder = await startDnsServer(options);
    world = createSocket('udp4');
    world.on('message', (query, client) => {
      asked.push(query);
      const answer = Buffer.from(query.subarray(0, query.indexOf(0, 12) + 5));
      answer.writeUInt16BE(NXDOMAIN, 2);
      answer.fill(0, 6, 12);
      world.send(answer, client.port, client.address);
    });
    world.bind(0, '127.0.0.1');
    await once(world, 'listening');
    worldPort = world.address().port;
    const local = clusterSetIp('local', { ips: ['127.96.0.7'] });
    responder.apply({ ...FIXTURE, services: [...FIXTURE.services, local] });
  });
  after(async () => {
    if (folder === '') return;
    world.close();
    await responder.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** With the port of our responder in place of the default one. */
  const withPort = (text: string): string => {
    const changed = text.replaceAll(/127\.0\.0\.1([#@])5353/g, `127.0.0.1$1${responder.address.port}`);
    assert.notEqual(changed, text);
    return changed;
  };

  async function start(program: string, args: readonly string[], port: number): Promise<Resolver> {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()));
    const ask: Resolver['ask'] = (...words) => runDig(dig, port, words);
    const dispose = (): Promise<void> => stop(child);
    try {
      const answers = (): Promise<boolean> =>
        ask('CH', 'TXT', 'version.bind', '+timeout=1').then(
          () => true,
          () => false,
        );
      await waitFor(`${program} answers`, async () => child.exitCode !== null || (await answers()), STARTED_MS);
      assert.equal(child.exitCode, null, said);
    } catch (error) {
      await dispose();
      throw error;
    }
    return { ask, [Symbol.asyncDispose]: dispose };
  }

  async function stop(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** A port that was free may be taken before the program has it. */
  async function onFreePort(startAt: (port: number) => Promise<Resolver>): Promise<Resolver> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await startAt(await freePort());
      } catch (error) {
        if (tries === START_TRIES || !/in use/i.test(String(error))) throw error;
      }
    }
  }

  async function startDnsmasq(program: string, text: string, port: number): Promise<Resolver> {
    const file = join(folder, `dnsmasq-${port}.conf`);
    await writeFile(file, text);
    const own = [
      '--keep-in-foreground',
      '--no-resolv',
      '--no-hosts',
      '--stop-dns-rebind',
      '--bind-interfaces',
      `--server=127.0.0.1#${worldPort}`,
    ];
    const user = process.getuid?.() === 0 ? ['--user=root', '--group=root'] : [];
    const place = [`--port=${port}`, '--listen-address=127.0.0.1', '--pid-file', `--conf-file=${file}`];
    return start(program, [...own, ...user, ...place], port);
  }

  async function startUnbound(program: string, text: string, port: number): Promise<Resolver> {
    const file = join(folder, `unbound-${port}.conf`);
    const own = `server:
    interface: 127.0.0.1
    port: ${port}
    do-daemonize: no
    chroot: ""
    username: ""
    directory: "${folder}"
    pidfile: ""
    use-syslog: no
    trust-anchor: "${ROOT_KEY}"
    private-address: 127.0.0.0/8
    private-address: 10.0.0.0/8
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@${worldPort}
`;
    await writeFile(file, own + text);
    return start(program, ['-d', '-c', file], port);
  }

  const programs = {
    dnsmasq: startDnsmasq,
    unbound: startUnbound,
  };
  for (const [name, startProgram] of Object.entries(programs) as [keyof typeof programs, typeof startDnsmasq][]) {
    describe(name, () => {
      let program = '';
      before(function () {
        program = requireTool(this, name);
      });

      it('the recipe → the names of the clusterset, loopback addresses among them, and no others', async () => {
        asked = [];
        await using resolver = await onFreePort((port) => startProgram(program, withPort(recipe(name)), port));
        const web = await resolver.ask(`web.shop.svc.${ZONE}`, 'A');
        assert.deepEqual([web.status, web.answers], ['NOERROR', ['10.45.0.7']], web.text);
        const version = await resolver.ask(`dns-version.${ZONE}`, 'TXT');
        assert.deepEqual(version.answers, ['1.0.0'], version.text);
        const ports = await resolver.ask(`web.shop.svc.${ZONE}`, 'SRV');
        assert.equal(ports.answers.length, 2, ports.text);
        assert.equal((await resolver.ask(`nosuch.shop.svc.${ZONE}`, 'A')).status, 'NXDOMAIN');
        assert.deepEqual((await resolver.ask(LOOPBACK, 'A')).answers, ['127.96.0.7']);
        const isAsked = (label: string): boolean => asked.some((query) => query.includes(label));
        assert.ok(!isAsked('clusterset'), 'our names have not left the machine');
        const other = await resolver.ask('example.org', 'A');
        assert.ok(other.answers.length === 0 && other.status !== 'NOERROR', other.text);
        assert.ok(isAsked('example'), 'all other names go where they went');
      });

      const lines = recipe(name)
        .split('\n')
        .filter((line) => /^(?: {4}(?!name|stub-addr)|rebind)/.test(line));
      assert.ok(lines.length > 0);
      for (const line of lines) {
        it(`without "${line.trim()}" → a name is not answered: the line is needed`, async () => {
          const text = withPort(recipe(name)).replace(`${line}\n`, '');
          await using resolver = await onFreePort((port) => startProgram(program, text, port));
          const { answers } = await resolver.ask(LOOPBACK, 'A');
          assert.deepEqual(answers, []);
        });
      }
    });
  }
});
