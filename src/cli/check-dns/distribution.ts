/** In which form the DNS of a cluster is changed: by what it says of itself. Pure. */
import type { Manifest } from '../deploy/manifests.ts';
import type { ClusterDns, Distribution } from './observation.ts';
import { dataOf } from './other-dns.ts';
import { readServers } from './servers.ts';

export interface ClusterFacts {
  readonly dns: ClusterDns;
  readonly nodes: readonly Manifest[];
}

/** The ConfigMap `coredns-custom` counts where the Corefile imports it, and nowhere else. */
export function distributionOf({ dns, nodes }: ClusterFacts): Distribution {
  if (dns.kind === 'operator') return 'openshift';
  if (dns.kind === 'kube-dns') return 'gke';
  const hasLabel = (prefix: string): boolean =>
    nodes.some(({ metadata }) => Object.keys(metadata?.labels ?? {}).some((label) => label.startsWith(prefix)));
  const imports = dns.kind === 'coredns' ? importsOf(dataOf(dns.configMap)['Corefile'] ?? '') : [];
  if (imports.some((path) => /(?:^|\/)custom\/[^/]*\.server$/.test(path))) {
    return hasLabel('kubernetes.azure.com/') ? 'aks' : 'k3s';
  }
  return hasLabel('eks.amazonaws.com/') ? 'eks' : 'kubeadm';
}

function importsOf(text: string): readonly string[] {
  return readServers({ origin: '', text }).imports;
}
