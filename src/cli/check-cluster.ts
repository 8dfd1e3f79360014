/** `check --context CONTEXT`: what was read of an installed cluster, judged. Pure; observe-cluster.ts reads. */
import type { Manifest } from './deploy/manifests.ts';
import { formatData, formatTable, sanitize, type Output } from './output.ts';
import { HIDDEN_EFFECT, HIDDEN_FIX, type ClientAddresses } from './run/cluster/client-addresses.ts';

export interface ClusterObservation {
  readonly crds: readonly ObservedCrd[];
  readonly components: readonly ObservedComponent[];
  /** Ready ones. */
  readonly gateways: readonly ObservedGateway[];
}

export interface ObservedCrd {
  /** As an installation of this version writes it. */
  readonly wanted: Manifest;
  readonly present: Manifest | undefined;
}

export interface ObservedComponent {
  readonly name: string;
  /** What its Deployment asks for; undefined where there is none. */
  readonly replicas: number | undefined;
  readonly readyPods: number;
}

export interface ObservedGateway {
  readonly pod: string;
  /** What it has found out, or why it could not be asked. */
  readonly clients: ClientAddresses | { readonly unread: string };
}

export interface Finding {
  readonly result: 'ok' | 'warning' | 'failed';
  readonly about: string;
  readonly found: string;
  /** What mends it; absent where nothing is wrong. */
  readonly fix?: string;
}

/** Without it a cluster has no properties; everything else works. */
const OPTIONAL_CRD = 'clusterproperties.about.k8s.io';
const INSTALL = 'install with "npx clusterlink-mcs deploy peer" (docs/INSTALL.md)';
const LOOK_AT_PODS = 'look with: kubectl -n clusterlink-system get pods, and kubectl -n clusterlink-system logs POD';

export function judgeCluster({ crds, components, gateways }: ClusterObservation): Finding[] {
  return [
    ...crds.map(judgeCrd),
    ...components.map(judgeComponent),
    ...gateways.map(judgeClients),
    ...(gateways.length > 0 ? [] : [NO_GATEWAY]),
  ];
}

const NO_GATEWAY: Finding = {
  result: 'warning',
  about: 'addresses of clients',
  found: 'no gateway is ready that could say',
  fix: 'run the command again when one is',
};

function judgeCrd({ wanted, present }: ObservedCrd): Finding {
  const name = wanted.metadata?.name ?? '';
  const about = `CRD ${name}`;
  if (present === undefined) {
    return name === OPTIONAL_CRD
      ? { result: 'warning', about, found: 'not installed: this cluster has no properties', fix: INSTALL }
      : { result: 'failed', about, found: 'not installed', fix: INSTALL };
  }
  const look = `look at its conditions with: kubectl get crd ${name} -o yaml`;
  if (!isEstablished(present)) return { result: 'failed', about, found: 'not established', fix: look };
  const [known, served] = [servedVersions(wanted), servedVersions(present)];
  const common = served.filter((version) => known.includes(version));
  if (common.length > 0) return { result: 'ok', about, found: `${common.join(', ')} served` };
  return {
    result: 'failed',
    about,
    found: `serves ${served.join(', ') || 'no version'}, and this program speaks ${known.join(', ')}`,
    fix: 'ask who installed it to serve one of these versions as well',
  };
}

function judgeComponent({ name, replicas, readyPods }: ObservedComponent): Finding {
  const about = `pods of ${name}`;
  if (replicas === undefined) return { result: 'failed', about, found: 'not installed', fix: INSTALL };
  const found = `${readyPods} of ${replicas} ready`;
  if (readyPods > 0 && readyPods >= replicas) return { result: 'ok', about, found };
  return { result: readyPods === 0 ? 'failed' : 'warning', about, found, fix: LOOK_AT_PODS };
}

function judgeClients({ pod, clients }: ObservedGateway): Finding {
  const about = `clients of ${pod}`;
  if ('unread' in clients) {
    const fix = `look what it says: kubectl -n clusterlink-system port-forward pod/${pod} 9090, and curl http://127.0.0.1:9090/client`;
    return { result: 'warning', about, found: `it could not be asked: ${clients.unread}`, fix };
  }
  switch (clients.verdict) {
    case 'visible':
      return { result: 'ok', about, found: 'seen with the addresses of their pods' };
    case 'hidden': {
      const found = `seen as ${clients.seen} instead of as pods: ${HIDDEN_EFFECT}`;
      return { result: 'failed', about, found, fix: HIDDEN_FIX };
    }
    case 'unknown':
      return {
        result: 'warning',
        about,
        found: 'not known yet: no other pod has answered through the Service clusterlink-mcs-metrics',
        fix: 'run the command again in a minute; if it stays so, look whether the Service has endpoints and network policies let gateways reach port 9090',
      };
  }
}

interface CrdBody {
  readonly spec?: { readonly versions?: readonly { readonly name: string; readonly served: boolean }[] };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

function servedVersions(crd: Manifest): string[] {
  const { spec } = crd as CrdBody;
  return (spec?.versions ?? []).filter(({ served }) => served).map(({ name }) => name);
}

/** Not so while another CRD has its names. */
function isEstablished(crd: Manifest): boolean {
  const { status } = crd as CrdBody;
  return (status?.conditions ?? []).some(
    (condition) => condition.type === 'Established' && condition.status === 'True',
  );
}

/** `json`, `yaml`: a list of findings. Else a line for each, and below them what mends those that are not ok. */
export function formatFindings(findings: readonly Finding[], output: Output): string {
  if (output === 'json' || output === 'yaml') return formatData(findings, output);
  const table = formatTable(
    ['result', 'about', 'found'],
    findings.map(({ result, about, found }) => [result, about, found]),
  );
  // Often one thing mends several.
  const fixes = Map.groupBy(
    findings.filter(({ fix }) => fix !== undefined),
    ({ fix }) => fix,
  );
  const lines = [...fixes].map(([fix, all]) => sanitize(`Fix (${all.map(({ about }) => about).join(', ')}): ${fix}`));
  return [table, ...lines].join('\n');
}
