/**
 * The flags of `deploy peer` that ClusterLink's CLI has too, under its names: what they mean here, and a clear word about those
 * that mean nothing. None is ignored in silence.
 */
import { Option, type Command } from 'commander';
import { AppError } from '../../api/errors.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { Finding } from '../../api/validation/finding.ts';
import { annotationProblems, labelProblems } from '../../api/validation/labels.ts';
import { REPLICAS_MAX } from './limits.ts';
import type { Ingress, PeerIntent } from './peer-objects.ts';

const INGRESS_TYPES = ['LoadBalancer', 'NodePort', 'none'] as const;
const STARTS = ['all', 'operator', 'none'] as const;
/** Their levels, and ours for them: the log here has four. */
const LOG_LEVELS = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  warn: 'warn',
  error: 'error',
  fatal: 'error',
} as const;
type TheirLevel = keyof typeof LOG_LEVELS;
/** What every cluster gives NodePorts from unless it was told otherwise; ClusterLink's CLI asks for it too. */
const NODE_PORTS = { from: 30_000, to: 32_767 } as const;

export interface ClusterLinkFlags {
  readonly namespace: string;
  readonly ingress: (typeof INGRESS_TYPES)[number];
  readonly ingressPort?: number;
  readonly ingressAnnotations?: Readonly<Record<string, string>>;
  readonly dataplaneReplicas?: number;
  readonly controlplaneReplicas?: number;
  readonly label?: Readonly<Record<string, string>>;
  readonly logLevel?: TheirLevel;
  readonly start: (typeof STARTS)[number];
  readonly dataplane?: string;
  readonly containerRegistry?: string;
  readonly tag?: string;
}

export function withClusterLinkFlags(command: Command): Command {
  return command
    .addOption(namespaceOption())
    .addOption(
      new Option('--ingress <TYPE>', 'how peers outside reach the gateway; none: they do not, it only dials')
        .choices(INGRESS_TYPES)
        .default('none'),
    )
    .option(
      '--ingress-port <PORT>',
      'of a LoadBalancer (4443 without it) or a NodePort (the cluster chooses)',
      parsePort,
    )
    .option(
      '--ingress-annotations <K=V,...>',
      'annotations of its Service',
      collect('--ingress-annotations', annotationProblems),
    )
    .option('--dataplane-replicas <N>', 'pods of the gateway', parseReplicas('--dataplane-replicas'))
    .option(
      '--controlplane-replicas <N>',
      'pods of the controller; one of them leads',
      parseReplicas('--controlplane-replicas'),
    )
    .option(
      '--label <K=V,...>',
      'labels of this peer, which policies here select and heartbeats tell',
      collect('--label', labelProblems),
    )
    .addOption(new Option('--log-level <LEVEL>', 'of all parts').choices(Object.keys(LOG_LEVELS)))
    .addOption(
      new Option('--start <WHAT>', 'none: nothing is applied, k8s.yaml beside the certificate is written')
        .choices(STARTS)
        .default('all'),
    )
    .addOption(new Option('--dataplane <TYPE>', "ClusterLink's").hideHelp())
    .addOption(new Option('--container-registry <NAME>', "ClusterLink's").hideHelp())
    .addOption(new Option('--tag <TAG>', "ClusterLink's").hideHelp());
}

/** Of `deploy peer` and `delete peer`. */
export function namespaceOption(): Option {
  return new Option('--namespace <NAME>', 'only the one that is the default is possible')
    .default(SYSTEM_NAMESPACE)
    .argParser(parseNamespace);
}

export interface Understood {
  readonly intent: Pick<PeerIntent, 'ingress' | 'replicas' | 'labels' | 'logLevel'>;
  /** What somebody who knows ClusterLink should be told. */
  readonly notes: readonly string[];
}

/** @throws {AppError} `ERR_USAGE` for what cannot be done here. */
export function readClusterLinkFlags(flags: ClusterLinkFlags): Understood {
  const { dataplaneReplicas, controlplaneReplicas, label, logLevel, dataplane } = flags;
  assertPossible(flags);
  const level = logLevel === undefined ? undefined : LOG_LEVELS[logLevel];
  return {
    intent: {
      ingress: toIngress(flags),
      replicas: {
        ...(dataplaneReplicas === undefined ? {} : { gateway: dataplaneReplicas }),
        ...(controlplaneReplicas === undefined ? {} : { controller: controlplaneReplicas }),
      },
      ...(label === undefined ? {} : { labels: label }),
      ...(level === undefined ? {} : { logLevel: level }),
    },
    notes: [
      ...(dataplane === undefined
        ? []
        : [`--dataplane ${dataplane}: means nothing here, the gateway is the data plane.`]),
      ...(logLevel !== undefined && level !== logLevel ? [`--log-level ${logLevel}: ${level} here.`] : []),
    ],
  };
}

function assertPossible({ start, containerRegistry, tag }: ClusterLinkFlags): void {
  if (start === 'operator') {
    throw usage(
      '--start operator: there is no operator here',
      'leave --start out, or write the manifests with --start none',
    );
  }
  if (containerRegistry !== undefined || tag !== undefined) {
    const flag = containerRegistry === undefined ? '--tag' : '--container-registry';
    throw usage(
      `${flag}: the program is one image here`,
      'name it with --image, for example --image registry.example/clusterlink-mcs:1.0.0',
    );
  }
}

function toIngress({ ingress, ingressPort, ingressAnnotations }: ClusterLinkFlags): Ingress {
  if (ingress === 'none') {
    const flag = ingressPort === undefined ? '--ingress-annotations' : '--ingress-port';
    if (ingressPort === undefined && ingressAnnotations === undefined) return { type: 'ClusterIP' };
    throw usage(`${flag}: there is no ingress`, 'add --ingress NodePort or --ingress LoadBalancer');
  }
  if (
    ingress === 'NodePort' &&
    ingressPort !== undefined &&
    (ingressPort < NODE_PORTS.from || ingressPort > NODE_PORTS.to)
  ) {
    throw usage(
      `--ingress-port ${ingressPort}: is no NodePort`,
      `give one from ${NODE_PORTS.from} to ${NODE_PORTS.to}`,
    );
  }
  return {
    type: ingress,
    ...(ingressPort === undefined ? {} : { port: ingressPort }),
    ...(ingressAnnotations === undefined ? {} : { annotations: ingressAnnotations }),
  };
}

function parseNamespace(text: string): string {
  if (text === SYSTEM_NAMESPACE) return text;
  throw usage(
    `--namespace ${JSON.stringify(text)}: this product lives in ${SYSTEM_NAMESPACE} alone, where its Peer objects are`,
    'leave --namespace out',
  );
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw usage(`--ingress-port: ${JSON.stringify(text)} is not a port`, 'write it like 30443');
}

function parseReplicas(flag: string) {
  return (text: string): number => {
    const replicas = /^\d{1,2}$/.test(text) ? Number(text) : 0;
    if (replicas >= 1 && replicas <= REPLICAS_MAX) return replicas;
    throw usage(`${flag}: ${JSON.stringify(text)} is not a number of pods`, `write one from 1 to ${REPLICAS_MAX}`);
  };
}

type Problems = (map: unknown) => Finding[];

/** As their CLI takes them: `k=v,k=v`, and again. A comma inside a value is one unless a key follows it. */
function collect(flag: string, problems: Problems) {
  return (text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> => {
    const entries = text.split(/,(?=[^,=]+=)/).map((entry): [string, string] => {
      const at = entry.indexOf('=');
      if (at > 0) return [entry.slice(0, at).trim(), entry.slice(at + 1)];
      throw usage(`${flag}: ${JSON.stringify(entry)} is not KEY=VALUE`, 'write it like region=eu,tier=gold');
    });
    const map = Object.fromEntries(entries);
    const [problem] = problems(map);
    if (problem === undefined) return { ...before, ...map };
    throw usage(`${flag}: ${problem.message}`, problem.fix);
  };
}

function usage(message: string, fix: string): AppError {
  return new AppError('ERR_USAGE', message, { fix });
}
