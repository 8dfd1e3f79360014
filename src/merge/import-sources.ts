/**
 * The sources of one ClusterLink Import, as far as this peer knows them. Pure.
 *
 * Of a peer that tells records the record says which port it is; a ClusterLink peer tells none, so that its source stands as
 * written, and the peer finds its export when it is asked.
 */
import type { IImport, ImportSpecSource } from '../api/generated/Import.ts';
import type { ImportBindingSpecSource } from '../api/generated/ImportBinding.ts';
import { isLabel, isSubdomain } from '../api/names.ts';
import { keyOf, type ObjectKey } from '../api/object.ts';
import { formatSource, type ExportRecord, type SourceKey } from '../api/record.ts';
import { quote } from '../api/validation/quote.ts';
import type { Candidate, PeerCandidates } from './candidate.ts';
import { SOURCES_PER_IMPORT_MAX } from './limits.ts';

export interface SourceProblem {
  readonly reason:
    | 'DuplicateSource'
    | 'ExportNotFound'
    | 'InvalidSource'
    | 'LimitReached'
    | 'NoPorts'
    | 'PeerNotFound'
    | 'UnknownFeature';
  /** A sentence, or two: what is wrong, and what to do. */
  readonly message: string;
}

export interface ResolvedSources {
  readonly sources: readonly ImportBindingSpecSource[];
  /** Those of the sources that their peers told of: their owners may hear that they are used. */
  readonly told: readonly SourceKey[];
  /** In order of the sources. One that is there all the same (`ExportNotFound`) is among the sources too. */
  readonly problems: readonly SourceProblem[];
}

/** One peer, and what it tells. */
interface KnownPeer {
  readonly tellsRecords: boolean;
  find(namespace: string, name: string): Candidate | undefined;
}

/** By name; self is one of them. */
export type KnownPeers = ReadonlyMap<string, KnownPeer>;

/** Searched by name: one namespace may have thousands of exports, and be named by thousands of sources. */
export function indexPeers(candidates: readonly PeerCandidates[]): KnownPeers {
  return new Map(
    candidates.map(({ peer, byNamespace }) => {
      const indexes = new Map<string, ReadonlyMap<string, Candidate>>();
      const find: KnownPeer['find'] = (namespace, name) => {
        const index =
          indexes.get(namespace) ??
          new Map((byNamespace.get(namespace) ?? []).map((candidate) => [candidate.source.name, candidate]));
        indexes.set(namespace, index);
        return index.get(name);
      };
      return [peer.name, { tellsRecords: peer.tellsRecords === true, find }];
    }),
  );
}

/** What cannot be a source is left out, and the others go on. */
export function resolveSources({ metadata, spec, ...rest }: IImport, peers: KnownPeers): ResolvedSources {
  const key = keyOf({ ...rest, ...(metadata === undefined ? {} : { metadata }) });
  const sources = new Map<string, ImportBindingSpecSource>();
  const told: SourceKey[] = [];
  const problems: SourceProblem[] = [];
  spec.sources.slice(0, SOURCES_PER_IMPORT_MAX).forEach((written, order) => {
    const { source, record, problem } = resolve({ written, key, port: spec.port, order, peers });
    if (problem !== undefined) problems.push(problem);
    if (source === undefined) return;
    const text = formatSource(source);
    if (sources.has(text)) {
      const message = `spec.sources[${order}]: ${text} is a source already. Fix: delete one of the two.`;
      problems.push({ reason: 'DuplicateSource', message });
      return;
    }
    sources.set(text, source);
    if (record !== undefined) told.push(record);
  });
  if (spec.sources.length > SOURCES_PER_IMPORT_MAX) {
    const message = `spec.sources: of ${spec.sources.length} the first ${SOURCES_PER_IMPORT_MAX} count.`;
    problems.push({ reason: 'LimitReached', message });
  }
  return { sources: [...sources.values()], told, problems };
}

interface ResolveInput {
  readonly written: ImportSpecSource;
  /** Of the Import: what is empty in a source is as it is here. */
  readonly key: ObjectKey;
  readonly port: number;
  readonly order: number;
  readonly peers: KnownPeers;
}

interface Resolution {
  readonly source?: ImportBindingSpecSource;
  /** Of which record it is; absent: the peer told of none. */
  readonly record?: SourceKey;
  readonly problem?: SourceProblem;
}

function resolve({ written, key, port, order, peers }: ResolveInput): Resolution {
  const { peer } = written;
  const namespace = written.exportNamespace === '' ? key.namespace : written.exportNamespace;
  const name = written.exportName === '' ? key.name : written.exportName;
  const lost = (reason: SourceProblem['reason'], message: string): Resolution => ({
    problem: { reason, message: `spec.sources[${order}]: ${message}` },
  });
  if (!isLabel(peer) || !isLabel(namespace) || !isSubdomain(name)) {
    const wrong = [peer, namespace].find((text) => !isLabel(text)) ?? name;
    return lost('InvalidSource', `${quote(wrong)} cannot be in the name of an export. Fix: write another.`);
  }
  const known = peers.get(peer);
  if (known === undefined) {
    return lost('PeerNotFound', `there is no Peer ${peer}. Fix: make it, or name another.`);
  }
  const asked = { peer, namespace, name };
  const toSource = (source: SourceKey, there: number, readyEndpoints: number): ImportBindingSpecSource => ({
    ...source,
    order,
    readyEndpoints,
    ports: [{ name: '', protocol: 'TCP', port: there }],
  });
  const found = findRecord(known, asked);
  if (found !== undefined) {
    if ((found.record.requires ?? []).length > 0) {
      return lost('UnknownFeature', `${formatSource(asked)} needs a feature that this version lacks. Fix: upgrade.`);
    }
    const there = found.port?.port;
    if (there === undefined) return lost('NoPorts', `${formatSource(asked)} has no TCP port.`);
    return { source: toSource(found.source, there, found.record.readyEndpoints), record: found.source };
  }
  if (!known.tellsRecords) return { source: toSource(asked, port, UNKNOWN_ENDPOINTS) };
  return {
    source: toSource(asked, port, 0),
    ...lost(
      'ExportNotFound',
      `peer ${peer} offers no export ${namespace}/${name} to this one. Fix: export it there, and allow this peer.`,
    ),
  };
}

/** What nobody told: it can be used as far as its peer can be reached. */
const UNKNOWN_ENDPOINTS = 1;

interface FoundRecord {
  readonly source: SourceKey;
  readonly record: ExportRecord;
  readonly port: ExportRecord['ports'][number] | undefined;
}

/** An export of the name, with the TCP port that it pins, else its first; or one port of a Service, as `<service>.<port name>`. */
function findRecord(peer: KnownPeer, { namespace, name }: SourceKey): FoundRecord | undefined {
  const exact = peer.find(namespace, name);
  if (exact !== undefined) {
    const { source, record } = exact;
    const tcp = record.ports.filter(({ protocol }) => protocol === 'TCP');
    return { source, record, port: tcp.find(({ port }) => port === record.defaultPort) ?? tcp[0] };
  }
  const dot = name.indexOf('.');
  const service = dot === -1 ? undefined : peer.find(namespace, name.slice(0, dot));
  const port = service?.record.ports.find(
    ({ name: portName, protocol }) => protocol === 'TCP' && portName === name.slice(dot + 1),
  );
  return service === undefined || port === undefined
    ? undefined
    : { source: service.source, record: service.record, port };
}
