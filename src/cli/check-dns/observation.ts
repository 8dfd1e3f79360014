/** What `check dns` has read of a cluster: the shapes that the pure parts judge. */
import type { Manifest } from '../deploy/manifests.ts';

/** Why something could not be read. */
export interface Unread {
  readonly unread: string;
}

export function isUnread<T>(read: T | Unread): read is Unread {
  return typeof read === 'object' && read !== null && 'unread' in read;
}

/** In which form an administrator changes the DNS of the cluster: there is a file in `coredns/` for each. */
export const DISTRIBUTIONS = ['kubeadm', 'k3s', 'aks', 'eks', 'openshift', 'gke'] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];

export interface ClusterObservation {
  readonly distribution: Distribution;
  /** undefined: it is not there. */
  readonly responder: ResponderService | undefined;
  readonly readyEndpoints: number | Unread;
  readonly settings: ResponderSettings | Unread;
  readonly dns: ClusterDns;
  readonly nodeLocal: NodeLocal | undefined;
  /** Where the pods of the cluster may have their addresses, as its nodes say. */
  readonly podRanges: readonly string[];
  readonly nodeAddresses: readonly string[];
}

export interface ResponderService {
  /** Its ClusterIPs. */
  readonly addresses: readonly string[];
  /** Of plain DNS over UDP. */
  readonly port: number;
  /** Addresses beside those that lead to it: of other Services (coredns/dns-service.yaml), of a load balancer. */
  readonly others: readonly string[];
}

export interface ResponderSettings {
  readonly zones: readonly string[];
  readonly clients: readonly string[];
  /** The ConfigMap that `clients` stand in; undefined when they do not stand there. */
  readonly configMap: Manifest | undefined;
}

export type ClusterDns =
  | CoreDns
  /** OpenShift's operator, which writes the Corefile itself. */
  | { readonly kind: 'operator'; readonly object: Manifest }
  /** kube-dns of GKE. */
  | { readonly kind: 'kube-dns'; readonly configMap: Manifest | undefined; readonly askers: readonly Asker[] }
  | { readonly kind: 'unknown'; readonly why: string };

export interface CoreDns {
  readonly kind: 'coredns';
  readonly configMap: Manifest;
  /** `coredns-custom`, where there is one. */
  readonly custom: Manifest | undefined;
  readonly serviceAddresses: readonly string[];
  readonly askers: readonly Asker[];
  readonly serviceAccount: string;
  /** Whether it may list and watch ServiceImports. */
  readonly mayReadImports: boolean | Unread;
}

/** A pod that asks the responder. */
export interface Asker {
  readonly name: string;
  readonly address: string;
  readonly isOnHostNetwork: boolean;
}

/** NodeLocal DNSCache. */
export interface NodeLocal {
  readonly configMap: Manifest | Unread;
  /** ConfigMap kube-system/kube-dns, whose stub domains it takes over. */
  readonly stubDomains: Manifest | undefined;
}
