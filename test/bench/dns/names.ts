/** The imports of the benchmark, as every responder has them: a name, an address, one port. Pure. */

export const ZONE = 'clusterset.local';
export const NAMESPACE = 'bench';
export const PORT_NAME = 'http';

export interface Import {
  readonly name: string;
  /** IPv4, of 10.200.0.0/16 and what follows it. */
  readonly address: string;
  readonly port: number;
}

/** The same for the same number, each time; fewer are the first of more. */
export function toImports(count: number): readonly Import[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `svc-${index}`,
    address: toAddress(index),
    port: 8_000 + (index % 1_000),
  }));
}

/** No last octet is 0 or 255. */
export function toAddress(index: number): string {
  return `10.${200 + Math.floor(index / (254 * 256))}.${Math.floor(index / 254) % 256}.${1 + (index % 254)}`;
}

/** Asked for A; also the target of SRV. */
export function hostOf({ name }: Pick<Import, 'name'>): string {
  return `${name}.${NAMESPACE}.svc.${ZONE}`;
}

/** Asked for SRV. */
export function serviceOf(each: Pick<Import, 'name'>): string {
  return `_${PORT_NAME}._tcp.${hostOf(each)}`;
}

/** A name that nobody has. */
export function missingHost(index: number): string {
  return hostOf({ name: `missing-${index}` });
}
