/** Who is answered. */
import { BlockList, isIP } from 'node:net';
import { AppError } from '../api/errors.ts';

export interface ClientNetworks {
  /** `address` as a socket gives it: also with a scope, also IPv4 written as IPv6. */
  classify(address: string): Client | undefined;
}

/** A client of a configured network. */
export interface Client {
  /** Without scope, IPv4 as IPv4: one client has one such text. */
  readonly address: string;
  readonly isLoopback: boolean;
}

/**
 * @param networks - `10.0.0.0/8`, `fd00::/8`.
 * @throws {AppError} `ERR_CONFIG` for what is no network.
 */
export function makeClientNetworks(networks: readonly string[]): ClientNetworks {
  const allowed = toBlockList(networks);
  const loopback = toBlockList(['127.0.0.0/8', '::1/128']);
  return {
    classify(text) {
      const address = normalizeClient(text);
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      return allowed.check(address, family) ? { address, isLoopback: loopback.check(address, family) } : undefined;
    },
  };
}

/** A socket for both families writes IPv4 clients as ::ffff:192.0.2.1; link-local ones carry their interface. */
function normalizeClient(text: string): string {
  const [address = ''] = text.split('%', 1);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? address;
}

const NETWORK = /^([0-9A-Fa-f:.]+)\/(\d{1,3})$/;

function toBlockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [, address = '', digits = ''] = NETWORK.exec(network) ?? [];
    const version = isIP(address);
    const prefixBits = Number(digits);
    if (version === 0 || prefixBits > (version === 4 ? 32 : 128)) {
      const fix = 'write networks as 10.0.0.0/8 or fd00::/8';
      throw new AppError('ERR_CONFIG', `dns.clients: ${JSON.stringify(network)} is not a network`, { fix });
    }
    list.addSubnet(address, prefixBits, version === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
