/** What the data plane is told, from the objects that gateways read: bindings, peers, policies and the own catalogue. Pure. */
import type { IImportBinding } from '../api/generated/ImportBinding.ts';
import type { IPeer } from '../api/generated/Peer.ts';
import { ANNOTATIONS } from '../api/names.ts';
import { compareText, formatKey } from '../api/object.ts';
import type { Catalogue } from '../catalogue/types.ts';
import type { PolicySet } from '../policy/compile.ts';
import type { Assertable, ExportRoute, GatewaySnapshot, ImportRoute, PeerRoute } from './messages.ts';

export interface SnapshotInput {
  readonly self: string;
  readonly bindings: readonly IImportBinding[];
  readonly peers: readonly IPeer[];
  readonly catalogue: Catalogue;
  readonly policies: PolicySet;
  /** By `namespace/name` of an export: why it has fewer endpoints than it names. */
  readonly forbidden?: ReadonlyMap<string, string>;
}

/** Sorted throughout, so that equal state gives an equal snapshot and nothing is sent twice. */
export function desiredSnapshot(input: SnapshotInput): Omit<GatewaySnapshot, 'version'> {
  const { self, bindings, peers, catalogue, policies, forbidden = new Map<string, string>() } = input;
  return {
    peers: peers
      .map(toPeerRoute)
      .filter(({ name }) => name !== self)
      .sort((a, b) => compareText(a.name, b.name)),
    imports: bindings
      .filter(({ spec }) => spec.type === 'ClusterSetIP')
      .map(toImportRoute)
      .sort((a, b) => compareText(`${a.key.namespace}/${a.key.name}`, `${b.key.namespace}/${b.key.name}`)),
    exports: catalogue.entries.map((entry) => toExportRoute(entry, forbidden.get(formatKey(entry)))),
    policies,
  };
}

function toPeerRoute({ metadata, spec }: IPeer): PeerRoute {
  return {
    name: metadata?.name ?? '',
    labels: metadata?.labels ?? {},
    gateways: spec.gateways.map(({ host, port }) => ({ host, port })),
    mayAssert: parseMayAssert(metadata?.annotations?.[ANNOTATIONS.mayAssert]),
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

function toImportRoute({ spec, status }: IImportBinding): ImportRoute {
  const listeners = status?.listeners ?? [];
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
    sources: spec.sources.map(({ peer, namespace, name, ports, readyEndpoints }) => ({
      peer,
      namespace,
      name,
      ports: ports.filter(({ protocol }) => protocol === 'TCP').map(({ port }) => port),
      readyEndpoints,
    })),
    labels: spec.labels ?? {},
    localFirst: spec.loadBalancing?.localFirst ?? true,
    ...(timeoutSeconds > 0 ? { affinityTimeoutSeconds: timeoutSeconds } : {}),
  };
}

function toExportRoute(entry: Catalogue['entries'][number], forbidden: string | undefined): ExportRoute {
  const { namespace, name, uid, ports, labels, exportTo, record } = entry;
  return {
    namespace,
    name,
    uid,
    ports,
    labels,
    ...(exportTo === undefined ? {} : { exportTo }),
    ...(record.sessionAffinity === 'ClientIP' ? { affinity: 'ClientIP' as const } : {}),
    ...(forbidden === undefined ? {} : { forbidden }),
  };
}
