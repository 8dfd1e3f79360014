/** `npm run bench -- NAME [options]`: one benchmark; its last line is its result as JSON. */
import { CommanderError } from 'commander';
import { AppError, formatError } from '#src/api/errors.ts';
import { main as control } from './control.ts';
import { main as dns } from './dns/main.ts';
import { main as gateway } from './gateway/main.ts';
import { main as guard } from './gateway/guard.ts';
import { main as soak } from './soak.ts';

const BENCHES: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  control,
  dns,
  gateway,
  guard,
  soak,
};

const [name = '', ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench === undefined) {
  console.error(
    `ERR_USAGE bench: ${JSON.stringify(name)} is none. Fix: give one of ${Object.keys(BENCHES).join(', ')}; each has --help`,
  );
  process.exitCode = 2;
} else {
  process.exitCode = await bench(args).catch((error: unknown) => {
    // The help has been written.
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (!(error instanceof AppError) || error.code !== 'ERR_USAGE') throw error;
    console.error(formatError(error));
    return 2;
  });
}
