/** Which kind a document is of, and what is to be said of one that is not ours. Pure. */
import { apiVersionOf, KIND_NAMES, KINDS, type KindName } from '../../api/kinds.ts';
import { askWhether, didYouMean } from '../../api/validation/did-you-mean.ts';
import { quote, quoteAll } from '../../api/validation/quote.ts';

interface Words {
  readonly field: 'apiVersion' | 'kind';
  readonly message: string;
  readonly fix: string;
}

export type KindVerdict =
  | { readonly verdict: 'known'; readonly kind: KindName }
  /** Somebody else's: ignored, and told. */
  | ({ readonly verdict: 'foreign' } & Words)
  /** Surely a slip; `meant` is the kind that was meant. */
  | ({ readonly verdict: 'slip'; readonly meant?: KindName } & Words);

/** Groups in which every kind is ours to know. */
const OWN_GROUPS = ['multicluster.x-k8s.io', 'clusterlink.net', 'mcs.clusterlink.net'];
/** ClusterLink's kinds that are not read: its control plane's own, and (so far) its one-port exports and imports. */
const UNREAD_KINDS = ['Export', 'Import', 'Instance'];
/** What a folder can hold: a Pod in it is for another program. */
const FOLDER_KINDS = KIND_NAMES.filter((name) => !KINDS[name].clusterOnly);
const isFolderKind = (text: string): text is KindName => (FOLDER_KINDS as readonly string[]).includes(text);
const GROUPS = [...new Set(FOLDER_KINDS.map((name) => KINDS[name].group))].filter((group) => group !== '');

export function decideKind(apiVersion: string, kind: string): KindVerdict {
  const slash = apiVersion.lastIndexOf('/');
  const [group, version] = [apiVersion.slice(0, Math.max(slash, 0)), apiVersion.slice(slash + 1)];
  const own = FOLDER_KINDS.filter((name) => KINDS[name].group === group);
  if (own.length === 0) return ofOtherGroup(group, kind);
  if (isFolderKind(kind) && own.includes(kind)) return ofVersion(kind, version, apiVersion);
  return ofOtherKind(group, kind, own);
}

function ofVersion(kind: KindName, version: string, apiVersion: string): KindVerdict {
  const { served } = KINDS[kind];
  if (served.includes(version)) return { verdict: 'known', kind };
  const message = `${quote(apiVersion)} is not a version of ${kind} that is read here`;
  return { verdict: 'slip', meant: kind, field: 'apiVersion', message, fix: `Use ${apiVersionOf(kind)}.` };
}

/** A near group alone is no slip: Cluster API's `cluster.x-k8s.io` resembles ours. The kind must fit as well. */
function ofOtherGroup(group: string, kind: string): KindVerdict {
  const near = didYouMean(group, GROUPS);
  if (!isFolderKind(kind) || KINDS[kind].group !== near) return foreign(kind, group);
  const message = `unknown group ${quote(group)}${askWhether(near)}`;
  return { verdict: 'slip', meant: kind, field: 'apiVersion', message, fix: `Use ${apiVersionOf(kind)}.` };
}

function ofOtherKind(group: string, kind: string, own: readonly KindName[]): KindVerdict {
  if (group === 'clusterlink.net' && UNREAD_KINDS.includes(kind)) return foreign(kind, group);
  const elsewhere = isFolderKind(kind) ? kind : undefined;
  const near = didYouMean(kind, own);
  const meant = elsewhere ?? (near !== undefined && isFolderKind(near) ? near : undefined);
  if (meant === undefined && !OWN_GROUPS.includes(group)) return foreign(kind, group);
  if (elsewhere !== undefined) {
    const message = `${elsewhere} is not a kind of group ${quote(group)}`;
    return { verdict: 'slip', meant: elsewhere, field: 'apiVersion', message, fix: `Use ${apiVersionOf(elsewhere)}.` };
  }
  const message = `unknown kind ${quote(kind)}${askWhether(meant)}`;
  const fix = meant === undefined ? `Use one of ${quoteAll(own, own.length)}.` : `Use ${meant}.`;
  return { verdict: 'slip', field: 'kind', message, fix, ...(meant === undefined ? {} : { meant }) };
}

function foreign(kind: string, group: string): KindVerdict {
  const shown = group === '' ? quote(kind) : `${quote(kind)} of ${quote(group)}`;
  const message = `kind ${shown} is not one that clusterlink-mcs reads; the document is ignored`;
  return { verdict: 'foreign', field: 'kind', message, fix: 'Nothing, if it is for another program; else delete it.' };
}
