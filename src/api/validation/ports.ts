/** Lists of ports, of a Service or a ServiceImport. */
import { isLabel } from '../names.ts';
import { isPort, PORT_MAX } from './addresses.ts';
import type { Finding } from './finding.ts';
import { mapAt, textAt, valueAt } from './json.ts';
import { quote } from './quote.ts';

export const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];

/** @param ports - `spec.ports`; paths begin with the index. */
export function portListProblems(ports: readonly unknown[]): Finding[] {
  return [...ports.flatMap((port, index) => portProblems(port, index)), ...twiceProblems(ports)];
}

/**
 * Where there are several, each port of a Service needs a name. In an import the ports of several exports may come together,
 * one of them without a name (CFL-17).
 */
export function namelessPortProblems(ports: readonly unknown[]): Finding[] {
  if (ports.length < 2) return [];
  return portNames(ports).flatMap((name, index) => {
    const message = 'is needed where there are several ports';
    return name !== '' ? [] : [{ path: [String(index), 'name'], message, fix: 'Give each port a name of its own.' }];
  });
}

/** The ports' names; '' for one without. */
export function portNames(ports: readonly unknown[]): string[] {
  return ports.map((port) => textAt(port, 'name') ?? '');
}

function portProblems(value: unknown, index: number): Finding[] {
  const { name, port, protocol } = mapAt(value);
  const findings: Finding[] = [];
  const tell = (member: string, message: string, fix: string): void =>
    void findings.push({ path: [String(index), member], message, fix });
  if (typeof port === 'number' && !isPort(port)) {
    tell(
      'port',
      `must be a number between 1 and ${PORT_MAX}, is ${quote(port)}`,
      'Use the port that clients connect to.',
    );
  }
  if (typeof protocol === 'string' && !PROTOCOLS.includes(protocol)) {
    tell(
      'protocol',
      `must be one of ${PROTOCOLS.join(', ')}, is ${quote(protocol)}`,
      `Use one of ${PROTOCOLS.join(', ')}.`,
    );
  }
  if (typeof name === 'string' && name !== '' && !isLabel(name)) {
    tell('name', `must be an RFC 1123 label, is ${quote(name)}`, 'Use lower-case letters, digits and "-", at most 63.');
  }
  return findings;
}

function twiceProblems(ports: readonly unknown[]): Finding[] {
  const findings: Finding[] = [];
  const indexByName = new Map<string, number>();
  const indexByNumber = new Map<string, number>();
  ports.forEach((value, index) => {
    const name = textAt(value, 'name') ?? '';
    const number = `${textAt(value, 'protocol') ?? 'TCP'} ${String(valueAt(value, 'port'))}`;
    const sameName = name === '' ? undefined : indexByName.get(name);
    const sameNumber = isPort(valueAt(value, 'port')) ? indexByNumber.get(number) : undefined;
    if (sameName === undefined) indexByName.set(name, index);
    else {
      const message = `${quote(name)} is the name of ports[${sameName}] already`;
      findings.push({ path: [String(index), 'name'], message, fix: 'Give each port a name of its own.' });
    }
    if (sameNumber === undefined) indexByNumber.set(number, index);
    else {
      const message = `${number} is ports[${sameNumber}] already`;
      findings.push({ path: [String(index), 'port'], message, fix: 'Delete one of the two, or change its number.' });
    }
  });
  return findings;
}
