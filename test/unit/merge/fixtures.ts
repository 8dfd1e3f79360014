/** Builders of what the merge reads, each as small as it can be. */
import type { IImport } from '#src/api/generated/Import.ts';
import type { IClusterImportRule } from '#src/api/generated/ClusterImportRule.ts';
import type { IImportBinding } from '#src/api/generated/ImportBinding.ts';
import type { IImportRule } from '#src/api/generated/ImportRule.ts';
import type { ExportRecord } from '#src/api/record.ts';
import { merge } from '#src/merge/merge.ts';
import type {
  AnyImportRule,
  ImportRequest,
  MergeInput,
  MergePeer,
  MergeRecord,
  MergeResult,
} from '#src/merge/types.ts';

export type Port = ExportRecord['ports'][number];

/** `http/TCP/80` or `http/TCP/80/h2c`; an empty name is allowed. */
export function port(text: string): Port {
  const [name = '', protocol = 'TCP', number = '0', ...rest] = text.split('/');
  const appProtocol = rest.join('/');
  const base = { name, protocol: protocol as Port['protocol'], port: Number(number) };
  return appProtocol === '' ? base : { ...base, appProtocol };
}

/** Ports as text, with a space between. */
export function ports(text: string): Port[] {
  return text.split(' ').map(port);
}

export function formatPorts(list: readonly Port[]): string {
  return list
    .map(({ name, protocol, port, appProtocol }) =>
      [name, protocol, port, ...(appProtocol ? [appProtocol] : [])].join('/'),
    )
    .join(' ');
}

/** `peer/namespace/name`, with whatever differs from a plain TCP service of 2026-01-01. */
export function said(source: string, changes: Partial<ExportRecord> = {}): MergeRecord {
  const [peer = '', namespace = '', name = ''] = source.split('/');
  return {
    peer,
    record: {
      namespace,
      name,
      uid: source,
      type: 'ClusterSetIP',
      ports: ports('tcp/TCP/42'),
      ipFamilies: ['IPv4'],
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      labels: {},
      annotations: {},
      createdAt: '2026-01-01T00:00:00Z',
      readyEndpoints: 1,
      requires: [],
      ...changes,
    },
  };
}

export function day(number: number): string {
  return `2026-01-${String(number).padStart(2, '0')}T00:00:00Z`;
}

export function peers(...names: string[]): MergePeer[] {
  return names.map((name) => ({ name, labels: {}, createdAt: '1970-01-01T00:00:00Z' }));
}

type ClusterRuleChanges = Partial<IClusterImportRule['spec']> & { name?: string; createdAt?: string };

/** All exports of shop of all peers into store. */
export function clusterRule(changes: ClusterRuleChanges = {}): IClusterImportRule {
  const { name = 'rule', createdAt = day(1), ...spec } = changes;
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ClusterImportRule',
    metadata: { name, creationTimestamp: createdAt },
    spec: { peers: { all: true }, exports: { namespaces: ['shop'] }, into: { namespace: 'store' }, ...spec },
  };
}

export function rule(namespace: string, changes: Partial<IImportRule['spec']> & { name?: string } = {}): IImportRule {
  const { name = 'rule', ...spec } = changes;
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ImportRule',
    metadata: { namespace, name, creationTimestamp: day(1) },
    spec: { peers: { all: true }, exports: { namespaces: ['shop'] }, ...spec },
  };
}

type ImportChanges = Partial<IImport['spec']> & Pick<IImport, 'status'> & { metadata?: IImport['metadata'] };

/** ClusterLink's Import `namespace/name` of port 80, with sources `peer/namespace/name`. */
export function written(text: string, sources: readonly string[], changes: ImportChanges = {}): IImport {
  const [namespace = '', name = ''] = text.split('/');
  const { metadata, status, ...spec } = changes;
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Import',
    metadata: { namespace, name, uid: text, generation: 1, creationTimestamp: day(1), ...metadata },
    spec: {
      port: 80,
      sources: sources.map((source) => {
        const [peer = '', exportNamespace = '', exportName = ''] = source.split('/');
        return { peer, exportName, exportNamespace };
      }),
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  };
}

export interface Scene {
  readonly records: readonly MergeRecord[];
  readonly rules?: readonly AnyImportRule[];
  readonly peers?: readonly MergePeer[];
  readonly previous?: readonly IImportBinding[];
  readonly namespaces?: ReadonlySet<string>;
  readonly requests?: readonly ImportRequest[];
  readonly imports?: readonly IImport[];
}

/** Merges a frozen scene, so that every test holds that the input is not changed. */
export function mergeScene(scene: Scene): MergeResult {
  return merge(deepFreeze(sceneInput(scene)));
}

export function sceneInput({ records, rules = [clusterRule()], previous = [], ...scene }: Scene): MergeInput {
  return {
    self: 'self',
    rules,
    records,
    previous,
    ...(scene.namespaces === undefined ? {} : { namespaces: scene.namespaces }),
    ...(scene.requests === undefined ? {} : { requests: scene.requests }),
    ...(scene.imports === undefined ? {} : { imports: scene.imports }),
    peers: scene.peers ?? peers('east', 'north', 'south', 'self', 'west'),
  };
}

/** The bindings that the controller would write of a result. */
export function bindingsOf({ imports, verdicts }: MergeResult): IImportBinding[] {
  return imports.map((merged) => ({
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ImportBinding',
    metadata: { namespace: 'clusterlink-system', name: `${merged.key.name}.${merged.key.namespace}` },
    spec: {
      import: { ...merged.key },
      owner: { ...merged.owner },
      type: merged.type,
      ips: [],
      ipFamilies: [...merged.ipFamilies],
      ports: [...merged.ports],
      sources: [...merged.sources],
      loadBalancing: { ...merged.loadBalancing },
      verdicts: verdicts
        .filter(({ import: key }) => key.name === merged.key.name && key.namespace === merged.key.namespace)
        .map(({ source, reasons, loses, message }) => ({ ...source, reasons: [...reasons], loses, message })),
      labels: { ...merged.labels },
      ...(merged.aliases === undefined ? {} : { aliases: [...merged.aliases] }),
    },
  }));
}

export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
  return value;
}
