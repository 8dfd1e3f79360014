/** The DNS responder of a process, fed from bindings. */
import { startDnsServer } from '../../dns/server.ts';
import type { ZoneSnapshot } from '../../dns/snapshot.ts';
import { makeChannelPair } from '../../runtime/channel.ts';
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
  const channel = makeChannelPair<ZoneSnapshot, number>();
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
  channel.child.onMessage((snapshot) => channel.child.post(server.apply(snapshot)));
  channel.parent.onMessage((acknowledged) => {
    metrics.snapshotVersion.set({ component: 'dns', state: 'acknowledged' }, acknowledged);
    feed?.acknowledge();
    onReady();
  });
  return {
    address: server.address,
    follow(caches) {
      feed ??= startDnsFeed({
        caches,
        zones: config.dns.zones,
        send(snapshot) {
          metrics.snapshotVersion.set({ component: 'dns', state: 'sent' }, snapshot.version);
          channel.parent.post(snapshot);
        },
      });
    },
    async close() {
      feed?.stop();
      channel.parent.close();
      await server.close();
    },
  };
}
