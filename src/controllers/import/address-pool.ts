/** The home of imports on a host: each has an address of this peer's own pool, and gateways listen on it. */
import { isDeepStrictEqual } from 'node:util';
import { formatKey } from '../../api/object.ts';
import type { MergedImport } from '../../merge/types.ts';
import { assignAddresses } from './addresses.ts';
import type { ImportHome, Published } from './home.ts';

/** Where addresses come from, and where they are remembered. */
export interface AddressBook {
  readonly pool: string;
  load(): Promise<Readonly<Record<string, string>>>;
  save(remembered: Readonly<Record<string, string>>): Promise<void>;
}

export function makeAddressPool({ pool, load, save }: AddressBook): ImportHome {
  return {
    async publish(imports) {
      const before = await load();
      const wanted = imports.map(({ key }) => formatKey(key));
      const { remembered } = assignAddresses({ pool, remembered: before, wanted });
      // Remembered before it is used: after a crash the address must not go to another import.
      if (!isDeepStrictEqual(before, remembered)) await save(remembered);
      const published = imports.map((merged): [string, Published] => {
        const name = formatKey(merged.key);
        return [name, toPublished(merged, remembered[name])];
      });
      return { published: new Map(published), refused: new Map(), failures: [] };
    },
  };
}

/** Addresses of a pool are IPv4 (vips), and so is what clients of them speak. */
function toPublished({ ipFamilies }: MergedImport, address: string | undefined): Published {
  const published = {
    ips: address === undefined ? [] : [address],
    ipFamilies,
    targetPorts: new Map<string, number>(),
    annotations: {},
  };
  if (!ipFamilies.includes('IPv4')) {
    const message = 'The exports have no IP family in common that this peer can serve (IPv4).';
    return { ...published, problem: { reason: 'IPFamilyNotSupported', message } };
  }
  if (address !== undefined) return published;
  const message = 'The address pool of this peer is used up. Fix: configure a larger "vips" range.';
  return { ...published, problem: { reason: 'NoAddress', message } };
}
