import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import type { CountSink } from '#src/dns/counts.ts';
import { startDnsThreads, type DnsThreads, type DnsThreadsOptions } from '#src/dns/threads.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { askByUdp, openTcpClient } from '#test/support/dns-clients.ts';
import { clusterSetIp, FIXTURE, ZONE } from '#test/support/dns-fixture.ts';
import { makeQuery, readReply } from '#test/support/dns-wire.ts';
import { freePort } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

const WEB = makeQuery(`web.shop.svc.${ZONE}`);

async function start(part: Partial<DnsThreadsOptions> = {}) {
  const applied: number[] = [];
  const threads = await startDnsThreads({
    listen: { host: '127.0.0.1', port: 0 },
    clients: ['127.0.0.0/8'],
    repliesPerSecond: 1_000_000,
    queryLog: 0,
    threads: 1,
    logger: makeSilentLogger(),
    log: { level: 'silent', bindings: {} },
    onApplied: (version) => applied.push(version),
    ...part,
  });
  return { ...threads, applied, [Symbol.asyncDispose]: () => threads.close() };
}

async function addressesBy({ address }: DnsThreads): Promise<readonly unknown[]> {
  return readReply(await askByUdp(address.port, WEB)).answers.map((answer) => 'data' in answer && answer.data);
}

function sumOf(threads: DnsThreads): Record<string, number> {
  const sums: Record<string, number> = {};
  const sink: CountSink = {
    addReplies: ({ transport, path, rcode }, by) => (sums[`${transport} ${path} ${rcode}`] = by),
    addDrops: ({ transport, reason }, by) => (sums[`${transport} ${reason}`] = by),
  };
  threads.takeCounts(sink);
  return sums;
}

describe('startDnsThreads', () => {
  it('nothing told yet → SERVFAIL; a snapshot → its answers; a change → the others; counted by path', async () => {
    await using threads = await start();
    assert.equal(readReply(await askByUdp(threads.address.port, WEB)).rcode, 2);
    threads.apply(FIXTURE);
    await waitFor('the snapshot is in force', () => threads.applied.at(-1) === 7);
    assert.deepEqual(await addressesBy(threads), ['10.45.0.7']);
    threads.change({ version: 8, services: [clusterSetIp('web', { ips: ['10.45.0.8'] })], gone: [] });
    await waitFor('the change is in force', () => threads.applied.at(-1) === 8);
    assert.deepEqual(await addressesBy(threads), ['10.45.0.8']);
    assert.deepEqual(sumOf(threads), { 'udp full SERVFAIL': 1, 'udp fast NOERROR': 2 });
    assert.deepEqual(sumOf(threads), {});
  });

  it('several threads → one port, and each has every change', async () => {
    await using threads = await start({ threads: 3 });
    threads.apply(FIXTURE);
    await waitFor('the snapshot is in force everywhere', () => threads.applied.at(-1) === 7);
    for (let client = 0; client < 40; client++) assert.deepEqual(await addressesBy(threads), ['10.45.0.7']);
    await using connection = await openTcpClient(threads.address.port);
    connection.socket.write(Buffer.concat([Buffer.from([0, WEB.length]), WEB]));
    assert.equal(readReply(await connection.receive()).answers.length, 1);
  });

  it('a thread fails → another one answers at the same port within seconds, by what was told meanwhile', async () => {
    await using threads = await start();
    threads.apply(FIXTURE);
    await waitFor('the snapshot is in force', () => threads.applied.at(-1) === 7);
    // Of a shape that no feed makes: the thread does not survive it.
    const broken = { ...clusterSetIp('web'), endpoints: null as never };
    threads.change({ version: 8, services: [broken], gone: [] });
    threads.change({ version: 9, services: [clusterSetIp('web', { ips: ['10.45.0.9'] })], gone: [] });
    await waitFor('another thread has everything', () => threads.applied.at(-1) === 9);
    assert.deepEqual(await addressesBy(threads), ['10.45.0.9']);
    assert.deepEqual(threads.applied, [7, 9]);
  });

  it('the port is taken → ERR_LISTEN, and nothing stays open', async () => {
    await using first = await start();
    await assert.rejects(
      start({ listen: first.address }),
      (error) => error instanceof AppError && error.code === 'ERR_LISTEN' && error.fix !== undefined,
    );
  });

  it('closed → the port is free', async () => {
    const port = await freePort();
    for (let time = 0; time < 2; time++) {
      await using threads = await start({ listen: { host: '127.0.0.1', port } });
      assert.equal(threads.address.port, port);
    }
  });
});
