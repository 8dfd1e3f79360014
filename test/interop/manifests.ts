/** ClusterLink's own manifests of what a side has: what its users apply, and what ours must take unchanged. */
import type { SideObjects } from './side.ts';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: object;
}

export const CLUSTERLINK = 'clusterlink.net/v1alpha1';
export const SYSTEM = 'clusterlink-system';

export function toManifests({ peers, exports, imports, policies }: SideObjects): Manifest[] {
  return [
    ...peers.map(({ name, gateways }) => toManifest('Peer', { name, namespace: SYSTEM }, { gateways })),
    ...exports.map(({ namespace, name, labels, target: { host, port } }) =>
      toManifest('Export', { name, namespace, ...(labels === undefined ? {} : { labels }) }, { host, port }),
    ),
    ...imports.map(({ namespace, name, labels, lbScheme, port, targetPort, sources }) =>
      toManifest(
        'Import',
        { name, namespace, ...(labels === undefined ? {} : { labels }) },
        {
          port,
          ...(targetPort === undefined ? {} : { targetPort }),
          ...(lbScheme === undefined ? {} : { lbScheme }),
          sources,
        },
      ),
    ),
    ...(policies as readonly unknown[] as readonly Manifest[]),
  ];
}

function toManifest(kind: string, metadata: Manifest['metadata'], spec: object): Manifest {
  return { apiVersion: CLUSTERLINK, kind, metadata, spec };
}
