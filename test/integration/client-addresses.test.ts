/** Gateways that find out whether their cluster shows the addresses of clients: real HTTP, and a Service that is a balancer. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClientAddresses } from '#src/cli/run/cluster/client-addresses.ts';
import { followClientAddresses } from '#src/cli/run/cluster/follow-client-addresses.ts';
import { CLIENT_ANSWER_BYTES_MAX } from '#src/cli/run/cluster/limits.ts';
import { makeHealth } from '#src/runtime/health.ts';
import { startHttp } from '#src/runtime/http.ts';
import { makeLogger, makeSilentLogger } from '#src/runtime/log.ts';
import { makeMetrics } from '#src/runtime/metrics.ts';
import { startBalancer, type Backend, type Balancer } from '#test/support/balancer.ts';
import { waitFor } from '#test/support/wait.ts';

const OWN = { name: 'gateway-1', ips: ['127.0.0.1'] };
const NODE = '127.0.0.9';
const WAITS_MS = { interval: 30, retry: 10, timeout: 100 };

describe('followClientAddresses', () => {
  let undo: AsyncDisposableStack;
  let service: Balancer;
  beforeEach(async () => {
    undo = new AsyncDisposableStack();
    service = await startBalancer([]);
    undo.defer(() => service.close());
  });
  afterEach(() => undo.disposeAsync());

  /** The HTTP port of a part, as it runs in a pod. */
  async function startPart(pod: string): Promise<Backend> {
    const server = await startHttp({
      listen: { host: '127.0.0.1', port: 0 },
      health: makeHealth(),
      metrics: makeMetrics({ version: '1' }),
      logger: makeSilentLogger(),
      describeCaller: (client) => ({ pod, client }),
    });
    undo.defer(() => server.close());
    return server.address;
  }

  /** Anything else that may stand at that address; counts the connections that it was given. */
  async function startOther(answer: RequestListener): Promise<Backend & { readonly connections: () => number }> {
    let connections = 0;
    const server: Server = createServer(answer).on('connection', () => connections++);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    undo.defer(async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    });
    return { port: (server.address() as AddressInfo).port, connections: () => connections };
  }

  /** A gateway that looks many times a second. */
  function follow(waitsMs = WAITS_MS) {
    const found: ClientAddresses[] = [];
    const lines: string[] = [];
    const values: number[] = [];
    let looks = 0;
    const end = followClientAddresses({
      own: OWN,
      targets: () => {
        looks++;
        return [{ host: '127.0.0.1', port: service.port }];
      },
      gauge: { set: (value) => void values.push(value) },
      logger: makeLogger({ level: 'warn', destination: { write: (line) => void lines.push(line) } }),
      onFound: (verdict) => void found.push(verdict),
      waitsMs,
    });
    undo.defer(end);
    const last = (verdict: ClientAddresses['verdict']): Promise<ClientAddresses> =>
      waitFor(verdict, () => (found.at(-1)?.verdict === verdict ? found.at(-1) : undefined));
    const looksMore = async (more: number): Promise<void> => {
      const from = looks;
      await waitFor(`${more} more looks`, () => looks >= from + more);
    };
    return { found, lines, values, last, looksMore, end };
  }

  it('other pods see our address, and only we see a node’s (hairpin) → visible, no warning', async () => {
    const [self, dns] = await Promise.all([startPart(OWN.name), startPart('dns-1')]);
    service.setBackends([{ ...self, seenAs: NODE }, dns]);
    const { last, lines, values, looksMore } = follow();
    await last('visible');
    await looksMore(3);
    assert.deepEqual([values, lines], [[1], []]);
  });

  it('the cluster masquerades → hidden behind the node’s address; told once, with what follows and what mends it', async () => {
    const dns = await startPart('dns-1');
    service.setBackends([{ ...dns, seenAs: NODE }]);
    const { last, lines, values, looksMore } = follow();
    assert.deepEqual(await last('hidden'), { verdict: 'hidden', seen: NODE });
    await looksMore(3);
    assert.deepEqual(values, [0]);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /"seen":"127\.0\.0\.9".*policies that name workloads.*masquerad/);
  });

  it('one of several ways is masqueraded → hidden', async () => {
    const parts = await Promise.all(['dns-1', 'dns-2', 'gateway-2'].map(startPart));
    service.setBackends(parts.map((part, index) => (index === 2 ? { ...part, seenAs: NODE } : part)));
    await follow().last('hidden');
  });

  it('the network is mended, and broken again → each is told', async () => {
    const dns = await startPart('dns-1');
    service.setBackends([{ ...dns, seenAs: NODE }]);
    const { last, lines, values } = follow();
    await last('hidden');
    service.setBackends([dns]);
    await last('visible');
    service.setBackends([{ ...dns, seenAs: NODE }]);
    await last('hidden');
    assert.deepEqual(values, [0, 1, 0]);
    assert.equal(lines.length, 2);
  });

  it('nobody answers → nothing is said, and it is tried again; then nobody any more → what is known stays', async () => {
    const { found, values, last, looksMore } = follow();
    await looksMore(3);
    assert.deepEqual([found, values], [[], []]);
    const dns = await startPart('dns-1');
    service.setBackends([dns]);
    await last('visible');
    service.setBackends([]);
    await looksMore(3);
    assert.deepEqual([found.at(-1), values], [{ verdict: 'visible' }, [1]]);
  });

  const respond =
    (body: string, status = 200): RequestListener =>
    (_: IncomingMessage, response: ServerResponse) =>
      void response.writeHead(status).end(body);
  const answer = JSON.stringify({ pod: 'dns-1', client: NODE });
  const CASES: Readonly<Record<string, RequestListener>> = {
    'no JSON': respond('hello'),
    'an older version': respond('not found', 404),
    'another status': respond(answer, 500),
    'a byte more than the bound': respond(answer.padEnd(CLIENT_ANSWER_BYTES_MAX + 1)),
    'bytes without an end': (_, response) => {
      const talk = setInterval(() => response.write('x'.repeat(100)), 1);
      response.on('close', () => clearInterval(talk));
    },
    'a head, and then silence': (_, response) => void response.writeHead(200).flushHeaders(),
    'a cut in the middle': (_, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{');
      setImmediate(() => response.destroy());
    },
    silence: () => undefined,
  };
  for (const [what, listener] of Object.entries(CASES)) {
    it(`${what} → no answer, and others count`, async () => {
      const [strange, dns] = await Promise.all([startOther(listener), startPart('dns-1')]);
      service.setBackends([strange]);
      const { found, last, looksMore } = follow({ ...WAITS_MS, timeout: 20 });
      await looksMore(2);
      assert.deepEqual(found, []);
      assert.ok(strange.connections() > 1, 'a connection for each question');
      service.setBackends([strange, dns]);
      await last('visible');
    });
  }

  it('as many bytes as the bound → an answer', async () => {
    service.setBackends([await startOther(respond(answer.padEnd(CLIENT_ANSWER_BYTES_MAX)))]);
    await follow().last('hidden');
  });

  it('closing while a question is open, or between two looks → at once, and nothing more is asked', async () => {
    const silent = await startOther(() => undefined);
    service.setBackends([silent]);
    const asking = follow({ interval: 60_000, retry: 60_000, timeout: 60_000 });
    await waitFor('a question is open', () => silent.connections() > 0);
    await asking.end();
    const dns = await startPart('dns-1');
    service.setBackends([dns]);
    const resting = follow({ interval: 60_000, retry: 60_000, timeout: 60_000 });
    await resting.last('visible');
    await resting.end();
    assert.equal(silent.connections(), 1);
  });
});
