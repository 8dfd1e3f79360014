/**
 * A process that listens at `::` as the manifests say, for DNS by two threads, for HTTP and for peers, asks itself over both families, and prints
 * one line of JSON: {@link FamiliesReport}. Where it runs decides which families there are.
 */
import { Resolver } from 'node:dns/promises';
import { pathToFileURL } from 'node:url';
import { startDnsThreads } from '#src/dns/threads.ts';
import { callerAddress } from '#src/gateway/connection-ends.ts';
import { dialPeer, startAcceptor } from '#src/gateway/handshake.ts';
import { makeHealth } from '#src/runtime/health.ts';
import { startHttp } from '#src/runtime/http.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { makeMetrics } from '#src/runtime/metrics.ts';
import { endpoint, FIXTURE, headless, ZONE } from './dns-fixture.ts';
import { makeTestFabric } from './fabric.ts';

const EVERY = { host: '::', port: 0 };
const DEADLINE_MS = 2_000;
/** More than fits into a datagram: whoever asks comes back over TCP. */
const BIG_ENDPOINTS = 200;

export interface FamiliesReport {
  /** What was bound. */
  readonly dns: string;
  readonly http: string;
  readonly gateway: string;
  readonly byIpv4: Reached;
  readonly byIpv6: Reached;
}

/** What came back, or the code of the error. */
export interface Reached {
  readonly udp: string;
  readonly tcp: string;
  readonly http: string;
  /** The address that the gateway saw a peer at. */
  readonly gateway: string;
}

async function codeOr(answer: Promise<string>): Promise<string> {
  try {
    return await answer;
  } catch (error) {
    const { cause = error } = error as { readonly cause?: unknown };
    return cause instanceof Error && 'code' in cause ? String(cause.code) : String(error);
  }
}

interface Services {
  readonly dns: number;
  readonly http: number;
  /** Dials the gateway there. */
  callGateway(host: string): Promise<string>;
}

async function reach(host: string, services: Services): Promise<Reached> {
  const resolver = new Resolver({ timeout: DEADLINE_MS, tries: 1 });
  resolver.setServers([`${host}:${services.dns}`]);
  const count = async (name: string): Promise<string> => String((await resolver.resolve4(`${name}.${ZONE}`)).length);
  const live = async (): Promise<string> => {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    return String((await fetch(`http://${host}:${services.http}/livez`, { signal })).status);
  };
  return {
    udp: await codeOr(count('web.shop.svc')),
    tcp: await codeOr(count('big.shop.svc')),
    http: await codeOr(live()),
    gateway: await services.callGateway(host.replace(/[[\]]/g, '')),
  };
}

async function startGateway() {
  const fabric = await makeTestFabric();
  const [east, west] = [await fabric.identity('east'), await fabric.identity('west')];
  let seen = Promise.withResolvers<string>();
  const acceptor = await startAcceptor({
    listen: EVERY,
    identity: () => east,
    onPeer: (_, socket) => seen.resolve(callerAddress(socket)),
    onRefused: (reason, from) => seen.resolve(`${reason} ${from}`),
  });
  return {
    host: acceptor.address.host,
    async call(host: string): Promise<string> {
      seen = Promise.withResolvers();
      const gateway = { host, port: acceptor.address.port };
      const dialled = await dialPeer({
        peer: 'east',
        gateway,
        identity: west,
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      if (!dialled.ok) return dialled.message;
      const address = await seen.promise;
      dialled.socket.destroy();
      return address;
    },
    async close(): Promise<void> {
      await acceptor.close();
      await fabric.remove();
    },
  };
}

async function report(): Promise<FamiliesReport> {
  const logger = makeSilentLogger();
  const applied = Promise.withResolvers<void>();
  const dns = await startDnsThreads({
    listen: EVERY,
    clients: ['127.0.0.0/8', '::1/128'],
    repliesPerSecond: 1_000,
    queryLog: 0,
    threads: 2,
    logger,
    log: { level: 'silent', bindings: {} },
    onApplied: (version) => version === FIXTURE.version && applied.resolve(),
  });
  const endpoints = Array.from({ length: BIG_ENDPOINTS }, (_, index) =>
    endpoint('east', `p${index}`, `10.9.0.${index}`),
  );
  dns.apply({ ...FIXTURE, services: [...FIXTURE.services, headless('big', { endpoints })] });
  await applied.promise;
  const metrics = makeMetrics({ version: '0.1.0' });
  const http = await startHttp({ listen: EVERY, health: makeHealth(), metrics, logger });
  const gateway = await startGateway();
  try {
    const services = { dns: dns.address.port, http: http.address.port, callGateway: gateway.call };
    const [byIpv4, byIpv6] = [await reach('127.0.0.1', services), await reach('[::1]', services)];
    return { dns: dns.address.host, http: http.address.host, gateway: gateway.host, byIpv4, byIpv6 };
  } finally {
    await Promise.all([dns.close(), http.close(), gateway.close()]);
  }
}

// Its types are read by who starts it.
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(JSON.stringify(await report()));
