/** Where a `forward` leads, compared with the addresses of the responder. Pure. */
import { isIP, isIPv6 } from 'node:net';
import { canonicalAddress } from '../../api/addresses.ts';
import type { ResponderService } from './observation.ts';

const DNS_PORT = 53;

export interface Target {
  readonly address: string;
  readonly port: number;
}

/** `10.96.0.5`, `10.96.0.5:53`, `[::1]:53`, `dns://10.96.0.5`; undefined for a file, another scheme, a name. */
export function parseTarget(text: string): Target | undefined {
  const bare = text.replace(/^dns:\/\//, '');
  if (isIP(bare) !== 0) return { address: canonicalAddress(bare), port: DNS_PORT };
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(bare) ?? [];
  const address = bracketed ?? plain ?? '';
  if (isIP(address) === 0) return undefined;
  return { address: canonicalAddress(address), port: port === undefined ? DNS_PORT : Number(port) };
}

/** `10.96.0.5:53`, `[fd00::5]:53`. */
export function formatTarget({ address, port }: Target): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Whether a target is the Service of the responder. */
export function leadsTo(responder: ResponderService | undefined): (target: string) => boolean {
  const addresses = [...(responder?.addresses ?? []), ...(responder?.others ?? [])].map(canonicalAddress);
  return (text) => {
    const target = parseTarget(text);
    return target !== undefined && addresses.includes(target.address) && target.port === responder?.port;
  };
}
