/** ClusterLink's policy decision point (§4), its holes included: what is evaluated here is what a peer of theirs would say. */
import { asks, isSelector, selects, type Selector } from './selector.ts';
import type { Attributes, Labels, PolicyObject, Workload } from './types.ts';

export interface PolicyTable {
  /** The whole set. A name that is here already with an invalid spec keeps its old one (§4.6, 28). @returns what was refused. */
  set(policies: readonly PolicyObject[]): string[];
  /** Whether any policy, of whatever namespace, asks anything of clients (§4.4). */
  dependsOnClients(): boolean;
  /** @param namespace - whose regular policies count (§4.5). */
  allows(question: { readonly namespace: string; readonly from: Attributes; readonly to: Attributes }): boolean;
}

interface Policy {
  /** Undefined: the privileged tier. */
  readonly namespace: string | undefined;
  readonly action: 'allow' | 'deny';
  readonly from: readonly Selector[];
  readonly to: readonly Selector[];
}

export function makePolicyTable(): PolicyTable {
  let table = new Map<string, Policy>();

  function group(namespace: string | undefined, action: Policy['action']): Policy[] {
    return [...table.values()].filter((policy) => policy.namespace === namespace && policy.action === action);
  }

  return {
    set(policies) {
      const next = new Map<string, Policy>();
      const refused: string[] = [];
      for (const object of policies) {
        // One name is one policy in its tier, so an allow that becomes a deny replaces itself (§4.2).
        const key = `${namespaceOf(object) ?? ''}/${object.metadata?.name ?? ''}`;
        const policy = parsePolicy(object) ?? table.get(key);
        if (parsePolicy(object) === undefined) refused.push(key);
        if (policy !== undefined) next.set(key, policy);
      }
      table = next;
      return refused;
    },
    dependsOnClients: () => [...table.values()].some(({ from }) => from.some(asks)),
    allows({ namespace, from, to }) {
      for (const tier of [undefined, namespace]) {
        for (const action of ['deny', 'allow'] as const) {
          if (group(tier, action).some((policy) => matches(policy, from, to))) return action === 'allow';
        }
      }
      return false;
    },
  };
}

function namespaceOf(object: PolicyObject): string | undefined {
  return object.kind === 'AccessPolicy' ? (object.metadata?.namespace ?? '') : undefined;
}

/** As their control plane validates (§2.4): the API server has let more through. */
function parsePolicy(object: PolicyObject): Policy | undefined {
  const { action, from, to } = object.spec;
  if (action !== 'allow' && action !== 'deny') return undefined;
  const parsed = { from: parseItems(from), to: parseItems(to) };
  if (parsed.from === undefined || parsed.to === undefined) return undefined;
  return { namespace: namespaceOf(object), action, from: parsed.from, to: parsed.to };
}

function parseItems(items: PolicyObject['spec']['from']): Selector[] | undefined {
  const selectors: Selector[] = [];
  for (const { workloadSets, workloadSelector } of items) {
    if (workloadSets !== undefined || workloadSelector === undefined || !isSelector(workloadSelector)) return undefined;
    selectors.push(workloadSelector);
  }
  return selectors.length > 0 ? selectors : undefined;
}

function matches({ from, to }: Policy, source: Attributes, destination: Attributes): boolean {
  return from.some((item) => selects(item, source)) && to.some((item) => selects(item, destination));
}

/** Attributes of a client (§4.1, egress): what `/authz` carries as well. */
export function clientAttributes(workload: Workload, peer: string, peerLabels: Labels): Attributes {
  return {
    'client.clusterlink.net/namespace': workload.namespace,
    'client.clusterlink.net/service-account': workload.serviceAccount,
    ...prefixed('client.clusterlink.net/labels.', workload.labels),
    ...peerAttributes(peer, peerLabels),
  };
}

/** @param labels - of the Import on egress, of the Export on ingress: two objects of two owners (§4.1). */
export function exportAttributes(options: {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels | undefined;
  readonly peer: string;
  readonly peerLabels: Labels | undefined;
}): Attributes {
  const { namespace, name, labels, peer, peerLabels } = options;
  return {
    'export.clusterlink.net/namespace': namespace,
    'export.clusterlink.net/name': name,
    ...prefixed('export.clusterlink.net/labels.', labels),
    ...peerAttributes(peer, peerLabels),
  };
}

function peerAttributes(peer: string, labels: Labels | undefined): Attributes {
  return { 'peer.clusterlink.net/name': peer, ...prefixed('peer.clusterlink.net/labels.', labels) };
}

function prefixed(prefix: string, labels: Labels = {}): Attributes {
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [`${prefix}${key}`, value]));
}
