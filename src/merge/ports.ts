/** The ports of one import: the union of its exports' (CFL-17 to CFL-23). */
import type { ImportBindingSpecPort, ImportBindingSpecSourcePort } from '../api/generated/ImportBinding.ts';
import type { ExportRecord } from '../api/record.ts';
import { PORTS_PER_IMPORT_MAX } from './limits.ts';

type Port = ExportRecord['ports'][number];
type RecordPorts = readonly Port[];

export interface UnitedPorts {
  /** The oldest's order, then additions. */
  readonly ports: readonly ImportBindingSpecPort[];
  /** Definitions that were consistent, and did not fit. */
  readonly beyondLimit: readonly Port[];
}

/**
 * Unites by name, then by (protocol, port): of two definitions that contradict, the one in use stays, then the older. A port
 * that an older export adds later does not take the name away from one that clients already use.
 *
 * An unnamed port may end up beside named ones; whoever derives a Service from it makes up a name.
 *
 * @param constituents - in order of precedence.
 * @param inUse - ports of the binding in force.
 */
export function unitePorts(constituents: readonly RecordPorts[], inUse: RecordPorts): UnitedPorts {
  const firstByDefinition = new Map<string, Port>();
  for (const port of constituents.flat()) {
    if (!firstByDefinition.has(definitionOf(port))) firstByDefinition.set(definitionOf(port), port);
  }
  const definitions = [...firstByDefinition.values()];
  const used = new Set(inUse.map(definitionOf));
  const isUsed = (port: Port): boolean => used.has(definitionOf(port));
  const names = new Set<string>();
  const numbers = new Set<string>();
  const kept = new Set<Port>();
  const beyondLimit: Port[] = [];
  for (const port of [...definitions.filter(isUsed), ...definitions.filter((other) => !isUsed(other))]) {
    if (names.has(port.name) || numbers.has(numberOf(port))) continue;
    if (kept.size === PORTS_PER_IMPORT_MAX) {
      beyondLimit.push(port);
      continue;
    }
    names.add(port.name);
    numbers.add(numberOf(port));
    kept.add(port);
  }
  return { ports: definitions.filter((port) => kept.has(port)).map(toImportPort), beyondLimit };
}

/** The ports of the import that a source really has, under the import's names: only these get its traffic (CFL-21, CFL-22). */
export function portsOfSource(
  united: readonly ImportBindingSpecPort[],
  own: RecordPorts,
): ImportBindingSpecSourcePort[] {
  const numbers = new Set(own.map(numberOf));
  return united
    .filter((port) => numbers.has(numberOf(port)))
    .map(({ name, protocol, port }) => ({ name, protocol, port }));
}

/** Whether two lists define a port alike: one name for one protocol and number. */
export function sharesDefinition(own: RecordPorts, others: RecordPorts): boolean {
  const definitions = new Set(others.map(definitionOf));
  return own.some((port) => definitions.has(definitionOf(port)));
}

/** The ports of one list that the other lacks, by everything that a port says; order does not count (CFL-23). */
export function missingPorts(own: RecordPorts, united: RecordPorts): Port[] {
  const present = new Set(united.map(wholeOf));
  return own.filter((port) => !present.has(wholeOf(port)));
}

function toImportPort({ name, protocol, port, appProtocol }: Port): ImportBindingSpecPort {
  return { name, protocol, port, ...(appProtocol === undefined ? {} : { appProtocol }) };
}

function numberOf({ protocol, port }: Port): string {
  return `${protocol}/${port}`;
}

function definitionOf(port: Port): string {
  return `${numberOf(port)}/${port.name}`;
}

function wholeOf(port: Port): string {
  return JSON.stringify([port.name, port.protocol, port.port, port.appProtocol ?? null]);
}
