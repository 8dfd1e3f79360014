/** What the command lines of benchmarks have in common. Pure. */
import { AppError } from '#src/api/errors.ts';

export interface Flags {
  /** @throws {AppError} `ERR_USAGE`, as every function here. */
  count(count: Count): number;
  /** Names divided by commas. */
  list<T extends string>(list: List<T>): readonly T[];
  usage(message: string, fix: string): AppError;
}

export interface List<T extends string> {
  readonly flag: string;
  readonly text: string;
  readonly isOne: (name: string) => name is T;
  readonly all: readonly T[];
}

export interface Count {
  readonly flag: string;
  readonly text: string;
  /** Default 1. */
  readonly min?: number;
  readonly max: number;
}

/** @param bench - its name, for errors. */
export function makeFlags(bench: string): Flags {
  const usage: Flags['usage'] = (message, fix) => new AppError('ERR_USAGE', `bench ${bench}: ${message}`, { fix });
  return {
    usage,
    count({ flag, text, min = 1, max }) {
      const count = Number(text);
      if (!/^\d+$/.test(text) || count < min || count > max) {
        throw usage(`${flag}: ${JSON.stringify(text)} is no such number`, `give a whole one from ${min} to ${max}`);
      }
      return count;
    },
    list: ({ flag, text, isOne, all }) =>
      text.split(',').map((name) => {
        if (!isOne(name)) throw usage(`${flag}: ${JSON.stringify(name)} is none`, `give some of ${all.join(',')}`);
        return name;
      }),
  };
}
