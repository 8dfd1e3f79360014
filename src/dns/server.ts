/**
 * The responder: sockets around `respond`. It knows the world by snapshots alone and goes on with the last one whatever becomes of
 * those who make them.
 */
import type { Logger } from '../runtime/log.ts';
import { bindBoth, resolveListenHost, type HostAndPort } from './bind.ts';
import { makeClientNetworks, type Client } from './clients.ts';
import type { Transport } from './message.ts';
import { NO_METRICS, toRcodeLabel, toTypeLabel, type DnsMetrics, type DropReason } from './metrics.ts';
import { makeReplyLimiter, type ReplyLimiter } from './rate-limit.ts';
import { respond } from './respond.ts';
import type { ZoneSnapshot } from './snapshot.ts';
import { makeTcpListener, TCP_LIMITS, type TcpLimits } from './tcp-listener.ts';
import { makeUdpListener } from './udp-listener.ts';
import { compileZone, type CompiledServices } from './zone-compile.ts';
import type { Zone } from './zone.ts';

export interface DnsServerOptions {
  /** Port 0: one that is free for UDP and TCP. `::` takes both families where the system does. */
  readonly listen: HostAndPort;
  /** Networks that are answered, `10.0.0.0/8`. Others get silence over UDP, a closed connection over TCP. */
  readonly clients: readonly string[];
  readonly logger: Logger;
  readonly metrics?: DnsMetrics;
  readonly limiter?: ReplyLimiter;
  readonly tcp?: Partial<TcpLimits>;
}

export interface DnsServer {
  readonly address: HostAndPort;
  /**
   * Answers by this snapshot from the next query on; the result says so: its version. Of services that are the same objects as
   * before nothing is compiled again.
   */
  apply(snapshot: ZoneSnapshot): number;
  /** Resolves when both sockets and every connection are closed. May be called again. */
  close(): Promise<void>;
}

/** @throws {AppError} `ERR_LISTEN` or, for a wrong entry of `clients`, `ERR_CONFIG` */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const clients = makeClientNetworks(options.clients);
  const { logger, metrics = NO_METRICS } = options;
  const limiter = options.limiter ?? makeReplyLimiter({ nowMs: () => performance.now() });
  const host = await resolveListenHost(options.listen.host);
  const compiled: CompiledServices = new WeakMap();
  let zone: Zone | undefined;
  let hasFailed = false;

  function drop(transport: Transport, reason: DropReason): undefined {
    metrics.countDrop({ transport, reason });
  }

  function replyTo(message: Buffer, { isLoopback }: Client, transport: Transport): Buffer | undefined {
    // Drawn, not counted: clients ask for A and AAAA in turn, and every second number of two would always be the same.
    const rotation = Math.floor(Math.random() * 2 ** 31);
    const outcome = respond(message, { transport, zone, clientIsLoopback: isLoopback, rotation });
    if (outcome.kind === 'drop') return drop(transport, outcome.reason);
    if (outcome.failure !== undefined) reportFailure(outcome.failure);
    metrics.countReply({ transport, type: toTypeLabel(outcome.type), rcode: toRcodeLabel(outcome.rcode) });
    return outcome.bytes;
  }

  /** Once for each snapshot: queries come faster than anybody reads. */
  function reportFailure(error: unknown): void {
    if (!hasFailed) logger.error({ err: error, version: zone?.version }, 'Could not encode a DNS answer');
    hasFailed = true;
  }

  function makeListeners() {
    const udp = makeUdpListener({
      family: host.family,
      clients,
      limiter,
      respond: (query, client) => replyTo(query, client, 'udp'),
      onDrop: (reason) => drop('udp', reason),
    });
    const tcp = makeTcpListener({
      clients,
      limits: { ...TCP_LIMITS, ...options.tcp },
      respond: (query, client) => replyTo(query, client, 'tcp'),
      onDrop: (reason) => drop('tcp', reason),
    });
    return { udp: udp.socket, tcp: tcp.server, close: () => Promise.all([udp.close(), tcp.close()]) };
  }

  const { bound, port } = await bindBoth(makeListeners, { host: host.address, port: options.listen.port });
  for (const socket of [bound.udp, bound.tcp]) {
    socket.on('error', (error: Error) => logger.error({ err: error }, 'DNS socket failed'));
  }
  const address = { host: host.address, port };
  logger.info({ address: address.host, port }, 'Started to answer DNS queries');

  let closed: Promise<void> | undefined;
  return {
    address,
    apply(snapshot) {
      zone = compileZone(snapshot, compiled);
      hasFailed = false;
      const { version, skipped } = zone;
      if (skipped.count > 0) logger.warn({ version, ...skipped }, 'Left entries out of the DNS zone');
      return version;
    },
    close() {
      closed ??= bound.close().then(() => undefined);
      return closed;
    },
  };
}
