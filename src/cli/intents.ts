/** What `export`, `import` and `allow` write: the manifests that say it, from the words of the command line. Pure. */
import { AppError } from '../api/errors.ts';
import { ServiceExport } from '../api/generated/ServiceExport.ts';
import { Service } from '../api/generated/Service.ts';
import { ClusterImportRule } from '../api/generated/ClusterImportRule.ts';
import { AccessPolicy } from '../api/generated/AccessPolicy.ts';
import { ANNOTATIONS, ATTRIBUTES, isLabel } from '../api/names.ts';
import { formatKey, type KubeObject, type ObjectKey } from '../api/object.ts';

export interface ExportIntent {
  readonly key: ObjectKey;
  /** `[name=]port`; none: the Service is somebody else's manifest. */
  readonly ports: readonly string[];
  /** The value of the endpoints annotation. */
  readonly endpoints?: string;
  /** Peers that alone may use it. */
  readonly to: readonly string[];
}

/** The ServiceExport, after the Service if its ports are given. */
export function exportManifests({ key, ports, endpoints, to }: ExportIntent): KubeObject[] {
  if (endpoints !== undefined && ports.length === 0) {
    throw new AppError('ERR_USAGE', '--endpoints: needs the port of the Service', { fix: 'add --port PORT' });
  }
  const service = new Service({
    metadata: { ...key, ...(endpoints === undefined ? {} : { annotations: { [ANNOTATIONS.endpoints]: endpoints } }) },
    spec: { ports: ports.map((text) => parseServicePort(text, ports.length)) },
  });
  const serviceExport = new ServiceExport({
    metadata: { ...key, ...(to.length === 0 ? {} : { annotations: { [ANNOTATIONS.exportTo]: to.join(', ') } }) },
  });
  return [...(ports.length === 0 ? [] : [service]), serviceExport].map(toPlain);
}

export interface ImportIntent {
  readonly source: ObjectKey;
  readonly peers: readonly string[];
  readonly as: ObjectKey;
  /** Also say the local yes: whoever is a client here may use it. */
  readonly allow: 'everybody' | 'nobody';
}

export function importManifests({ source, peers, as, allow }: ImportIntent): KubeObject[] {
  const rule = new ClusterImportRule({
    metadata: { name: `${as.namespace}.${as.name}` },
    spec: {
      peers: { names: [...peers] },
      exports: { namespaces: [source.namespace], names: [source.name] },
      into: { namespace: as.namespace, name: as.name },
    },
  });
  const policy = allowManifest({
    namespace: as.namespace,
    export: source,
    fromPeers: [],
    toPeers: peers,
    action: 'allow',
  });
  return [toPlain(rule), ...(allow === 'everybody' ? [policy] : [])];
}

export interface AllowIntent {
  /** Of the policy: the import's namespace (egress) or the export's (ingress). */
  readonly namespace: string;
  readonly export: ObjectKey;
  readonly fromPeers: readonly string[];
  readonly toPeers: readonly string[];
  readonly action: 'allow' | 'deny';
  readonly name?: string;
}

export function allowManifest({ namespace, export: key, fromPeers, toPeers, action, name }: AllowIntent): KubeObject {
  const suffix = [
    ...(fromPeers.length > 0 ? ['from', ...fromPeers] : []),
    ...(toPeers.length > 0 ? ['to', ...toPeers] : []),
  ];
  const to: Record<string, string> = { [ATTRIBUTES.exportNamespace]: key.namespace, [ATTRIBUTES.exportName]: key.name };
  return toPlain(
    new AccessPolicy({
      metadata: { namespace, name: name ?? policyName([action, `${key.namespace}.${key.name}`, ...suffix]) },
      spec: {
        action,
        from: [
          {
            workloadSelector:
              fromPeers.length === 0 ? {} : { matchExpressions: [isOneOf(ATTRIBUTES.peerName, fromPeers)] },
          },
        ],
        to: [
          {
            workloadSelector: {
              matchLabels: to,
              ...(toPeers.length === 0 ? {} : { matchExpressions: [isOneOf(ATTRIBUTES.peerName, toPeers)] }),
            },
          },
        ],
      },
    }),
  );
}

/** Dots join namespace and name, which have none, so that the names of two different wishes differ. */
function policyName(words: readonly string[]): string {
  const name = words.join('-');
  if (name.length <= 253) return name;
  throw new AppError('ERR_USAGE', 'the policy: so many peers make no name', { fix: 'give it one with --name' });
}

/** @throws {AppError} `ERR_USAGE` for anything but `namespace/name` of two labels. */
export function parseKeyArgument(text: string, argument: string): ObjectKey {
  const [namespace = '', name = '', ...more] = text.split('/');
  if (!isLabel(namespace) || !isLabel(name) || more.length > 0) {
    throw new AppError('ERR_USAGE', `${argument}: ${JSON.stringify(text)} is not NAMESPACE/NAME`, {
      fix: 'write it like shop/db',
    });
  }
  return { namespace, name };
}

function isOneOf(key: string, values: readonly string[]): { key: string; operator: string; values: string[] } {
  return { key, operator: 'In', values: [...values] };
}

function parseServicePort(text: string, count: number): { name?: string; protocol: 'TCP'; port: number } {
  const match = /^(?:([a-z0-9-]+)=)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2] ?? 0);
  if (port < 1 || port > 65535 || (count > 1 && match?.[1] === undefined)) {
    const fix = count > 1 ? 'with several ports each needs a name, like http=8080' : 'write it like 5432 or pg=5432';
    throw new AppError('ERR_USAGE', `--port: ${JSON.stringify(text)} is not [NAME=]PORT`, { fix });
  }
  return { ...(match?.[1] === undefined ? {} : { name: match[1] }), protocol: 'TCP', port };
}

/** What the command is about to write must be valid before a file is touched. */
function toPlain(model: { validate(): void; toJSON(): unknown }): KubeObject {
  const plain = model.toJSON() as KubeObject;
  try {
    model.validate();
  } catch (cause) {
    const subject = `${plain.kind} ${formatKey({ namespace: plain.metadata?.namespace ?? '', name: plain.metadata?.name ?? '' })}`;
    throw new AppError('ERR_INVALID_OBJECT', `${subject}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  return plain;
}
