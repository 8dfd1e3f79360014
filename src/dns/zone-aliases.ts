/** Whose an alias is, where two services want it: whoever came first has it until it goes. Pure but for what it remembers. */

export interface AliasClaims {
  /** Replaces what this service wants; the result names those that get what it leaves. */
  set(service: string, aliases: readonly string[]): readonly string[];
  ownerOf(alias: string): string | undefined;
}

export function makeAliasClaims(): AliasClaims {
  const claimants = new Map<string, string[]>();
  const wanted = new Map<string, readonly string[]>();

  function release(alias: string, service: string): readonly string[] {
    const all = claimants.get(alias) ?? [];
    const rest = all.filter((claimant) => claimant !== service);
    if (rest.length > 0) claimants.set(alias, rest);
    else claimants.delete(alias);
    return all[0] === service ? rest.slice(0, 1) : [];
  }

  return {
    set(service, aliases) {
      const left = (wanted.get(service) ?? []).filter((alias) => !aliases.includes(alias));
      const heirs = left.flatMap((alias) => release(alias, service));
      for (const alias of aliases) {
        const all = claimants.get(alias) ?? [];
        if (!all.includes(service)) claimants.set(alias, [...all, service]);
      }
      if (aliases.length > 0) wanted.set(service, aliases);
      else wanted.delete(service);
      return heirs;
    },
    ownerOf: (alias) => claimants.get(alias)?.[0],
  };
}
