/** The DNS responder of a process, fed from bindings. */
import { startDnsServer } from '../../dns/server.ts';
import type { Config } from '../../runtime/config.ts';
import type { HostPort } from '../../runtime/host-port.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Caches } from '../../store/caches.ts';
import { startDnsFeed, type DnsFeed } from './dns-feed.ts';

export interface DnsOptions {
  readonly config: Pick<Config, 'dns'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The responder has a zone in force. */
  onReady(): void;
}

export interface Dns {
  readonly address: HostPort;
  /** Until now SERVFAIL was answered: feeds the responder from these synced caches on. */
  follow(caches: Pick<Caches, 'ImportBinding'>): void;
  close(): Promise<void>;
}

/** @throws {AppError} `ERR_LISTEN` */
export async function startDns({ config, logger, metrics, onReady }: DnsOptions): Promise<Dns> {
  let feed: DnsFeed | undefined;
  const server = await startDnsServer({
    listen: config.dns.listen,
    clients: config.dns.clients,
    logger: logger.child({ component: 'dns' }),
    metrics: {
      countReply: ({ type, rcode }) => metrics.dnsQueries.inc({ type, rcode }),
      countDrop: ({ reason }) => metrics.dnsQueries.inc({ type: 'dropped', rcode: reason }),
    },
  });
  return {
    address: server.address,
    follow(caches) {
      feed ??= startDnsFeed({
        caches,
        zones: config.dns.zones,
        send(snapshot) {
          metrics.snapshotVersion.set({ component: 'dns', state: 'sent' }, snapshot.version);
          metrics.snapshotVersion.set({ component: 'dns', state: 'acknowledged' }, server.apply(snapshot));
          onReady();
        },
      });
    },
    async close() {
      feed?.stop();
      await server.close();
    },
  };
}
