/** The command line of the DNS benchmark. Pure, but for its help. */
import { againstFlag, makeFlags, readFlags, wholeNumber } from '../flags.ts';
import { ALL_FAMILIES, type Family } from './keys.ts';

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
  readonly coredns?: string;
}

interface Flags extends Omit<DnsBenchOptions, 'warmUpSeconds'> {
  readonly warmUp: number;
}

const ROUNDS_MAX = 100;
const SECONDS_MAX = 60;
/** Each has an address of its own in a /16. */
const IMPORTS_MAX = 50_000;
const CHANGES_MAX = 1_000;

/** @throws {AppError} `ERR_USAGE`. `--help` throws as {@link readFlags} says. */
export function parseOptions(args: readonly string[]): DnsBenchOptions {
  const { warmUp, changeImports, ...same } = readFlags<Flags>(describeFlags(), args);
  // None of those that the rounds have goes away.
  return { ...same, warmUpSeconds: warmUp, changeImports: Math.max(same.imports, changeImports) };
}

function describeFlags() {
  return makeFlags('dns', 'Our DNS responder beside others, one core each, asked by dnsperf in interleaved rounds.')
    .addOption(againstFlag(ALL_FAMILIES))
    .option(
      '--rounds <n>',
      'interleaved rounds, of which medians are told; 0: only changes',
      wholeNumber(ROUNDS_MAX, 0),
      5,
    )
    .option('--seconds <s>', 'length of a run of queries', wholeNumber(SECONDS_MAX), 3)
    .option(
      '--warm-up <s>',
      'seconds that each responder is asked before the first round',
      wholeNumber(SECONDS_MAX, 0),
      5,
    )
    .option('--imports <n>', 'imports in the rounds', wholeNumber(IMPORTS_MAX), 1_000)
    .option('--changes <n>', 'changes of one import; 0: none', wholeNumber(CHANGES_MAX, 0), 20)
    .option('--change-imports <n>', 'imports of ours meanwhile', wholeNumber(IMPORTS_MAX), 10_000)
    .option('--coredns <path>', 'a CoreDNS beside that of the test clusters')
    .option('--json', 'nothing but the result goes to standard output', false);
}
