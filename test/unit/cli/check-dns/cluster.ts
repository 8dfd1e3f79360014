/** Clusters as `check dns` may read them, for tests of what it says. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { readForms } from '#src/cli/check-dns/forms.ts';
import type { DnsFinding } from '#src/cli/check-dns/findings.ts';
import { judgeCluster } from '#src/cli/check-dns/judge-cluster.ts';
import type { ClusterObservation, CoreDns } from '#src/cli/check-dns/observation.ts';
import { makeProposals } from '#src/cli/check-dns/proposals.ts';
import type { Manifest } from '#src/cli/deploy/manifests.ts';

export const ADDRESS = '10.96.0.53';
export const BLOCK = 'clusterset.local:53 {\n    forward . 10.96.0.53\n}\n';

export function readFile(name: string): string {
  return readFileSync(new URL(`../../../../coredns/${name}`, import.meta.url), 'utf8');
}

/** Without the comment that it begins with, and with the address. */
export function filledFile(name: string): string {
  return readFile(name)
    .replace(/^(?:#.*\n)+/, '')
    .replaceAll('192.0.2.53', ADDRESS);
}

/** kubeadm's own, out of the file that has the block added. */
export const KUBEADM_COREFILE = corefileOf('stub-kubeadm.yaml').replace(/^clusterset\.local:53 \{[\s\S]*?^\}\n/m, '');

function corefileOf(name: string): string {
  const { data } = parse(readFile(name)) as { readonly data: { readonly Corefile: string } };
  return data.Corefile;
}

export function configMap(name: string, data: Readonly<Record<string, string>>): Manifest {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'kube-system' }, data };
}

export function coreDns(Corefile: string, part: Partial<CoreDns> = {}): CoreDns {
  return {
    kind: 'coredns',
    configMap: configMap('coredns', { Corefile }),
    custom: undefined,
    serviceAddresses: ['10.96.0.10'],
    serviceAccount: 'coredns',
    askers: [{ name: 'pod kube-system/coredns-1', address: '10.244.0.2', isOnHostNetwork: false }],
    mayReadImports: false,
    ...part,
  };
}

export function cluster(part: Partial<ClusterObservation> = {}): ClusterObservation {
  return {
    distribution: 'kubeadm',
    responder: { addresses: [ADDRESS], port: 53, others: [] },
    readyEndpoints: 2,
    settings: { zones: ['clusterset.local'], clients: ['10.0.0.0/8'], configMap: undefined },
    dns: coreDns(KUBEADM_COREFILE + BLOCK),
    nodeLocal: undefined,
    podRanges: ['10.244.0.0/24'],
    nodeAddresses: ['192.168.7.1'],
    ...part,
  };
}

const proposals = makeProposals(await readForms());

export function findingsFor(part: Partial<ClusterObservation> = {}): DnsFinding[] {
  return judgeCluster(cluster(part), proposals);
}

/** `failed NotWired`, in order. */
export function verdictsFor(part: Partial<ClusterObservation> = {}): string[] {
  return findingsFor(part).map(({ result, code }) => `${result} ${code}`);
}
