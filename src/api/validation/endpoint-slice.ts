/** EndpointSlices: addresses that fit their type. */
import { isIPv4, isIPv6 } from 'node:net';
import { isLabel } from '../names.ts';
import { isAddress, isDnsName } from './addresses.ts';
import { below, type Finding } from './finding.ts';
import { listAt, textAt, type JsonObject } from './json.ts';
import { portNames } from './ports.ts';
import { quote } from './quote.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';

const ADDRESS_TYPES: Readonly<Record<string, { readonly fits: (text: string) => boolean; readonly what: string }>> = {
  IPv4: { fits: isIPv4, what: 'an IPv4 address' },
  IPv6: { fits: (text) => isIPv6(text) && isAddress(text), what: 'an IPv6 address' },
  FQDN: { fits: isDnsName, what: 'a DNS name' },
};

export function endpointSliceProblems(slice: JsonObject): Finding[] {
  const type = textAt(slice, 'addressType') ?? '';
  const endpoints = listAt(slice, 'endpoints').flatMap((endpoint, index) =>
    below([String(index)], [...addressProblems(listAt(endpoint, 'addresses'), type), ...hostnameProblems(endpoint)]),
  );
  return [...below(['endpoints'], endpoints), ...below(['ports'], portProblems(listAt(slice, 'ports')))];
}

export function endpointSliceWarnings(slice: JsonObject): Finding[] {
  if (textAt(slice, 'metadata', 'labels', SERVICE_NAME) !== undefined) return [];
  const message = 'is missing, so that these endpoints belong to no Service';
  return [{ path: ['metadata', 'labels', SERVICE_NAME], message, fix: 'Set it to the name of the Service.' }];
}

function addressProblems(addresses: readonly unknown[], type: string): Finding[] {
  const known = Object.hasOwn(ADDRESS_TYPES, type) ? ADDRESS_TYPES[type] : undefined;
  if (known === undefined) return [];
  return addresses.flatMap((address, index) => {
    if (typeof address !== 'string' || known.fits(address)) return [];
    const message = `must be ${known.what}, is ${quote(address)}`;
    return [{ path: ['addresses', String(index)], message, fix: 'Correct the address, or addressType of this slice.' }];
  });
}

function hostnameProblems(endpoint: unknown): Finding[] {
  const hostname = textAt(endpoint, 'hostname');
  if (hostname === undefined || isLabel(hostname)) return [];
  const message = `must be an RFC 1123 label, is ${quote(hostname)}`;
  return [{ path: ['hostname'], message, fix: 'Use lower-case letters, digits and "-", at most 63.' }];
}

function portProblems(ports: readonly unknown[]): Finding[] {
  const indexByName = new Map<string, number>();
  return portNames(ports).flatMap((name, index) => {
    const path = [String(index), 'name'];
    const first = indexByName.get(name);
    if (first !== undefined) {
      return [{ path, message: `${quote(name)} is the name of ports[${first}] already`, fix: 'Name each port once.' }];
    }
    indexByName.set(name, index);
    if (name === '' || isLabel(name)) return [];
    const fix = 'Use the name that the port has in the Service.';
    return [{ path, message: `must be an RFC 1123 label, is ${quote(name)}`, fix }];
  });
}
