/** What our two peers are told: 200 exports, imported all, under policies of every tier. Pure. */
import { stringify } from 'yaml';
import { EXPORTER, IMPORTER, SERVICES, type Places, type ServiceName } from './system.ts';

/** What a busy gateway has. Two of them are measured through. */
export const EXPORTS = 200;
/** Ports of the measured services; each import has an address of its own. */
export const PORTS: Readonly<Record<ServiceName, number>> = { iperf3: 5_201, echo: 7_007 };
const OTHER_PORT = 8_080;
/** Other people's rules, which are read and do not apply. */
const OTHER_POLICIES = 20;

const ANYBODY = [{ workloadSelector: {} }];
const ofPeer = (name: string): unknown => [
  { workloadSelector: { matchLabels: { 'peer.clusterlink.net/name': name } } },
];

export function toExporterManifests(services: Places): string {
  const others = Array.from({ length: EXPORTS - SERVICES.length }, (_, index) =>
    toExport(`other-${index}`, OTHER_PORT, services.echo.port),
  );
  return join([
    ...SERVICES.flatMap((service) => toExport(service, PORTS[service], services[service].port)),
    ...others.flat(),
    ...toPolicies({ namespace: 'shop', from: ofPeer(IMPORTER), to: ANYBODY }),
  ]);
}

export function toImporterManifests(): string {
  return join([
    {
      apiVersion: 'mcs.clusterlink.net/v1alpha1',
      kind: 'ClusterImportRule',
      metadata: { name: 'shop-from-east' },
      spec: {
        peers: { names: [EXPORTER] },
        exports: { namespaces: ['shop'] },
        into: { namespace: 'store' },
      },
    },
    ...toPolicies({ namespace: 'store', from: ANYBODY, to: ofPeer(EXPORTER) }),
  ]);
}

export function toPeerManifest(name: string, port: number): string {
  return stringify({
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Peer',
    metadata: { name, namespace: 'clusterlink-system' },
    spec: { gateways: [{ host: '127.0.0.1', port }] },
  });
}

function toExport(name: string, port: number, endpointPort: number): readonly unknown[] {
  const annotations = { 'mcs.clusterlink.net/endpoints': `127.0.0.1:${endpointPort}` };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'shop', annotations },
      spec: { ports: [{ name: 'main', protocol: 'TCP', port }] },
    },
    { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: { name, namespace: 'shop' } },
  ];
}

interface Allowed {
  readonly namespace: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** Denied by nothing above, allowed by one of many, and a last word below: every tier is asked or known to be there. */
function toPolicies({ namespace, from, to }: Allowed): readonly unknown[] {
  const allow = (name: string, spec: object): unknown => ({
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { name, namespace },
    spec: { action: 'allow', ...spec },
  });
  return [
    {
      apiVersion: 'clusterlink.net/v1alpha1',
      kind: 'PrivilegedAccessPolicy',
      metadata: { name: 'never-with-north' },
      spec: { action: 'deny', from: ofPeer('north'), to: ANYBODY },
    },
    ...Array.from({ length: OTHER_POLICIES }, (_, index) =>
      allow(`other-${index}`, { from: ofPeer(`peer-${index}`), to: ANYBODY }),
    ),
    allow('wanted', { from, to }),
    {
      apiVersion: 'mcs.clusterlink.net/v1alpha1',
      kind: 'BaselineAccessPolicy',
      metadata: { name: 'nobody' },
      spec: { action: 'deny', from: ANYBODY, to: ANYBODY },
    },
  ];
}

function join(objects: readonly unknown[]): string {
  return objects.map((object) => stringify(object)).join('---\n');
}
