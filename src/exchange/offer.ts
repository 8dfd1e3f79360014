/** What this peer offers at one moment, and what each peer may see of it. */
import type { ExportRecord } from '../api/record.ts';
import type { TargetRestriction } from '../catalogue/pod-targets.ts';
import { readCatalogue, type CatalogueSources } from '../catalogue/read.ts';
import type { CatalogueEntry } from '../catalogue/types.ts';
import type { PolicySet } from '../policy/compile.ts';
import { readPolicies, type POLICY_KINDS } from '../policy/read.ts';
import type { CachesOf } from '../store/caches.ts';
import { visibleRecords } from './disclosure.ts';
import { shareFairly } from './fair-share.ts';

export interface OfferOptions {
  readonly self: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly caches: CatalogueSources & CachesOf<'Peer' | (typeof POLICY_KINDS)[number]>;
  readonly allowedNamespaces: readonly string[];
  /** In a cluster: which endpoints count. */
  readonly restriction?: TargetRestriction;
  /** A peer may see so many exports more than it takes; 0: it is told all. */
  readonly onLeftOut: (peer: string, exports: number) => void;
}

export interface Offer {
  /** Worked out once a peer, however often it makes us ask; no more than it takes. Nothing for a peer without a Peer object. */
  visibleTo(peer: string): readonly ExportRecord[];
}

/** Reads the caches when it is first asked, and never again. */
export function makeOffer({ self, caches, allowedNamespaces, restriction, onLeftOut }: OfferOptions): Offer {
  const visible = new Map<string, readonly ExportRecord[]>();
  let offered: { readonly entries: readonly CatalogueEntry[]; readonly policies: PolicySet } | undefined;

  function readEntries(): readonly CatalogueEntry[] {
    const { sources } = restriction?.restrict(caches) ?? { sources: caches };
    return readCatalogue(sources, allowedNamespaces).entries;
  }

  return {
    visibleTo(peer) {
      const object = caches.Peer.list().find(({ metadata }) => metadata?.name === peer);
      if (object === undefined) return [];
      offered ??= { entries: readEntries(), policies: readPolicies(caches) };
      const known = visible.get(peer);
      if (known !== undefined) return known;
      const asker = { name: peer, labels: object.metadata?.labels ?? {} };
      const { told, leftOut } = shareFairly(visibleRecords({ peer: asker, self, ...offered }));
      visible.set(peer, told);
      onLeftOut(peer, leftOut);
      return told;
    },
  };
}
