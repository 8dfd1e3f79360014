/**
 * The responder: sockets around `fast-path.ts` and `respond.ts`. It knows the world by snapshots and changes alone and goes on
 * with what it knows whatever becomes of those who make them.
 */
import type { Logger } from '../runtime/log.ts';
import { bindBoth, resolveListenHost, type HostAndPort } from './bind.ts';
import { makeClientNetworks, type Client } from './clients.ts';
import type { Counter, DropReason, ReplyPath } from './counts.ts';
import { makeFastPath } from './fast-path.ts';
import type { Transport } from './message.ts';
import { makeQueryLog } from './query-log.ts';
import { makeReplyLimiter } from './rate-limit.ts';
import { respond } from './respond.ts';
import type { ZoneChange, ZoneSnapshot } from './snapshot.ts';
import { makeSources } from './sources.ts';
import { makeTcpListener, TCP_LIMITS, type TcpLimits } from './tcp-listener.ts';
import { makeUdpListener } from './udp-listener.ts';
import { openZoneBook, type ZoneBook } from './zone-book.ts';
import type { Zone } from './zone.ts';

export interface DnsServerOptions {
  /** Port 0: one that is free for UDP and TCP. `::`: every address of this machine, of IPv4 too, and of IPv4 alone without IPv6. */
  readonly listen: HostAndPort;
  /** Other responders of this user share the port. */
  readonly isShared?: boolean;
  /** Networks that are answered, `10.0.0.0/8`. Others get silence over UDP, a closed connection over TCP. */
  readonly clients: readonly string[];
  readonly logger: Logger;
  /** One of so many queries is logged; 0, the default: none. */
  readonly queryLog?: number;
  readonly metrics?: Counter;
  /** Over UDP, to one network; default: as many as are asked for. */
  readonly repliesPerSecond?: number;
  readonly tcp?: Partial<TcpLimits>;
}

export interface DnsServer {
  readonly address: HostAndPort;
  /** Answers by this snapshot from the next query on; the result says so: its version. */
  apply(snapshot: ZoneSnapshot): number;
  /** The same for what has changed since; it costs the names it touches. */
  change(change: ZoneChange): number;
  /** Resolves when both sockets and every connection are closed. May be called again. */
  close(): Promise<void>;
}

const NO_COUNTER: Counter = { countReply: () => undefined, countDrop: () => undefined };

/** @throws {AppError} `ERR_LISTEN` or, for a wrong entry of `clients`, `ERR_CONFIG` */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const clients = makeClientNetworks(options.clients);
  const { logger, metrics = NO_COUNTER, isShared = false, queryLog: logEvery = 0 } = options;
  const nowMs = (): number => performance.now();
  const limiter = makeReplyLimiter({ nowMs, repliesPerSecond: options.repliesPerSecond ?? Number.MAX_SAFE_INTEGER });
  const queryLog = makeQueryLog(logEvery, logger, nowMs);
  const host = await resolveListenHost(options.listen.host);
  const fastPath = makeFastPath();
  let book: ZoneBook | undefined;
  let zone: Zone | undefined;
  let hasFailed = false;

  function drop(transport: Transport, reason: DropReason): undefined {
    metrics.countDrop(transport, reason);
  }

  /** Drawn, not counted: clients ask for A and AAAA in turn, and every second number of two would always be the same. */
  const drawRotation = (): number => Math.floor(Math.random() * 2 ** 31);

  function replyOverUdp(query: Buffer, client: Client): Buffer | undefined {
    if (zone === undefined) return replyInFull(query, client, 'udp');
    const question = { zone, clientIsLoopback: client.isLoopback, rotation: drawRotation() };
    const quick = fastPath.respond(query, question);
    if (quick === undefined) return replyInFull(query, client, 'udp');
    tell({ query, client, transport: 'udp', path: 'fast', type: quick.type, rcode: quick.rcode });
    return quick.bytes;
  }

  function replyInFull(query: Buffer, client: Client, transport: Transport): Buffer | undefined {
    const { isLoopback: clientIsLoopback } = client;
    const outcome = respond(query, { transport, zone, clientIsLoopback, rotation: drawRotation() });
    if (outcome.kind === 'drop') return drop(transport, outcome.reason);
    if (outcome.failure !== undefined) reportFailure(outcome.failure);
    tell({ query, client, transport, path: 'full', type: outcome.type, rcode: outcome.rcode });
    return outcome.bytes;
  }

  function tell({ query, client, transport, path, type, rcode }: Told): void {
    metrics.countReply(transport, path, type, rcode);
    if (queryLog.isDue()) queryLog.write({ query, transport, client: client.address, rcode, path });
  }

  /** Once for each snapshot: queries come faster than anybody reads. */
  function reportFailure(error: unknown): void {
    if (!hasFailed) logger.error({ err: error, version: zone?.version }, 'Could not encode a DNS answer');
    hasFailed = true;
  }

  function use(next: Zone): number {
    const hadSkipped = zone?.skipped.count ?? 0;
    zone = next;
    hasFailed = false;
    const { version, skipped } = next;
    if (skipped.count > hadSkipped) logger.warn({ version, ...skipped }, 'Left entries out of the DNS zone');
    return version;
  }

  function makeListeners(family: 4 | 6) {
    const udp = makeUdpListener({
      family,
      sources: makeSources(clients, limiter),
      isShared,
      respond: replyOverUdp,
      onDrop: (reason) => drop('udp', reason),
    });
    const tcp = makeTcpListener({
      clients,
      limits: { ...TCP_LIMITS, ...options.tcp },
      respond: (query, client) => replyInFull(query, client, 'tcp'),
      onDrop: (reason) => drop('tcp', reason),
    });
    return { udp: udp.socket, tcp: tcp.server, close: () => Promise.all([udp.close(), tcp.close()]) };
  }

  const { bound, ...address } = await bindBoth(makeListeners, { host, port: options.listen.port, isShared });
  for (const socket of [bound.udp, bound.tcp]) {
    socket.on('error', (error: Error) => logger.error({ err: error }, 'DNS socket failed'));
  }
  logger.info({ address: address.host, port: address.port }, 'Started to answer DNS queries');
  if (address.host !== host) logger.info({ listen: host }, 'No IPv6 on this machine: DNS is answered over IPv4 alone');

  let closed: Promise<void> | undefined;
  return {
    address,
    apply(snapshot) {
      const opened = openZoneBook(snapshot);
      book = opened.book;
      return use(opened.zone);
    },
    change(change) {
      if (book === undefined) throw new TypeError('a change came before the snapshot that it changes');
      return use(book.change(change));
    },
    close() {
      closed ??= bound.close().then(() => undefined);
      return closed;
    },
  };
}

interface Told {
  readonly query: Buffer;
  readonly client: Client;
  readonly transport: Transport;
  readonly path: ReplyPath;
  readonly type: number | undefined;
  readonly rcode: number;
}
