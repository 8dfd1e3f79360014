/** What the command lines of benchmarks have in common: each is a command of its own, whose `--help` lists its flags. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { AppError } from '#src/api/errors.ts';

/** A command that reads flags, and nothing else: {@link readFlags} has them. */
export function makeFlags(bench: string, description: string): Command {
  return new Command(`npm run bench -- ${bench}`)
    .description(description)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText('after', '\nWhat is measured, and how to read it: docs/PERFORMANCE.md');
}

/**
 * Their values. `--help` writes the help and throws {@link CommanderError}.
 *
 * @throws {AppError} `ERR_USAGE`
 */
export function readFlags<T extends object>(flags: Command, args: readonly string[]): T {
  try {
    return flags.parse(args, { from: 'user' }).opts<T>();
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode === 0) throw error;
    const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    throw new AppError('ERR_USAGE', `${flags.name()}: ${message}`, { fix: `${flags.name()} --help lists the flags` });
  }
}

/** Who is compared with ours. */
export function againstFlag(families: readonly string[]): Option {
  return new Option('--against <family,...>', `${families.join(', ')}; none: ours alone`)
    .argParser(namesAmong(families, 'none'))
    .default(families, 'all of them');
}

/** For the value of a flag: a whole number. @param least - default 1. */
export function wholeNumber(most: number, least = 1): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };
}

/** For the value of a flag: a number above 0. */
export function positiveNumber(most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && number > 0 && number <= most) return number;
    throw new InvalidArgumentError(`Give a number above 0, and ${most} at most.`);
  };
}

/** For the value of a flag: names divided by commas. @param none - a text that stands for no name at all. */
export function namesAmong<T extends string>(all: readonly T[], none?: string): (text: string) => readonly T[] {
  return (text) => {
    if (text === none) return [];
    return text.split(',').map((name) => {
      const found = all.find((one) => one === name);
      if (found === undefined) throw new InvalidArgumentError(`Give some of ${all.join(',')}.`);
      return found;
    });
  };
}
