/** The responder of a process: threads of their own, which nothing else in the process holds up, and what they were told last. */
import { formatKey } from '../api/object.ts';
import type { Logger } from '../runtime/log.ts';
import type { HostAndPort } from './bind.ts';
import { makeCounts, readCounts, type CountSink } from './counts.ts';
import type { ZoneChange, ZoneService, ZoneSnapshot } from './snapshot.ts';
import type { ThreadOptions } from './thread-messages.ts';
import { startDnsThread, type DnsThread } from './thread.ts';

export interface DnsThreadsOptions extends Pick<
  ThreadOptions,
  'listen' | 'clients' | 'repliesPerSecond' | 'queryLog' | 'log'
> {
  /** How many, from 1: they share one port, and the kernel the clients among them. */
  readonly threads: number;
  readonly logger: Logger;
  /** Told whenever every thread answers by a version. */
  onApplied(version: number): void;
}

export interface DnsThreads {
  readonly address: HostAndPort;
  /** The first snapshot, and changes from then on. */
  apply(snapshot: ZoneSnapshot): void;
  change(change: ZoneChange): void;
  /** What was counted since the last call. */
  takeCounts(sink: CountSink): void;
  /** Resolves when nothing listens any more. */
  close(): Promise<void>;
}

/** @throws {AppError} `ERR_LISTEN`, `ERR_CONFIG`, `ERR_TIMEOUT`; nothing stays open. */
export async function startDnsThreads({
  threads: count,
  logger,
  onApplied,
  ...common
}: DnsThreadsOptions): Promise<DnsThreads> {
  const members: DnsThread[] = [];
  const applied = new Array<number>(count).fill(0);
  const counts = Array.from({ length: count }, () => makeCounts());
  const readers = counts.map(({ memory }) => readCounts(memory));
  let known: { version: number; zones: readonly string[]; services: Map<string, ZoneService> } | undefined;

  const snapshot = (): ZoneSnapshot | undefined => known && { ...known, services: [...known.services.values()] };

  function note(index: number, version: number): void {
    applied[index] = version;
    onApplied(Math.min(...applied));
  }

  async function start(): Promise<void> {
    for (const [index, { memory }] of counts.entries()) {
      // The first one chooses the port, if nobody else has.
      const listen = members[0]?.address ?? common.listen;
      const options: ThreadOptions = { ...common, listen, isShared: count > 1, counts: memory };
      const onOne = (version: number): void => note(index, version);
      members.push(await startDnsThread({ options, logger, snapshot, onApplied: onOne }));
    }
  }

  const close = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.close()));
  };
  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  const [first] = members;
  if (first === undefined) throw new RangeError('dns: one thread at least');

  return {
    address: first.address,
    apply(snapshot) {
      const { version, zones, services } = snapshot;
      known = { version, zones, services: new Map(services.map((service) => [formatKey(service), service])) };
      for (const member of members) member.tell({ snapshot });
    },
    change(change) {
      if (known === undefined) throw new TypeError('a change came before the snapshot that it changes');
      known.version = change.version;
      for (const key of change.gone) known.services.delete(formatKey(key));
      for (const service of change.services) known.services.set(formatKey(service), service);
      for (const member of members) member.tell({ change });
    },
    takeCounts(sink) {
      for (const reader of readers) reader.take(sink);
    },
    close,
  };
}
