/** The command line of the DNS benchmark. Pure. */
import { parseArgs } from 'node:util';
import { makeFlags } from '../flags.ts';
import { ALL_FAMILIES, isFamily, type Family } from './keys.ts';

export interface DnsBenchOptions {
  readonly against: readonly Family[];
  readonly rounds: number;
  /** The length of one run of queries. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly imports: number;
  /** How often one import of {@link changeImports} is changed; 0: that is not measured. */
  readonly changes: number;
  readonly changeImports: number;
  readonly json: boolean;
  /** The program; absent: that of the test clusters. */
  readonly coredns: string | undefined;
}

const flags = makeFlags('dns');
const ROUNDS_MAX = 100;
const SECONDS_MAX = 60;
/** Each has an address of its own in a /16. */
const IMPORTS_MAX = 50_000;
const CHANGES_MAX = 1_000;

/** @throws {AppError} `ERR_USAGE`. */
export function parseOptions(args: readonly string[]): DnsBenchOptions {
  const values = readFlags(args);
  const { against = ALL_FAMILIES.join(',') } = values;
  const imports = flags.count({ flag: '--imports', text: values.imports ?? '1000', max: IMPORTS_MAX });
  const wanted = { flag: '--change-imports', text: values['change-imports'] ?? '10000', max: IMPORTS_MAX };
  return {
    against:
      against === 'none' ? [] : flags.list({ flag: '--against', text: against, isOne: isFamily, all: ALL_FAMILIES }),
    rounds: flags.count({ flag: '--rounds', text: values.rounds ?? '5', min: 0, max: ROUNDS_MAX }),
    seconds: flags.count({ flag: '--seconds', text: values.seconds ?? '3', max: SECONDS_MAX }),
    warmUpSeconds: flags.count({ flag: '--warm-up', text: values['warm-up'] ?? '5', min: 0, max: SECONDS_MAX }),
    imports,
    changes: flags.count({ flag: '--changes', text: values.changes ?? '20', min: 0, max: CHANGES_MAX }),
    // None of those that the rounds have goes away.
    changeImports: Math.max(imports, flags.count(wanted)),
    json: values.json ?? false,
    coredns: values.coredns,
  };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        against: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        'warm-up': { type: 'string' },
        imports: { type: 'string' },
        changes: { type: 'string' },
        'change-imports': { type: 'string' },
        json: { type: 'boolean' },
        coredns: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw flags.usage((error as Error).message, 'see docs/PERFORMANCE.md for the flags');
  }
}
