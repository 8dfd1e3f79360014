/**
 * The revocation lists that are in force here, out of all that were seen: each read and its signature looked at once, of each root
 * the newest. What was in force counts again each time, so that a file that is replaced by an older one, or a peer that says no
 * list any more, revives nobody.
 */
import { newestLists, readList, signerOf, splitLists, type ReadList, type RevocationList } from './revocation.ts';
import { believedRoots } from './roots.ts';

export interface ListsInput {
  /** `fabric.ca`. */
  readonly caPem: string;
  /** By peer, of those that name roots of their own. */
  readonly rootsByPeer: ReadonlyMap<string, string>;
  /** DER in base64, or PEM, as anybody may have written it. */
  readonly texts: readonly string[];
}

export interface ListsInForce {
  /** What cannot be read, or is signed by nobody who is believed, counts for nothing. */
  update(input: ListsInput): {
    /** Those of the fabric's own roots first. */
    readonly inForce: readonly RevocationList[];
    /** Lists that nobody who is believed here has signed. */
    readonly foreign: readonly ReadList[];
  };
}

export function makeListsInForce(): ListsInForce {
  /** By text, of those that were seen last: undefined for what is no list. */
  let read = new Map<string, ReadList | undefined>();
  let inForce: readonly RevocationList[] = [];
  /** By roots and list: who has signed it. */
  let signers = new Map<string, string | undefined>();

  return {
    update({ caPem, rootsByPeer, texts }) {
      const roots = believedRoots(caPem, rootsByPeer);
      const rootsText = roots.map(({ certificate }) => certificate.fingerprint256).join(' ');
      const seen = new Map<string, ReadList | undefined>();
      const signedBy = new Map<string, string | undefined>();
      for (const text of new Set([...inForce.map((list) => list.text), ...texts].flatMap(toListTexts))) {
        seen.set(text, read.has(text) ? read.get(text) : tryRead(text));
      }
      const believed: RevocationList[] = [];
      const foreign: ReadList[] = [];
      for (const list of seen.values()) {
        if (list === undefined) continue;
        const id = `${list.digest} ${rootsText}`;
        const issuer = signers.has(id) ? signers.get(id) : signerOf(list, roots)?.keyFingerprint;
        signedBy.set(id, issuer);
        if (issuer === undefined) foreign.push(list);
        else believed.push({ ...list, issuer });
      }
      read = seen;
      signers = signedBy;
      const ofFabric = new Set(believedRoots(caPem, new Map()).map(({ keyFingerprint }) => keyFingerprint));
      inForce = newestLists(believed).sort((a, b) => Number(ofFabric.has(b.issuer)) - Number(ofFabric.has(a.issuer)));
      return { inForce, foreign };
    },
  };
}

function toListTexts(text: string): string[] {
  if (!text.includes('-----BEGIN')) return [text];
  try {
    return splitLists(text);
  } catch {
    return [];
  }
}

function tryRead(text: string): ReadList | undefined {
  try {
    return readList(text);
  } catch {
    // Said by a peer: it may be what another version understands. Of the own file whoever follows it says what is wrong.
    return undefined;
  }
}
