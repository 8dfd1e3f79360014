/**
 * Asks exporters again about connections that are open, when the client is another one than they were told of: its labels
 * were edited, or its address has gone to another pod. The importer's own half of the decision needs no asking.
 */
import { REASONS } from '../api/reasons.ts';
import { formatSource, type SourceKey } from '../api/record.ts';
import { Line, type Place } from '../runtime/line.ts';
import { toAsserted } from './asserted.ts';
import type { ClientTable } from './client-table.ts';
import { REASKS_AT_ONCE_MAX } from './limits.ts';
import type { ProbeOutcome } from './messages.ts';
import type { Revocation } from './tunnels.ts';
import type { Source } from './wire/source.ts';

/** One open connection of a local client to another peer. */
export interface ToldConnection {
  readonly address: string;
  readonly source: SourceKey;
  readonly port: number;
  /** What its exporter was told when it decided. */
  readonly said: Source;
  abort(revocation: Revocation): void;
}

export interface Reasker {
  /** The result: it has ended. */
  add(connection: ToldConnection): () => void;
  /** Those at these addresses may be others now. */
  reask(addresses: ReadonlySet<string>): Promise<void>;
}

export interface ReaskerOptions {
  readonly clients: ClientTable;
  /** Whether the exporter would admit this client now. */
  ask(question: Pick<ToldConnection, 'address' | 'source' | 'port'>): Promise<ProbeOutcome>;
}

/** One that is open. */
interface Told {
  readonly connection: ToldConnection;
  /** What its exporter was told last. */
  said: Source;
  place?: Place;
}

export function makeReasker({ clients, ask }: ReaskerOptions): Reasker {
  const told = new Line<Told>();
  const sayOf = (address: string): Source => toAsserted(clients.at(address));

  /** One question for all connections of one client to one export. */
  async function askFor(group: readonly Told[]): Promise<void> {
    const first = group[0]?.connection;
    if (first === undefined) return;
    const said = sayOf(first.address);
    const outcome = await ask(first);
    for (const one of group) {
      const { connection, place } = one;
      if (place?.isTaken !== true) continue;
      if (outcome.ok) one.said = said;
      else if (outcome.reason === REASONS.IngressDenied || outcome.reason === REASONS.ClientUnknown) {
        connection.abort({ reason: REASONS.PolicyChanged, message: `The client has changed. ${outcome.message}` });
      }
    }
  }

  async function reask(addresses: ReadonlySet<string>): Promise<void> {
    const isStale = ({ connection: { address }, said }: Told): boolean =>
      addresses.has(address) && !saysSame(sayOf(address), said);
    const groups = Map.groupBy(told.items().filter(isStale), ({ connection: { address, source, port } }) => {
      return `${address} ${formatSource(source)} ${port}`;
    });
    const questions = [...groups.values()];
    while (questions.length > 0) await Promise.all(questions.splice(0, REASKS_AT_ONCE_MAX).map(askFor));
  }

  return {
    add(connection) {
      const { address, said } = connection;
      const one: Told = { connection, said };
      const place = (one.place = told.join(one));
      // It may have changed while the exporter dialled.
      if (!saysSame(sayOf(address), said)) void reask(new Set([address]));
      return () => place.leave();
    },
    reask,
  };
}

/** Of a client that is the same still, it is the same object. */
function saysSame(a: Source, b: Source): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
