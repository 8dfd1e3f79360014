/** Feeds the DNS responder: bindings in, zone snapshots out, whenever they differ. */
import { isDeepStrictEqual } from 'node:util';
import type { IImportBinding } from '../../api/generated/ImportBinding.ts';
import { compareText, formatKey } from '../../api/object.ts';
import type { ZoneService, ZoneSnapshot } from '../../dns/snapshot.ts';
import { makeRest } from '../../runtime/rest.ts';
import type { Caches } from '../../store/caches.ts';

/** Changes that come together make one snapshot. */
const FEED_DELAY_MS = 10;

export interface DnsFeedOptions {
  readonly caches: Pick<Caches, 'ImportBinding'>;
  readonly zones: readonly string[];
  send(snapshot: ZoneSnapshot): void;
}

export interface DnsFeed {
  stop(): void;
}

/** The first snapshot is sent at once. */
export function startDnsFeed({ caches, zones, send }: DnsFeedOptions): DnsFeed {
  let last: ZoneSnapshot | undefined;
  let timer: NodeJS.Timeout | undefined;
  const rest = makeRest({ minMs: FEED_DELAY_MS });
  const services = makeServices();

  function publish(): void {
    timer = undefined;
    const present = services.of(caches.ImportBinding.list());
    if (
      last?.services.length === present.length &&
      present.every((service, index) => service === last?.services[index])
    ) {
      return;
    }
    last = { version: (last?.version ?? 0) + 1, zones: [...zones], services: present };
    send(last);
  }

  publish();
  const stop = caches.ImportBinding.onChange(() => {
    timer ??= setTimeout(() => rest.time(publish), rest.delayMs());
  });
  return {
    stop() {
      stop();
      clearTimeout(timer);
    },
  };
}

interface Known {
  readonly binding: IImportBinding;
  readonly service: ZoneService;
}

/** What does not differ stays the same object: most changes of bindings are words of gateways, and the responder goes by that. */
function makeServices() {
  let known: ReadonlyMap<string, Known> = new Map();

  function know(binding: IImportBinding, before: Known | undefined): Known {
    if (before?.binding === binding) return before;
    const service = toZoneService(binding);
    return { binding, service: isDeepStrictEqual(service, before?.service) ? (before?.service ?? service) : service };
  }

  return {
    /** In order of `namespace/name`. */
    of(bindings: readonly IImportBinding[]): ZoneService[] {
      const sorted = bindings.map((binding) => ({ key: formatKey(binding.spec.import), binding }));
      sorted.sort((a, b) => compareText(a.key, b.key));
      known = new Map(sorted.map(({ key, binding }) => [key, know(binding, known.get(key))]));
      return sorted.flatMap(({ key }) => known.get(key)?.service ?? []);
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
  };
}
