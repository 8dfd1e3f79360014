/** Feeds the DNS responder: bindings in, a zone snapshot and then changes out, whenever they differ. */
import { isDeepStrictEqual } from 'node:util';
import type { IImportBinding } from '../../api/generated/ImportBinding.ts';
import { compareText, formatKey, keyOf, type ObjectKey } from '../../api/object.ts';
import type { ZoneChange, ZoneService, ZoneSnapshot } from '../../dns/snapshot.ts';
import type { Caches } from '../../store/caches.ts';

/** Changes that come together are sent together. */
const FEED_DELAY_MS = 10;
/** In one change: compiling these takes about 3 ms, in which no query is answered. */
const FEED_SERVICES_MAX = 100;

export interface DnsFeedOptions {
  readonly caches: Pick<Caches, 'ImportBinding'>;
  readonly zones: readonly string[];
  apply(snapshot: ZoneSnapshot): void;
  change(change: ZoneChange): void;
}

export interface DnsFeed {
  stop(): void;
}

/** The snapshot is sent at once. */
export function startDnsFeed({ caches, zones, apply, change }: DnsFeedOptions): DnsFeed {
  /** By key of the binding: what was sent for it. */
  const sent = new Map<string, ZoneService>();
  const changed = new Map<string, ObjectKey>();
  let version = 1;
  let timer: NodeJS.Timeout | undefined;

  /** The service of a binding where it is not what was sent: most changes are words of gateways. */
  function differing(key: string, binding: IImportBinding): ZoneService | undefined {
    const service = toZoneService(binding);
    if (isDeepStrictEqual(service, sent.get(key))) return undefined;
    sent.set(key, service);
    return service;
  }

  function publishChanges(): void {
    timer = undefined;
    const services: ZoneService[] = [];
    const gone: ObjectKey[] = [];
    for (const [text, key] of changed) {
      const binding = caches.ImportBinding.get(key);
      const before = sent.get(text);
      const service = binding && differing(text, binding);
      if (service !== undefined) services.push(service);
      if (binding !== undefined || before === undefined) continue;
      sent.delete(text);
      gone.push({ namespace: before.namespace, name: before.name });
    }
    changed.clear();
    for (let from = 0; from < Math.max(services.length, gone.length); from += FEED_SERVICES_MAX) {
      const part = {
        services: services.slice(from, from + FEED_SERVICES_MAX),
        gone: gone.slice(from, from + FEED_SERVICES_MAX),
      };
      version += 1;
      change({ version, ...part });
    }
  }

  const stop = caches.ImportBinding.onChange((key) => {
    changed.set(formatKey(key), key);
    timer ??= setTimeout(publishChanges, FEED_DELAY_MS);
  });
  const bindings = caches.ImportBinding.list().map((binding) => ({ key: formatKey(binding.spec.import), binding }));
  bindings.sort((a, b) => compareText(a.key, b.key));
  for (const { binding } of bindings) differing(formatKey(keyOf(binding)), binding);
  apply({ version, zones: [...zones], services: [...sent.values()] });
  return {
    stop() {
      stop();
      clearTimeout(timer);
    },
  };
}

/** SRV tells the truth: the port that is listened on, where it is not the import's own. */
export function toZoneService({ spec, status }: IImportBinding): ZoneService {
  const listenPorts = new Map(status?.listeners?.map(({ port, listenPort }) => [port, listenPort]));
  return {
    ...spec.import,
    type: spec.type,
    ips: spec.type === 'Headless' ? [] : spec.ips,
    ports: spec.ports.map(({ name, protocol, port }) => ({
      name,
      protocol,
      port: protocol === 'TCP' ? (listenPorts.get(port) ?? port) : port,
    })),
    endpoints: [],
    ...(spec.aliases === undefined ? {} : { aliases: spec.aliases }),
  };
}
