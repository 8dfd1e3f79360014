/** What a ClusterLink peer means by the name of an export: it knows exports with one port. Pure. */
import { formatKey, type ObjectKey } from '../../api/object.ts';
import type { ExportRoute } from '../messages.ts';

/** One TCP port of one export. */
export interface NamedPort {
  readonly export: ObjectKey;
  readonly port: number;
}

/**
 * The export of that name stands for its default port; `<export>.<port name>` for another one. A name that is both is the
 * export's.
 *
 * @returns undefined when there is none, or it has no such TCP port.
 */
export function findNamedPort(exports: ReadonlyMap<string, ExportRoute>, wanted: ObjectKey): NamedPort | undefined {
  const exact = exports.get(formatKey(wanted));
  if (exact !== undefined) return toNamedPort(exact, exact.defaultPort ?? tcpPortsOf(exact)[0]?.port);
  // Names of ports have no dots.
  const [, name = '', portName] = /^(.+)\.([^.]+)$/.exec(wanted.name) ?? [];
  if (portName === undefined) return undefined;
  const route = exports.get(formatKey({ namespace: wanted.namespace, name }));
  if (route === undefined) return undefined;
  return toNamedPort(route, tcpPortsOf(route).find((port) => port.name === portName)?.port);
}

function tcpPortsOf({ ports }: ExportRoute): ExportRoute['ports'] {
  return ports.filter(({ protocol }) => protocol === 'TCP');
}

function toNamedPort({ namespace, name }: ExportRoute, port: number | undefined): NamedPort | undefined {
  return port === undefined ? undefined : { export: { namespace, name }, port };
}
