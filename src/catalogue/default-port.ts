/**
 * The one TCP port that a ClusterLink peer gets who asks for an export by its name alone (docs/adr/0019). Pure.
 *
 * A Service whose ports are put in another order must not thereby become another service to those peers. So the port is the one
 * that an annotation pins, else the one that was first when the controller first saw the export, else the first there is.
 */
import { ANNOTATIONS } from '../api/names.ts';
import type { ObjectMeta } from '../api/object.ts';
import { quote, quoteAll } from '../api/validation/quote.ts';
import { LISTED_NAMES_MAX } from '../api/validation/limits.ts';
import type { CataloguePort } from './types.ts';

type Port = Pick<CataloguePort, 'name' | 'protocol' | 'port'>;

export interface DefaultPort {
  /** Absent: there is no TCP port. */
  readonly port?: number;
  /** What is wrong with the pin, and what holds meanwhile. */
  readonly note?: string;
}

export function findDefaultPort(metadata: ObjectMeta | undefined, ports: readonly Port[]): DefaultPort {
  const port = findFirstPort(metadata, ports);
  const pin = metadata?.annotations?.[ANNOTATIONS.port];
  if (pin === undefined) return port === undefined ? {} : { port };
  // A port's name has a letter in it (RFC 6335 §5.1), so that no text is both.
  const pinned = tcpOf(ports).find((candidate) => candidate.name === pin || String(candidate.port) === pin);
  if (pinned !== undefined) return { port: pinned.port };
  const note =
    `metadata.annotations.${ANNOTATIONS.port}: the Service has no TCP port ${quote(pin)}, it has ${listPorts(ports)}; ` +
    `ClusterLink peers get ${port === undefined ? 'none' : `port ${port}`} meanwhile. Fix: name one of these, or delete the annotation.`;
  return port === undefined ? { note } : { port, note };
}

/** What the annotation of the controller has to say: the port noted while the Service has it, else the first one. */
export function findFirstPort(metadata: ObjectMeta | undefined, ports: readonly Port[]): number | undefined {
  const noted = metadata?.annotations?.[ANNOTATIONS.firstPort];
  const tcp = tcpOf(ports);
  return (tcp.find(({ port }) => String(port) === noted) ?? tcp[0])?.port;
}

/** The TCP ports as a message names them: the first few. */
export function listPorts(ports: readonly Port[]): string {
  const tcp = tcpOf(ports);
  if (tcp.length === 0) return 'none';
  return quoteAll(
    tcp.map(({ name, port }) => (name === '' ? String(port) : `${name} ${port}`)),
    LISTED_NAMES_MAX,
  );
}

function tcpOf(ports: readonly Port[]): readonly Port[] {
  return ports.filter(({ protocol }) => protocol === 'TCP');
}
