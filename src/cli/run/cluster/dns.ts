/** The DNS part: reads bindings, writes nothing. */
import { formatHostPort } from '../../../runtime/host-port.ts';
import { startDns } from '../dns.ts';
import { openPartStore, servePartHttp, type Part, type PartOptions } from './part.ts';

export async function startDnsPart(options: PartOptions): Promise<Part> {
  const { config, logger, health, metrics, version } = options;
  await using opening = new AsyncDisposableStack();
  const ready = health.expect('dns');
  opening.defer(await servePartHttp(options));
  const { caches } = openPartStore(options, { kinds: ['ImportBinding'], keeps: true, opening });
  const dns = await startDns({ config, logger, metrics, onReady: () => ready.ready() });
  opening.defer(() => dns.close());
  void caches.ImportBinding.synced.then(() => dns.follow(caches));
  logger.info({ version, dns: formatHostPort(dns.address) }, 'DNS part started');
  const opened = opening.move();
  return { drain: () => Promise.resolve(), close: () => opened.disposeAsync() };
}
