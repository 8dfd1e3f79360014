/** Further DNS names of imports: each belongs to one import, and none lies where Kubernetes and the clusterset have theirs. */
import { DEFINED_ZONES, expandAlias, isAliasTemplate } from '../api/aliases.ts';
import type { IImportBinding } from '../api/generated/ImportBinding.ts';
import { compareText, formatKey, type ObjectKey } from '../api/object.ts';

/** What is wrong with the aliases of a rule; names that are too long only for some import are dropped there. */
export function findAliasProblem(aliases: readonly string[]): string | undefined {
  return aliases.every(isAliasTemplate)
    ? undefined
    : `spec.aliases are DNS names of two labels or more, made of a-z, 0-9, "-", ".", {name} and {namespace}, outside ${DEFINED_ZONES.join(' and ')}.`;
}

export interface AliasClaim {
  readonly key: ObjectKey;
  /** As the rule has them. */
  readonly aliases: readonly string[];
}

export interface GivenAliases {
  /** By `namespace/name` of the import; sorted. Imports without aliases are missing. */
  readonly byImport: ReadonlyMap<string, readonly string[]>;
  /** Names that two imports want, for the one that lost. */
  readonly lost: readonly { readonly alias: string; readonly key: ObjectKey; readonly winner: string }[];
}

/** An alias in use stays with its import; else the first import in order has it. */
export function giveAliases(
  claims: readonly AliasClaim[],
  previousByName: ReadonlyMap<string, IImportBinding>,
): GivenAliases {
  const wanted = claims.flatMap(({ key, aliases }) => {
    const name = formatKey(key);
    const inUse = previousByName.get(name)?.spec.aliases ?? [];
    const expanded = new Set(aliases.flatMap((alias) => expandAlias(alias, key) ?? []));
    return [...expanded].map((alias) => ({ alias, key, name, rank: inUse.includes(alias) ? 0 : 1 }));
  });
  const winners = new Map<string, string>();
  const lost: GivenAliases['lost'][number][] = [];
  for (const { alias, key, name } of wanted.sort((a, b) => a.rank - b.rank)) {
    const winner = winners.get(alias);
    if (winner === undefined) winners.set(alias, name);
    else lost.push({ alias, key, winner });
  }
  const byImport = Map.groupBy(winners, ([, name]) => name);
  return {
    byImport: new Map([...byImport].map(([name, given]) => [name, given.map(([alias]) => alias).sort(compareText)])),
    lost,
  };
}
