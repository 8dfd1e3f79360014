/** What `status` shows: one page about this peer, made of the objects and of what the gateway sees. */
import { findCondition } from '../../api/conditions.ts';
import type { IPeer } from '../../api/generated/Peer.ts';
import type { Condition } from '../../api/object.ts';
import { formatKey, keyOf } from '../../api/object.ts';
import { formatSource } from '../../api/record.ts';
import type { Control } from '../../gateway/control.ts';
import { alarmsOf } from './fabric-status.ts';
import type { ReadingsOf } from './reading.ts';

export interface StatusReport {
  readonly peer: string;
  readonly version: string;
  readonly listening: string;
  readonly certificateExpires: string;
  readonly peers: readonly {
    readonly name: string;
    readonly reachable: boolean;
    readonly sessions: number;
    readonly version: string;
    readonly records: number;
    readonly message: string;
  }[];
  readonly exports: readonly {
    readonly name: string;
    readonly valid: string;
    readonly conflict: string;
    readonly importedBy: readonly string[];
    readonly message: string;
  }[];
  readonly imports: readonly {
    readonly name: string;
    readonly ip: string;
    readonly ports: string;
    readonly ready: string;
    readonly sources: readonly string[];
    readonly message: string;
  }[];
  readonly skipped: readonly {
    readonly rule: string;
    readonly source: string;
    readonly reason: string;
    readonly message: string;
  }[];
  /** Manifests that are not in force as they stand. */
  readonly problems: readonly string[];
  /** The last refusals and cuts, newest first. */
  readonly failures: readonly {
    readonly object: string;
    readonly peer: string;
    readonly reason: string;
    readonly message: string;
  }[];
}

/** What it is made of. */
export const STATUS_KINDS = [
  'ClusterImportRule',
  'Import',
  'Export',
  'ImportBinding',
  'ImportRule',
  'Peer',
  'PeerRecords',
  'ServiceExport',
  'ServiceImport',
] as const;
type Readings = ReadingsOf<(typeof STATUS_KINDS)[number]>;

export interface StatusInput {
  readonly peer: string;
  readonly version: string;
  readonly certificateExpires: string;
  readonly caches: Readings;
  readonly control: Control;
  readonly problems: readonly string[];
}

const FAILURES_SHOWN = 10;
const FINE: ReadonlySet<string> = new Set(['DONE', 'ABORTED']);

export function makeStatusReport({
  peer,
  version,
  certificateExpires,
  caches,
  control,
  problems,
}: StatusInput): StatusReport {
  return {
    peer,
    version,
    listening: control.listening ?? 'dials out only',
    certificateExpires,
    peers: caches.Peer.list().map((object) => reportPeer(object, caches, control)),
    exports: [...caches.ServiceExport.list(), ...caches.Export.list()].map((object) => {
      const key = keyOf(object);
      const conflict = findCondition(object.status?.conditions, 'Conflict');
      const valid = findCondition(object.status?.conditions, object.kind === 'Export' ? 'ExportValid' : 'Valid');
      const importedBy = caches.PeerRecords.list()
        .filter(({ spec }) => spec.peerGoneSince === undefined)
        .filter(({ spec }) =>
          spec.report?.imports.some(({ namespace, name }) => namespace === key.namespace && name === key.name),
        )
        .map(({ spec }) => spec.peer);
      return {
        name: formatKey(key),
        valid: brief(valid),
        // ClusterLink's kind has no such condition.
        conflict: object.kind === 'Export' ? '-' : brief(conflict),
        importedBy,
        message: [valid?.message, conflict?.message].filter(Boolean).join(' '),
      };
    }),
    imports: [...reportBindings(caches, control), ...reportUnmade(caches)],
    skipped: [...caches.ClusterImportRule.list(), ...caches.ImportRule.list()].flatMap((rule) =>
      (rule.status?.skipped ?? []).map(({ source, reason, message = '' }) => ({
        rule: formatKey(keyOf(rule)),
        source,
        reason,
        message,
      })),
    ),
    problems,
    failures: control
      .closings()
      .filter(({ reason }) => !FINE.has(reason))
      .slice(0, FAILURES_SHOWN)
      .map(({ object, peer: other, reason, message }) => ({ object, peer: other, reason, message })),
  };
}

function reportBindings(caches: Readings, control: Control): StatusReport['imports'] {
  return caches.ImportBinding.list().map((binding) => {
    const { spec, status } = binding;
    const face = (spec.owner.kind === 'Import' ? caches.Import : caches.ServiceImport).get(spec.import);
    const ready = findCondition(face?.status?.conditions, 'Ready');
    const listenPorts = new Map(status?.listeners?.map(({ port, listenPort }) => [port, listenPort]));
    return {
      name: formatKey(spec.import),
      ip: spec.ips.join(','),
      ports: spec.ports.map(({ port, protocol }) => formatPort(port, protocol, listenPorts.get(port))).join(','),
      ready: brief(ready),
      sources: spec.sources.map((source) => {
        const seen = status?.sources?.find((candidate) => formatSource(candidate) === formatSource(source));
        const ejected = control.ejectionOf(source);
        const late = ejected === undefined ? '' : ` (tried last since ${ejected.since}: ${ejected.reason})`;
        return `${formatSource(source)}${seen?.usable === false ? ` (${seen.reason ?? 'away'})` : late}`;
      }),
      message: ready?.message ?? '',
    };
  });
}

/** Imports of which nothing was made, and why. */
function reportUnmade(caches: Readings): StatusReport['imports'] {
  const made = new Set(caches.ImportBinding.list().map(({ spec }) => formatKey(spec.import)));
  return caches.Import.list().flatMap((object) => {
    const key = keyOf(object);
    const valid = findCondition(object.status?.conditions, 'ImportServiceValid');
    const ready = findCondition(object.status?.conditions, 'Ready');
    if (made.has(formatKey(key)) || valid?.status !== 'False') return [];
    const ports = formatPort(object.spec.port, 'TCP', undefined);
    return [{ name: formatKey(key), ip: '', ports, ready: brief(ready), sources: [], message: valid.message }];
  });
}

function reportPeer(object: IPeer, caches: Readings, control: Control): StatusReport['peers'][number] {
  const { name } = keyOf(object);
  const observation = control.peer(name);
  const records = caches.PeerRecords.list()
    .filter(({ spec }) => spec.peer === name)
    .reduce((sum, { spec }) => sum + spec.records.length, 0);
  return {
    name,
    reachable: observation?.version !== undefined,
    sessions: observation?.sessions ?? 0,
    version: observation?.version ?? '',
    records,
    message: [observation?.message ?? '', ...alarmsOf(object)].filter((text) => text !== '').join(' '),
  };
}

function formatPort(port: number, protocol: string, listenPort: number | undefined): string {
  return listenPort === undefined || listenPort === port
    ? `${port}/${protocol}`
    : `${port}/${protocol} at ${listenPort}`;
}

function brief(condition: Condition | undefined): string {
  return condition === undefined
    ? 'Unknown'
    : condition.status === 'True' && [condition.type, 'Verified'].includes(condition.reason)
      ? 'True'
      : `${condition.status} (${condition.reason})`;
}
