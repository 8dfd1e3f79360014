/** Remembers which address each import has or had, in the state folder. */
import { join } from 'node:path';
import * as v from 'valibot';
import { AppError } from '../../api/errors.ts';
import type { AddressBook } from '../../controllers/import/address-pool.ts';
import { readJsonFile, writeJsonFile } from './state-file.ts';

const shape = v.record(v.string(), v.pipe(v.string(), v.ipv4()));

export function makeAddressBook(state: string, pool: string): AddressBook {
  const file = join(state, 'addresses.json');
  return {
    pool,
    async load() {
      const parsed = v.safeParse(shape, (await readJsonFile(file)) ?? {});
      if (parsed.success) return parsed.output;
      const fix = 'restore it from a copy, or remove it: imports may then get other addresses';
      throw new AppError('ERR_STATE_SCHEMA', `${file}: is not what this version wrote`, { fix });
    },
    save: (remembered) => writeJsonFile(file, remembered),
  };
}
