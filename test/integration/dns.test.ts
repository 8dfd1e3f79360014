import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import fc from 'fast-check';
import { bindBoth } from '#src/dns/bind.ts';
import { makeClientNetworks } from '#src/dns/clients.ts';
import { TCP_QUERIES_PER_TURN, TCP_QUERY_BYTES_MAX } from '#src/dns/limits.ts';
import type { DropReason } from '#src/dns/counts.ts';
import { makeReplyLimiter } from '#src/dns/rate-limit.ts';
import { RCODE } from '#src/dns/records.ts';
import { makeSources } from '#src/dns/sources.ts';
import { startDnsServer, type DnsServer, type DnsServerOptions } from '#src/dns/server.ts';
import type { ZoneSnapshot } from '#src/dns/snapshot.ts';
import { makeTcpListener, TCP_LIMITS } from '#src/dns/tcp-listener.ts';
import { makeUdpListener } from '#src/dns/udp-listener.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import {
  askByUdp,
  makeCountingMetrics,
  openTcpClient,
  openUdpClient,
  runDig,
  toFrame,
} from '#test/support/dns-clients.ts';
import {
  clusterSetIp,
  endpoint,
  FIXTURE,
  FIXTURE_ROWS,
  headless,
  snapshotOf,
  titleOf,
  ZONE,
} from '#test/support/dns-fixture.ts';
import { checkByDig, checkByPacket, OURS, TRANSPORTS } from '#test/support/dns-rows.ts';
import { A_IN, makeMessage, makeName, makeQuery, OPT, readReply } from '#test/support/dns-wire.ts';
import { requireTool } from '#test/support/tools.ts';

const WEB = `web.shop.svc.${ZONE}`;
const BIG = `big.shop.svc.${ZONE}`;
/** 200 addresses: 3.2 KiB of answer. */
const BIG_SERVICE = headless('big', {
  endpoints: Array.from({ length: 200 }, (_, index) => endpoint('east', `p${index}`, `10.9.0.${index}`)),
});
const SNAPSHOT: ZoneSnapshot = { ...FIXTURE, services: [...FIXTURE.services, BIG_SERVICE] };

type TestServer = DnsServer & AsyncDisposable & { readonly port: number };

async function start(
  part: Partial<DnsServerOptions> = {},
  snapshot: ZoneSnapshot | undefined = SNAPSHOT,
): Promise<TestServer> {
  const server = await startDnsServer({
    listen: { host: '127.0.0.1', port: 0 },
    clients: ['127.0.0.0/8', '::1/128'],
    logger: makeSilentLogger(),
    ...part,
  });
  if (snapshot.version > 0) server.apply(snapshot);
  return { ...server, port: server.address.port, [Symbol.asyncDispose]: () => server.close() };
}

const NOT_SYNCED: ZoneSnapshot = { version: 0, zones: [], services: [] };

describe('startDnsServer, asked by dig and by dns-packet', () => {
  let dig = '';
  let server: TestServer;
  before(async function () {
    dig = requireTool(this, 'dig');
    server = await start();
  });
  after(async () => {
    if (dig !== '') await server.close();
  });

  for (const transport of TRANSPORTS) {
    for (const row of FIXTURE_ROWS) {
      it(`${transport} ${titleOf(row)}`, async () => {
        await checkByDig(dig, row, { port: server.port, transport, manner: OURS });
        await checkByPacket(row, { port: server.port, transport, manner: OURS });
      });
    }
  }

  const others = [
    { title: 'ANY', args: [WEB, 'ANY', '+notcp'], status: 'NOERROR', shows: /HINFO\s+"RFC8482" ""/ },
    {
      title: 'SOA',
      args: [ZONE, 'SOA'],
      status: 'NOERROR',
      shows: /SOA\s+ns\.dns\.clusterset\.local\. hostmaster\.clusterset\.local\. 7 7200 1800 86400 4/,
    },
    { title: 'NS', args: [ZONE, 'NS'], status: 'NOERROR', shows: /NS\s+ns\.dns\.clusterset\.local\./ },
    { title: 'AXFR', args: [ZONE, 'AXFR'], status: '', shows: /Transfer failed/ },
    { title: 'IXFR', args: [ZONE, 'IXFR=1', '+tcp'], status: '', shows: /Transfer failed/ },
    { title: 'class CH', args: [WEB, 'A', '-c', 'CH'], status: 'REFUSED', shows: /CH\s+A/ },
    { title: 'an unknown type', args: [WEB, 'TYPE65280'], status: 'NOERROR', shows: /SOA/ },
    { title: 'NOTIFY', args: [ZONE, 'SOA', '+opcode=NOTIFY'], status: 'NOTIMP', shows: /opcode: NOTIFY/ },
    { title: 'EDNS version 1', args: [WEB, '+edns=1', '+noednsneg'], status: 'BADVERS', shows: /EDNS: version: 0/ },
    { title: 'a malformed option', args: [WEB, '+ednsopt=8'], status: 'FORMERR', shows: /FORMERR/ },
    {
      title: 'an unknown option and padding',
      args: [WEB, '+ednsopt=65001:c0ffee', '+padding=128'],
      status: 'NOERROR',
      shows: /10\.45\.0\.7/,
    },
    { title: 'DNSSEC wanted', args: [WEB, '+dnssec'], status: 'NOERROR', shows: /flags: do; udp: 1232/ },
    { title: 'no EDNS', args: [WEB, '+noedns'], status: 'NOERROR', shows: /ADDITIONAL: 0/ },
    { title: 'a name outside', args: ['example.org'], status: 'REFUSED', shows: /EDE: 20 \(Not Authoritative\)/ },
    { title: 'a dot within a label', args: [`we\\.b.shop.svc.${ZONE}`], status: 'NXDOMAIN', shows: /;we\\\.b\.shop/ },
    { title: 'odd octets', args: [`\\000\\255.shop.svc.${ZONE}`], status: 'NXDOMAIN', shows: /;\\000\\255\.shop/ },
  ];
  for (const { title, args, status, shows } of others) {
    it(`${title} → ${status || shows.source}`, async () => {
      const found = await runDig(dig, server.port, args);
      assert.equal(found.status, status);
      assert.match(found.text, shows);
    });
  }

  it('DNS-31 an answer too large for UDP → TC with OPT; asked again over TCP it is whole', async () => {
    for (const [bytes, most] of [
      ['512', 30],
      ['1232', 75],
      ['65535', 75],
    ] as const) {
      const cut = await runDig(dig, server.port, [BIG, `+bufsize=${bytes}`, '+ignore']);
      assert.ok(cut.flags.includes('tc'));
      assert.match(cut.text, /EDNS: version: 0/);
      assert.ok(cut.answers.length > 0 && cut.answers.length <= most, `${cut.answers.length} answers`);
    }
    assert.equal((await runDig(dig, server.port, [BIG])).answers.length, 200);
  });
});

describe('startDnsServer, snapshots', () => {
  it('DNS-30 before the first → SERVFAIL; then answers; a later one replaces it and is acknowledged', async () => {
    await using server = await start({}, NOT_SYNCED);
    assert.equal(readReply(await askByUdp(server.port, makeQuery(WEB))).rcode, RCODE.SERVFAIL);
    assert.equal(server.apply(structuredClone(FIXTURE)), 7);
    assert.equal(readReply(await askByUdp(server.port, makeQuery(WEB))).answers.length, 1);
    assert.equal(server.apply({ ...snapshotOf(clusterSetIp('new', { ips: ['10.0.0.1'] })), version: 8 }), 8);
    assert.equal(readReply(await askByUdp(server.port, makeQuery(WEB))).rcode, RCODE.NXDOMAIN);
  });

  it('DNS-25 many questions → every address comes first at some time', async () => {
    await using server = await start();
    await using client = await openUdpClient(server.port);
    const firsts = new Set<unknown>();
    for (let asked = 0; asked < 100 && firsts.size < 3; asked++) {
      client.send(makeQuery(`db.shop.svc.${ZONE}`));
      const [first] = readReply(await client.receive()).answers;
      firsts.add(first !== undefined && 'data' in first && first.data);
    }
    assert.equal(firsts.size, 3);
  });
});

describe('startDnsServer, malformed datagrams', () => {
  const web = makeName('web', 'shop', 'svc', 'clusterset', 'local');
  const withFlags = (flags: number): Buffer => {
    const message = makeMessage([1, 0, 0, 0], web, A_IN);
    message.writeUInt16BE(flags, 2);
    return message;
  };
  const cases: { title: string; message: Buffer; rcode: number | 'dropped' }[] = [
    { title: 'nothing', message: Buffer.alloc(0), rcode: 'dropped' },
    { title: '11 octets', message: Buffer.alloc(11), rcode: 'dropped' },
    { title: 'QR set', message: withFlags(0x8000), rcode: 'dropped' },
    { title: 'a header alone', message: makeMessage([1, 0, 0, 0]), rcode: RCODE.FORMERR },
    { title: 'a name cut off', message: makeMessage([1, 0, 0, 0], web.subarray(0, 9)), rcode: RCODE.FORMERR },
    { title: 'QDCOUNT 0', message: makeMessage([0, 0, 0, 0]), rcode: RCODE.FORMERR },
    { title: 'QDCOUNT 2', message: makeMessage([2, 0, 0, 0], web, A_IN, web, A_IN), rcode: RCODE.FORMERR },
    { title: 'a pointer loop', message: makeMessage([1, 0, 0, 0], [0xc0, 12], A_IN), rcode: RCODE.FORMERR },
    {
      title: 'a pointer loop in OPT',
      message: makeMessage([1, 0, 0, 1], web, A_IN, [0xc0, 47], OPT.slice(1)),
      rcode: RCODE.FORMERR,
    },
    {
      title: '1,233 octets',
      message: makeMessage([1, 0, 0, 0], web, A_IN, Buffer.alloc(1233 - 12 - web.length - 4)),
      rcode: RCODE.FORMERR,
    },
  ];
  for (const { title, message, rcode } of cases) {
    it(`${title} → ${rcode}`, async () => {
      await using server = await start();
      await using client = await openUdpClient(server.port);
      client.send(message);
      client.send(makeQuery(WEB, { id: 0x4242 }));
      // Loopback keeps the order, so a reply to the bad one would come first.
      if (rcode !== 'dropped') assert.equal(readReply(await client.receive()).rcode, rcode);
      assert.equal(readReply(await client.receive()).id, 0x4242);
    });
  }

  it('1,000 mutated queries → each dropped or answered with its own id, and the server lives', async () => {
    await using server = await start();
    await using client = await openUdpClient(server.port);
    const seeds = [
      makeQuery(WEB),
      makeQuery(WEB, { type: 'SRV', udpBytes: 4096 }),
      makeQuery(`db-0.east.db.shop.svc.${ZONE}`, { type: 'ANY', udpBytes: 512 }),
    ];
    const mutation = fc.record({ at: fc.nat(120), octet: fc.nat(255) });
    const mutated = fc
      .tuple(
        fc.constantFrom(...seeds),
        fc.array(mutation, { maxLength: 6 }),
        fc.nat(120),
        fc.uint8Array({ maxLength: 40 }),
      )
      .map(([seed, mutations, keep, tail]) => {
        const message = Buffer.concat([seed.subarray(0, Math.max(2, keep)), tail]);
        for (const { at, octet } of mutations) if (at < message.length) message[at] = octet;
        return message;
      });
    await fc.assert(
      fc.asyncProperty(mutated, async (message) => {
        const id = message.readUInt16BE(0);
        const sentinel = id ^ 0xffff;
        client.send(message);
        client.send(makeQuery(WEB, { id: sentinel }));
        let reply = await client.receive();
        if (reply.readUInt16BE(0) !== sentinel) {
          assert.equal(reply.readUInt16BE(0), id);
          assert.ok((reply.readUInt16BE(2) & 0x8000) !== 0 && reply.length <= 1232);
          readReply(reply);
          reply = await client.receive();
        }
        assert.equal(readReply(reply).answers.length, 1);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('startDnsServer over TCP', () => {
  it('RFC 7766 more pipelined queries than one turn serves, in one write → every answer, in order', async () => {
    await using server = await start();
    await using client = await openTcpClient(server.port);
    const count = TCP_QUERIES_PER_TURN * 3 + 1;
    client.socket.write(Buffer.concat(Array.from({ length: count }, (_, id) => toFrame(makeQuery(WEB, { id })))));
    for (let id = 0; id < count; id++) assert.equal(readReply(await client.receive()).id, id);
  });

  it('a query octet by octet, and a second one → answered', async () => {
    await using server = await start();
    await using client = await openTcpClient(server.port);
    client.socket.setNoDelay(true);
    for (const octet of toFrame(makeQuery(BIG))) {
      await new Promise((resolve) => client.socket.write(Buffer.of(octet), resolve));
    }
    assert.equal(readReply(await client.receive()).answers.length, 200);
    client.socket.write(toFrame(makeQuery(WEB)));
    assert.equal(readReply(await client.receive()).answers.length, 1);
  });

  it('a client that closes its side at once → gets its answers, then the end', async () => {
    await using server = await start();
    await using client = await openTcpClient(server.port);
    client.socket.end(Buffer.concat([1, 2, 3].map((id) => toFrame(makeQuery(WEB, { id })))));
    for (const id of [1, 2, 3]) assert.equal(readReply(await client.receive()).id, id);
    await client.closed();
  });

  it('malformed within its frame → FORMERR, and the connection goes on', async () => {
    await using server = await start();
    await using client = await openTcpClient(server.port);
    client.socket.write(Buffer.concat([toFrame(makeMessage([2, 0, 0, 0])), toFrame(makeQuery(WEB, { id: 9 }))]));
    assert.equal(readReply(await client.receive()).rcode, RCODE.FORMERR);
    assert.equal(readReply(await client.receive()).id, 9);
  });

  const cuts: { title: string; bytes: Buffer; reason: DropReason }[] = [
    { title: '64 KiB', bytes: toFrame(Buffer.alloc(65_535)), reason: 'too-long' },
    {
      title: 'one octet more than the bound',
      bytes: toFrame(Buffer.alloc(TCP_QUERY_BYTES_MAX + 1)),
      reason: 'too-long',
    },
    { title: 'a length of 0', bytes: Buffer.alloc(2), reason: 'too-short' },
    { title: '11 octets', bytes: toFrame(Buffer.alloc(11)), reason: 'too-short' },
    { title: 'QR set', bytes: toFrame(Buffer.from(makeMessage([0, 0, 0, 0])).fill(0x80, 2, 3)), reason: 'not-a-query' },
  ];
  for (const { title, bytes, reason } of cuts) {
    it(`${title} → cut, counted as ${reason}`, async () => {
      const metrics = makeCountingMetrics();
      await using server = await start({ metrics });
      await using client = await openTcpClient(server.port);
      client.socket.write(bytes);
      await client.closed();
      assert.deepEqual(metrics.drops, [`tcp ${reason}`]);
      assert.equal(readReply(await askByUdp(server.port, makeQuery(WEB))).answers.length, 1);
    });
  }

  it('a client that stops in the middle of a query, though it sends now and then → cut at the deadline', async () => {
    const metrics = makeCountingMetrics();
    await using server = await start({ metrics, tcp: { timeoutMs: 150 } });
    await using client = await openTcpClient(server.port);
    const frame = toFrame(makeQuery(WEB));
    let sent = 0;
    const drip = setInterval(() => client.socket.write(frame.subarray(sent, ++sent)), 20);
    await client.closed().finally(() => clearInterval(drip));
    assert.ok(sent < frame.length);
    assert.deepEqual(metrics.drops, ['tcp slow-client']);
  });

  it('a client that asks and does not read → is not read from either, and cut at the deadline', async () => {
    const metrics = makeCountingMetrics();
    await using server = await start({ metrics, tcp: { timeoutMs: 300 } });
    await using client = await openTcpClient(server.port);
    client.socket.pause();
    const queries = Buffer.concat(Array.from({ length: 100 }, () => toFrame(makeQuery(BIG))));
    const gone = once(client.socket, 'close');
    const flood = (): void => {
      while (!client.socket.destroyed && client.socket.write(queries));
    };
    client.socket.on('drain', flood);
    flood();
    await metrics.dropped('slow-client');
    // 3.2 KiB each: what the kernel's buffers of both sides and one of ours hold, however much was asked.
    assert.ok(metrics.replies.length < 10_000, `${metrics.replies.length} replies`);
    client.socket.destroy();
    await gone;
  });

  it('an idle client → closed without a complaint', async () => {
    const metrics = makeCountingMetrics();
    await using server = await start({ metrics, tcp: { timeoutMs: 50 } });
    await using client = await openTcpClient(server.port);
    client.socket.write(toFrame(makeQuery(WEB)));
    await client.receive();
    await client.closed();
    assert.deepEqual(metrics.drops, []);
  });

  it('connections at their bounds, of one client and of all → the next is closed; one that ends makes room', async () => {
    const metrics = makeCountingMetrics();
    await using server = await start({ metrics, tcp: { connectionsMax: 3, connectionsPerClientMax: 2 } });
    const ask = async (client: {
      socket: { write(bytes: Buffer): boolean };
      receive(): Promise<Buffer>;
    }): Promise<void> => {
      client.socket.write(toFrame(makeQuery(WEB)));
      await client.receive();
    };
    await using first = await openTcpClient(server.port);
    await using second = await openTcpClient(server.port);
    await Promise.all([ask(first), ask(second)]);
    await using third = await openTcpClient(server.port);
    await third.closed();
    await using other = await openTcpClient(server.port, '127.0.0.2');
    await ask(other);
    await using last = await openTcpClient(server.port, '127.0.0.3');
    await last.closed();
    assert.deepEqual(metrics.drops, ['tcp connections', 'tcp connections']);
    first.socket.end();
    await first.closed();
    await using again = await openTcpClient(server.port);
    await ask(again);
  });
});

describe('startDnsServer, who is answered', () => {
  it('another network → silence over UDP, a closed connection over TCP, both counted', async () => {
    const metrics = makeCountingMetrics();
    await using server = await start({ metrics, clients: ['127.0.0.2/32'] });
    await using stranger = await openUdpClient(server.port);
    stranger.send(makeQuery(WEB));
    await metrics.dropped('client-not-allowed');
    await using client = await openUdpClient(server.port, '127.0.0.2');
    client.send(makeQuery(WEB));
    assert.equal(readReply(await client.receive()).answers.length, 1);
    await using connection = await openTcpClient(server.port);
    await connection.closed();
    assert.deepEqual(metrics.drops, ['udp client-not-allowed', 'tcp client-not-allowed']);
    assert.deepEqual(metrics.replies, ['udp fast 1 0']);
  });

  it('more than a prefix may have → the rest is dropped and counted; TCP is not limited so', async () => {
    const metrics = makeCountingMetrics();
    await using server = await start({ metrics, repliesPerSecond: 2 });
    await using client = await openUdpClient(server.port);
    for (const id of [1, 2, 3]) client.send(makeQuery(WEB, { id }));
    assert.equal(readReply(await client.receive()).id, 1);
    assert.equal(readReply(await client.receive()).id, 2);
    await metrics.dropped('rate-limited');
    await using connection = await openTcpClient(server.port);
    connection.socket.write(toFrame(makeQuery(WEB)));
    assert.equal(readReply(await connection.receive()).answers.length, 1);
  });

  it('source port 0 → dropped before anything is sent there', async () => {
    const drops: DropReason[] = [];
    const clients = makeClientNetworks(['127.0.0.0/8']);
    const listener = makeUdpListener({
      family: 4,
      sources: makeSources(clients, makeReplyLimiter({ nowMs: () => 0, repliesPerSecond: 1 })),
      respond: () => assert.fail('was asked'),
      onDrop: (reason) => drops.push(reason),
    });
    listener.socket.emit('message', makeQuery(WEB), { address: '127.0.0.1', family: 'IPv4', port: 0, size: 30 });
    assert.deepEqual(drops, ['source-port-zero']);
    await listener.close();
  });

  it('a loopback address → told to clients on this machine', async () => {
    await using server = await start({}, snapshotOf(clusterSetIp('vip', { ips: ['127.64.0.9'] })));
    const { answers } = readReply(await askByUdp(server.port, makeQuery(`vip.shop.svc.${ZONE}`)));
    assert.equal(answers.length, 1);
  });
});

describe('startDnsServer, sockets', () => {
  it('port 0 → one port for both; close → free again, and a second close does nothing', async () => {
    const server = await start();
    const { port } = server;
    await using connection = await openTcpClient(port);
    await Promise.all([server.close(), server.close()]);
    await connection.closed();
    await using again = await start({ listen: { host: '127.0.0.1', port } });
    assert.equal(again.port, port);
    assert.equal(readReply(await askByUdp(port, makeQuery(WEB))).answers.length, 1);
  });

  it('a port that is taken, for UDP or for TCP alone → ERR_LISTEN', async () => {
    await using server = await start();
    await assert.rejects(start({ listen: { host: '127.0.0.1', port: server.port } }), { code: 'ERR_LISTEN' });
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const address = blocker.address();
    assert.ok(address !== null && typeof address === 'object');
    const taken = { host: '127.0.0.1', port: address.port };
    await assert.rejects(start({ listen: taken }), { code: 'ERR_LISTEN' });
    blocker.close();
    await once(blocker, 'close');
    await using later = await start({ listen: taken });
    assert.equal(later.port, taken.port);
  });

  it('an address or a name that this machine does not have → ERR_LISTEN', async () => {
    await assert.rejects(start({ listen: { host: '192.0.2.1', port: 0 } }), { code: 'ERR_LISTEN' });
    await assert.rejects(start({ listen: { host: 'nosuch.invalid', port: 0 } }), { code: 'ERR_LISTEN' });
  });

  it('IPv6 → served where the machine has ::1, else ERR_LISTEN', async () => {
    const listen = { host: '::1', port: 0 };
    const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
    if (!hasIpv6) return void (await assert.rejects(start({ listen }), { code: 'ERR_LISTEN' }));
    await using server = await start({ listen });
    const { Resolver } = await import('node:dns/promises');
    const resolver = new Resolver({ timeout: 2_000, tries: 1 });
    resolver.setServers([`[::1]:${server.port}`]);
    assert.deepEqual(await resolver.resolve4(WEB), ['10.45.0.7']);
    // More than fits into a datagram: the resolver comes back over TCP.
    assert.equal((await resolver.resolve4(BIG)).length, 200);
  });
});

describe('bindBoth', () => {
  it('TCP finds the port taken that the kernel chose for UDP → another one for both', async () => {
    const clients = makeClientNetworks([]);
    const respond = (): undefined => undefined;
    const onDrop = (): void => undefined;
    let made = 0;
    const make = () => {
      const udp = makeUdpListener({
        family: 4,
        sources: makeSources(clients, makeReplyLimiter({ nowMs: () => 0, repliesPerSecond: 1 })),
        respond,
        onDrop,
      });
      const tcp = makeTcpListener({ clients, limits: TCP_LIMITS, respond, onDrop });
      made += 1;
      if (made <= 2) {
        const error = Object.assign(new Error('taken'), { code: 'EADDRINUSE' });
        tcp.server.listen = () => {
          tcp.server.emit('error', error);
          return tcp.server;
        };
      }
      return { udp: udp.socket, tcp: tcp.server, close: () => Promise.all([udp.close(), tcp.close()]) };
    };
    const { bound, port } = await bindBoth(make, { host: '127.0.0.1', port: 0 });
    const address = bound.tcp.address();
    // Others on this machine may have taken one more.
    assert.ok(made >= 3, `${made} tries`);
    assert.ok(address !== null && typeof address === 'object' && address.port === port);
    assert.equal(bound.udp.address().port, port);
    await bound.close();
  });
});
