/** How many connections clients have open to each import: there is a bound, which all data planes of this peer share. */
import { CONNECTIONS_PER_IMPORT_MAX } from './limits.ts';
import type { Share, Shares } from './shares.ts';

export interface ImportConnections {
  /** One more to `namespace/name`; false where there are too many. */
  take(object: string): boolean;
  /** One of those that were taken is over. */
  giveBack(object: string): void;
  /** Forgets others, as soon as none of theirs is open. Before the first client comes it is known how many there may be. */
  retain(imports: { has(object: string): boolean; keys(): Iterable<string> }): void;
}

export function makeImportConnections(shares: Shares): ImportConnections {
  const openByImport = new Map<string, number>();
  const shareByImport = new Map<string, Share>();

  function shareOf(object: string): Share {
    const share = shareByImport.get(object) ?? shares(`connections ${object}`, CONNECTIONS_PER_IMPORT_MAX);
    shareByImport.set(object, share);
    return share;
  }

  return {
    take(object) {
      const open = openByImport.get(object) ?? 0;
      const share = shareOf(object);
      const hasRoom = open < share.max;
      if (hasRoom) openByImport.set(object, open + 1);
      share.see(hasRoom ? open + 1 : open);
      return hasRoom;
    },
    giveBack(object) {
      const left = (openByImport.get(object) ?? 0) - 1;
      if (left > 0) openByImport.set(object, left);
      else openByImport.delete(object);
      shareOf(object).see(Math.max(0, left));
    },
    retain(imports) {
      for (const [object, share] of shareByImport) {
        if (imports.has(object) || openByImport.has(object)) continue;
        share.close();
        shareByImport.delete(object);
      }
      for (const object of imports.keys()) shareOf(object);
    },
  };
}
