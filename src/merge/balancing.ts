/** How a rule wants connections spread over the sources of an import, compiled into the binding (DESIGN §5). */
import type { ImportBindingSpecSource } from '../api/generated/ImportBinding.ts';
import type { AnyImportRule, MergedImport } from './types.ts';

/** What the rule says of the exports of one peer; what is as ever (priority 0, weight 1, no order) is left out. */
export type SourceBalance = Pick<ImportBindingSpecSource, 'priority' | 'weight' | 'order'>;

export interface Balancing {
  readonly loadBalancing: MergedImport['loadBalancing'];
  balanceOf(peer: string): SourceBalance;
}

/**
 * Every field has a value that is right for who does not write it: in turn, and an export of this peer itself first. With
 * `Static` the rule says the order, and self has the place in it that the rule gives it.
 */
export function makeBalancing({ spec }: AnyImportRule): Balancing {
  const { scheme = 'RoundRobin', localFirst = scheme !== 'Static', peers = [] } = spec.loadBalancing ?? {};
  const saidByPeer = new Map(peers.map((peer) => [peer.name, peer]));
  const inOrder =
    scheme === 'Static' ? new Set([...saidByPeer.keys(), ...(spec.peers.names ?? [])]) : new Set<string>();
  const orderByPeer = new Map([...inOrder].map((peer, order) => [peer, order]));
  return {
    loadBalancing: { scheme, localFirst },
    balanceOf(peer) {
      const { priority = 0, weight = 1 } = saidByPeer.get(peer) ?? {};
      const order = orderByPeer.get(peer);
      return {
        ...(priority === 0 ? {} : { priority }),
        ...(weight === 1 ? {} : { weight }),
        ...(order === undefined ? {} : { order }),
      };
    },
  };
}

/** Two words about one peer, or one about a peer that is not meant: it is not for us to guess. */
export function findBalancingProblem({ spec }: AnyImportRule): string | undefined {
  const names = (spec.loadBalancing?.peers ?? []).map(({ name }) => name);
  if (new Set(names).size < names.length) return 'spec.loadBalancing.peers has a peer twice.';
  const selected = spec.peers.names && new Set(spec.peers.names);
  return selected === undefined || names.every((name) => selected.has(name))
    ? undefined
    : 'spec.loadBalancing.peers has a peer that spec.peers.names has not.';
}
