/**
 * Which CRDs an installation writes: those that are missing, and its own that are not newer. Pure.
 *
 * Others install the MCS CRDs too (cloud providers, other implementations, ClusterLink itself). Theirs stay as they are,
 * older or newer, and a newer one of ours is never made older (mcs-api CRD-03).
 */
import type { Manifest } from './manifests.ts';

/** The field manager of everything that `deploy` writes; frozen, since it names ownership in stored objects. */
export const DEPLOY_MANAGER = 'clusterlink-mcs-deploy';

const LABELS = {
  /** Upstream's own, on the CRDs of multicluster.x-k8s.io. */
  release: 'multicluster.x-k8s.io/release-version',
  revision: 'multicluster.x-k8s.io/crd-schema-revision',
  /** On all CRDs that we write: which version of this program did. */
  version: 'app.kubernetes.io/version',
} as const;

export type CrdVerdict =
  | { readonly action: 'create' | 'update' }
  /** `why` completes "left alone: ". */
  | { readonly action: 'leave'; readonly why: string };

/** The CRD as we write it: its labels say who did, and which version. */
export function withVersion(crd: Manifest, version: string): Manifest {
  const labels = { ...crd.metadata?.labels, 'app.kubernetes.io/part-of': 'clusterlink-mcs', [LABELS.version]: version };
  return { ...crd, metadata: { ...crd.metadata, labels } };
}

/** @param desired - of {@link withVersion}. */
export function decideCrd(desired: Manifest, present: Manifest | undefined): CrdVerdict {
  if (present === undefined) return { action: 'create' };
  if (!isOurs(present)) return { action: 'leave', why: 'somebody else installed it' };
  const order = compareVersions(versionOf(present), versionOf(desired));
  if (order === undefined) return { action: 'leave', why: 'its version cannot be read' };
  return order > 0 ? { action: 'leave', why: 'a newer version is installed' } : { action: 'update' };
}

/** Labels can be copied with a manifest; who applied the schema cannot. */
function isOurs(present: Manifest): boolean {
  const managers = present.metadata?.managedFields ?? [];
  return managers.some(
    ({ manager, operation, fieldsV1 }) =>
      manager === DEPLOY_MANAGER && operation === 'Apply' && Object.hasOwn(fieldsV1 ?? {}, 'f:spec'),
  );
}

/** Numbers that compare one after another; undefined when a label is missing or is no version. */
function versionOf({ metadata }: Manifest): readonly number[] | undefined {
  const labels = metadata?.labels ?? {};
  const isUpstream = labels[LABELS.release] !== undefined;
  const text = isUpstream ? `${labels[LABELS.release]}.${labels[LABELS.revision] ?? '0'}` : labels[LABELS.version];
  const match = /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?$/.exec(text ?? '');
  return match?.slice(1).map((part: string | undefined) => Number(part ?? 0));
}

function compareVersions(a: readonly number[] | undefined, b: readonly number[] | undefined): number | undefined {
  if (a === undefined || b === undefined) return undefined;
  const [left, right] = a.map((part, index) => [part, b[index] ?? 0]).find(([x, y]) => x !== y) ?? [0, 0];
  return Math.sign((left ?? 0) - (right ?? 0));
}
