/** Addresses behind names of gateways: looked up anew at every dial, and one question at a time for each name. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { ADDRESSES_PER_NAME_MAX, NAMES_REMEMBERED_MAX } from './limits.ts';

/** What the name resolves to now, in the resolver's order. Rejects, or is empty, when it says nothing. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** As every other program of the host resolves: /etc/hosts, the search list, then DNS; IPv4 and IPv6 as RFC 6724 sorts them. */
export const resolveByHost: Resolve = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

export interface Names {
  /** At most {@link ADDRESSES_PER_NAME_MAX}; an address is itself. @throws {Error} as the resolver, or when it says nothing. */
  resolve(host: string): Promise<readonly string[]>;
  /** The same, for a dial: what was dialled last comes last, so that an address that takes connections and is no use is left. */
  resolveForDial(host: string): Promise<readonly string[]>;
  dialled(host: string, address: string): void;
}

export function makeNames(resolve: Resolve): Names {
  /** The system's resolver cannot be interrupted: a name that takes long is not asked for twice meanwhile. */
  const asking = new Map<string, Promise<readonly string[]>>();
  const lastDialled = new Map<string, string>();

  function ask(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return Promise.resolve([host]);
    const present = asking.get(host);
    if (present !== undefined) return present;
    const answer = resolve(host)
      .then((addresses) => {
        if (addresses.length === 0) throw new Error('the name has no address');
        return [...new Set(addresses)].slice(0, ADDRESSES_PER_NAME_MAX);
      })
      .finally(() => asking.delete(host));
    asking.set(host, answer);
    return answer;
  }

  return {
    resolve: ask,
    async resolveForDial(host) {
      const addresses = await ask(host);
      const last = lastDialled.get(host);
      return addresses.toSorted((a, b) => Number(a === last) - Number(b === last));
    },
    dialled(host, address) {
      lastDialled.delete(host);
      lastDialled.set(host, address);
      const [oldest] = lastDialled.keys();
      if (lastDialled.size > NAMES_REMEMBERED_MAX && oldest !== undefined) lastDialled.delete(oldest);
    },
  };
}
