/** The DNS responder of a process, fed from bindings. */
import { startDnsThreads } from '../../dns/threads.ts';
import type { Config } from '../../runtime/config.ts';
import type { HostPort } from '../../runtime/host-port.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Caches } from '../../store/caches.ts';
import { startDnsFeed, type DnsFeed } from './dns-feed.ts';

export interface DnsOptions {
  readonly config: Pick<Config, 'dns' | 'log'>;
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
  const { zones, threads, listen, clients, repliesPerSecond, queryLog } = config.dns;
  let feed: DnsFeed | undefined;
  let sent = 0;
  /** Since when something that was sent is not in force; undefined: all of it is. */
  let behindSinceMs: number | undefined;
  const child = logger.child({ component: 'dns' });

  function note(version: number): void {
    sent = version;
    behindSinceMs ??= performance.now();
    metrics.snapshotVersion.set({ component: 'dns', state: 'sent' }, version);
  }

  function onApplied(version: number): void {
    metrics.snapshotVersion.set({ component: 'dns', state: 'acknowledged' }, version);
    if (version >= sent) behindSinceMs = undefined;
    if (version > 0) onReady();
  }

  const responder = await startDnsThreads({
    listen,
    clients,
    repliesPerSecond,
    queryLog,
    threads,
    logger: child,
    log: { level: child.level as Config['log']['level'], bindings: child.bindings() },
    onApplied,
  });
  metrics.beforeExpose(() => {
    metrics.dnsBehindSeconds.set(behindSinceMs === undefined ? 0 : (performance.now() - behindSinceMs) / 1_000);
    responder.takeCounts({
      addReplies: (labels, by) => metrics.dnsQueries.inc({ ...labels }, by),
      addDrops: (labels, by) => metrics.dnsDropped.inc({ ...labels }, by),
    });
  });
  return {
    address: responder.address,
    follow(caches) {
      feed ??= startDnsFeed({
        caches,
        zones,
        apply(snapshot) {
          note(snapshot.version);
          responder.apply(snapshot);
        },
        change(change) {
          note(change.version);
          responder.change(change);
        },
      });
    },
    async close() {
      feed?.stop();
      await responder.close();
    },
  };
}
