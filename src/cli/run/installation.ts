/** Who this installation is: a uid given once and kept in the state folder, so that peers can tell a restart from a double. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import * as v from 'valibot';
import { AppError } from '../../api/errors.ts';
import { readJsonFile, writeJsonFile } from './state-file.ts';

const shape = v.object({ uid: v.pipe(v.string(), v.uuid()) });

export async function loadInstallation(state: string): Promise<string> {
  const file = join(state, 'installation.json');
  const present = await readJsonFile(file);
  if (present === undefined) {
    const uid = randomUUID();
    await writeJsonFile(file, { uid });
    return uid;
  }
  const parsed = v.safeParse(shape, present);
  if (parsed.success) return parsed.output.uid;
  const fix = 'restore the state folder from a copy, or remove this file: peers then see a new installation';
  throw new AppError('ERR_STATE_SCHEMA', `${file}: is not what this version wrote`, { fix });
}
