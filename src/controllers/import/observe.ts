/** What the merge reads, from caches. */
import { keyOf } from '../../api/object.ts';
import { withForbiddenHosts, type ForeseeTarget } from '../../catalogue/host-targets.ts';
import { isTerminating, readCatalogue } from '../../catalogue/read.ts';
import { toRequest, isOurImport } from '../../merge/requests.ts';
import type { MergeInput, MergePeer, MergeRecord } from '../../merge/types.ts';
import type { CachesOf } from '../../store/caches.ts';
import { declaredRecords } from './declared.ts';

export type ImportCaches = CachesOf<
  | 'ClusterImportRule'
  | 'ImportRule'
  | 'Import'
  | 'Peer'
  | 'PeerRecords'
  | 'ServiceExport'
  | 'Export'
  | 'Service'
  | 'EndpointSlice'
  | 'ImportBinding'
  | 'ServiceImport'
> &
  Partial<CachesOf<'Namespace'>>;

export interface ObserveInput {
  readonly self: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly caches: ImportCaches;
  readonly allowedNamespaces: readonly string[];
  /** Whether gateways may dial the host of an Export; absent: they may. */
  readonly foresee?: ForeseeTarget | undefined;
  /** RFC 3339: for objects of which nobody said when they were made. */
  readonly now: string;
}

/** Self's own exports are as old as they say: the time of no Peer object caps them. */
const SELF_CREATED_AT = '1970-01-01T00:00:00Z';

export function observeMerge(input: ObserveInput): MergeInput {
  const { self, caches } = input;
  const namespaces = caches.Namespace?.list().filter((namespace) => !isTerminating(namespace));
  return {
    self: self.name,
    peers: observePeers(input),
    rules: [...caches.ClusterImportRule.list(), ...caches.ImportRule.list()],
    records: observeRecords(input),
    previous: caches.ImportBinding.list(),
    imports: caches.Import.list(),
    requests: caches.ServiceImport.list()
      .filter((object) => !isOurImport(object))
      .map(toRequest),
    ...(namespaces === undefined ? {} : { namespaces: new Set(namespaces.map((namespace) => keyOf(namespace).name)) }),
  };
}

function observePeers({ self, caches, now }: ObserveInput): MergePeer[] {
  // A gateway begins with records of nobody: without an epoch the peer has not said anything.
  const said = caches.PeerRecords.list().filter(({ spec }) => spec.epoch !== '');
  const telling = new Set(said.map(({ spec }) => spec.peer));
  const peers = caches.Peer.list().map(({ metadata }) => ({
    name: metadata?.name ?? '',
    labels: metadata?.labels ?? {},
    createdAt: metadata?.creationTimestamp ?? now,
    tellsRecords: telling.has(metadata?.name ?? ''),
  }));
  return [...peers, { ...self, createdAt: SELF_CREATED_AT, tellsRecords: true }];
}

function observeRecords({ self, caches, allowedNamespaces, foresee, now }: ObserveInput): MergeRecord[] {
  const sources = foresee === undefined ? caches : withForbiddenHosts(caches, foresee);
  const { entries } = readCatalogue(sources, allowedNamespaces);
  const own = entries.map(({ record }) => ({ peer: self.name, record }));
  // What a peer said counts while a local Peer object says that it is one (DESIGN §3.1).
  const known = new Set(caches.Peer.list().map(({ metadata }) => metadata?.name ?? ''));
  const said = caches.PeerRecords.list()
    .filter(({ spec }) => known.has(spec.peer) && spec.peer !== self.name)
    .flatMap(({ spec }) => spec.records.map(({ record }) => ({ peer: spec.peer, record })));
  const declared = declaredRecords({ peers: caches.Peer.list(), self: self.name, told: said, now });
  return [...own, ...said, ...declared];
}
