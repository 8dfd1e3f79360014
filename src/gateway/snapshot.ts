/** What the data plane is told, from the objects that gateways read: bindings, peers, policies and the own catalogue. Pure. */
import type { IImportBinding, ImportBindingSpecPort, ImportBindingSpecSource } from '../api/generated/ImportBinding.ts';
import type { IPeer } from '../api/generated/Peer.ts';
import { ANNOTATIONS } from '../api/names.ts';
import { compareText, formatKey } from '../api/object.ts';
import type { Catalogue, CatalogueEntry } from '../catalogue/types.ts';
import type { PolicySet } from '../policy/compile.ts';
import type {
  Assertable,
  ExportRoute,
  GatewaySnapshot,
  ImportRoute,
  PeerRoute,
  RouteSource,
  Scheme,
} from './messages.ts';

const SCHEMES: readonly Scheme[] = ['RoundRobin', 'Random', 'Static', 'LeastLatency'];

export interface SnapshotInput {
  readonly self: string;
  readonly bindings: readonly IImportBinding[];
  readonly peers: readonly IPeer[];
  readonly catalogue: Catalogue;
  readonly policies: PolicySet;
  /** By `namespace/name` of an export: why it has fewer endpoints than it names. */
  readonly forbidden?: ReadonlyMap<string, string>;
  readonly revoked?: GatewaySnapshot['revoked'];
}

/** Sorted throughout, so that equal state gives an equal snapshot and nothing is sent twice. */
export function desiredSnapshot(input: SnapshotInput): Omit<GatewaySnapshot, 'version'> {
  const { self, bindings, peers, catalogue, policies, forbidden = new Map<string, string>(), revoked = [] } = input;
  const own = new Map(catalogue.entries.map((entry) => [formatKey(entry), countEndpoints(entry)]));
  // Of exports of this peer it is known here, and not only said, how many endpoints may be dialled.
  const countReady = ({ peer, readyEndpoints, ...key }: ImportBindingSpecSource): number =>
    peer === self ? Math.min(readyEndpoints, own.get(formatKey(key)) ?? 0) : readyEndpoints;
  return {
    peers: peers
      .map(toPeerRoute)
      .filter(({ name }) => name !== self)
      .sort((a, b) => compareText(a.name, b.name)),
    imports: bindings
      .filter(({ spec }) => spec.type === 'ClusterSetIP')
      .map((binding) => toImportRoute(binding, countReady))
      .sort((a, b) => compareText(`${a.key.namespace}/${a.key.name}`, `${b.key.namespace}/${b.key.name}`)),
    exports: catalogue.entries.map((entry) => toExportRoute(entry, forbidden.get(formatKey(entry)))),
    policies,
    ...(revoked.length === 0 ? {} : { revoked }),
  };
}

function toPeerRoute({ metadata, spec }: IPeer): PeerRoute {
  const roots = metadata?.annotations?.[ANNOTATIONS.roots];
  return {
    name: metadata?.name ?? '',
    labels: metadata?.labels ?? {},
    gateways: spec.gateways.map(({ host, port }) => ({ host, port })),
    mayAssert: parseMayAssert(metadata?.annotations?.[ANNOTATIONS.mayAssert]),
    ...(roots === undefined ? {} : { roots }),
  };
}

/** Words that are not known grant nothing; validation has refused them before. */
function parseMayAssert(text = ''): Assertable[] {
  const isAssertable = (word: string): word is Assertable =>
    word === 'namespace' || word === 'service-account' || word === 'labels';
  return text
    .split(',')
    .map((word) => word.trim())
    .filter(isAssertable);
}

type CountReady = (source: ImportBindingSpecSource) => number;

/** As many as the port has that has most. */
function countEndpoints({ ports }: CatalogueEntry): number {
  return Math.max(0, ...ports.map(({ endpoints }) => endpoints.length));
}

function toImportRoute({ spec, status }: IImportBinding, countReady: CountReady): ImportRoute {
  const listeners = status?.listeners ?? [];
  const scheme = toScheme(spec.loadBalancing?.scheme);
  const timeoutSeconds = spec.loadBalancing?.affinityTimeoutSeconds ?? 0;
  return {
    key: { ...spec.import },
    ips: spec.ips,
    ports: spec.ports.map(({ name, protocol, port, targetPort }) => {
      const before = listeners.find((listener) => listener.port === port)?.listenPort;
      return {
        name,
        protocol,
        port,
        ...(targetPort === undefined ? {} : { targetPort }),
        ...(before === undefined || before === port ? {} : { lastListenPort: before }),
      };
    }),
    sources: [...spec.sources]
      .sort((a, b) => placeOf(a, scheme) - placeOf(b, scheme))
      .map((source) => toRouteSource({ ...source, readyEndpoints: countReady(source) }, spec.ports)),
    labels: spec.labels ?? {},
    localFirst: spec.loadBalancing?.localFirst ?? true,
    ...(scheme === 'RoundRobin' ? {} : { scheme }),
    ...(timeoutSeconds > 0 ? { affinityTimeoutSeconds: timeoutSeconds } : {}),
    ...(spec.earlyData === undefined ? {} : { earlyData: spec.earlyData }),
  };
}

/** Ports of an import and of its source are joined by protocol and name; only an Import may give one another number. */
function toRouteSource(source: ImportBindingSpecSource, imported: readonly ImportBindingSpecPort[]): RouteSource {
  const { peer, namespace, name, readyEndpoints, priority = 0, weight = 1 } = source;
  const ports = source.ports
    .filter(({ protocol }) => protocol === 'TCP')
    .map(({ name: portName, port }) => ({
      here: imported.find((candidate) => candidate.protocol === 'TCP' && candidate.name === portName)?.port ?? port,
      there: port,
    }));
  const others = ports.filter(({ here, there }) => here !== there).map(({ here, there }) => [here, there] as const);
  return {
    peer,
    namespace,
    name,
    ports: ports.map(({ here }) => here),
    ...(others.length === 0 ? {} : { portsThere: Object.fromEntries(others) }),
    readyEndpoints,
    ...(priority === 0 ? {} : { priority }),
    ...(weight === 1 ? {} : { weight }),
  };
}

/** A binding of a newer controller may have a scheme that this gateway does not know: that ends no connection. */
function toScheme(scheme: string | undefined): Scheme {
  return SCHEMES.find((known) => known === scheme) ?? 'RoundRobin';
}

/** Only `Static` asks for an order; what the rule does not name comes last. */
function placeOf({ order = Number.MAX_SAFE_INTEGER }: ImportBindingSpecSource, scheme: Scheme): number {
  return scheme === 'Static' ? order : 0;
}

function toExportRoute(entry: Catalogue['entries'][number], forbidden: string | undefined): ExportRoute {
  const { namespace, name, uid, ports, defaultPort, labels, exportTo, record } = entry;
  return {
    namespace,
    name,
    uid,
    ports,
    labels,
    ...(defaultPort === undefined ? {} : { defaultPort }),
    ...(exportTo === undefined ? {} : { exportTo }),
    ...(record.sessionAffinity === 'ClientIP' ? { affinity: 'ClientIP' as const } : {}),
    ...(forbidden === undefined ? {} : { forbidden }),
  };
}
