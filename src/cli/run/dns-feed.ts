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
  /** What was sent last is in force. */
  acknowledge(): void;
  stop(): void;
}

/** The first snapshot is sent at once. */
export function startDnsFeed({ caches, zones, send }: DnsFeedOptions): DnsFeed {
  let last: ZoneSnapshot | undefined;
  let timer: NodeJS.Timeout | undefined;
  const rest = makeRest({ minMs: FEED_DELAY_MS });
  /** Of the snapshot that is on its way: compiling a zone takes longer than making the snapshot. */
  let endSending = (): void => undefined;
  /** Bindings never change in place. */
  const serviceByBinding = new WeakMap<IImportBinding, ZoneService>();

  function serviceOf(binding: IImportBinding): ZoneService {
    const service = serviceByBinding.get(binding) ?? toZoneService(binding);
    serviceByBinding.set(binding, service);
    return service;
  }

  function publish(): void {
    timer = undefined;
    const end = rest.begin();
    const services = caches.ImportBinding.list()
      .map(serviceOf)
      .sort((a, b) => compareText(formatKey(a), formatKey(b)));
    if (last !== undefined && isSame(services, last.services)) return end();
    last = { version: (last?.version ?? 0) + 1, zones: [...zones], services };
    endSending = end;
    send(last);
  }

  publish();
  const stop = caches.ImportBinding.onChange(() => {
    timer ??= setTimeout(publish, rest.delayMs());
  });
  return {
    acknowledge: () => endSending(),
    stop() {
      stop();
      clearTimeout(timer);
    },
  };
}

function isSame(a: readonly ZoneService[], b: readonly ZoneService[]): boolean {
  return (
    a.length === b.length && a.every((service, index) => service === b[index] || isDeepStrictEqual(service, b[index]))
  );
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
