/** Comparisons of objects that several tests make. Pure; each throws if it does not hold. */
import { isDeepStrictEqual } from 'node:util';
import type { EndpointSlice, ServiceImport, ServicePort } from '../objects.ts';

/** @throws Error that shows both. Absent and null are the same: some servers answer the one, some the other. */
export function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual ?? undefined, expected ?? undefined)) return;
  throw new Error(`${what} is ${JSON.stringify(actual ?? null)}, expected ${JSON.stringify(expected ?? null)}`);
}

/** What consumers see of ports; a target port is the exporter's own business. Sorted by name without regard to case. */
export function toComparablePorts(ports: readonly ServicePort[] = []): ServicePort[] {
  return ports
    .map(({ name = '', protocol = '', port, appProtocol }) => ({
      name,
      protocol,
      port,
      ...(appProtocol === undefined || appProtocol === null ? {} : { appProtocol }),
    }))
    .sort((a, b) => compareText(a.name.toLowerCase(), b.name.toLowerCase()));
}

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function expectPorts(found: ServiceImport, expected: readonly ServicePort[] | undefined): void {
  expectEqual('spec.ports', toComparablePorts(found.spec?.ports), toComparablePorts(expected));
}

export interface ExportedMetadata {
  readonly has: Readonly<Record<string, string>>;
  readonly hasNot: readonly string[];
}

/** Further keys are the implementation's own. */
export function expectMetadata(
  { metadata }: ServiceImport,
  expected: { labels: ExportedMetadata; annotations: ExportedMetadata },
): void {
  for (const kind of ['labels', 'annotations'] as const) {
    const actual = metadata[kind] ?? {};
    for (const [key, value] of Object.entries(expected[kind].has)) expectEqual(`${kind} ${key}`, actual[key], value);
    for (const key of expected[kind].hasNot) {
      if (Object.hasOwn(actual, key)) throw new Error(`${kind} has ${key}, which is not exported`);
    }
  }
}

/** An unset condition means ready (DNS-20). */
export function readyEndpointsOf(
  slices: readonly EndpointSlice[],
): { addresses: readonly string[]; hostname: string }[] {
  return slices
    .flatMap((slice) => slice.endpoints ?? [])
    .filter((endpoint) => endpoint.conditions?.ready ?? true)
    .map(({ addresses, hostname = '' }) => ({ addresses, hostname }));
}
