/**
 * Our namespace, and who else works in it: ClusterLink itself has the same one. An installation there would cut others off by its
 * network policies, and the end of it would take them along.
 */
import { AppError } from '../../api/errors.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { describeObject } from '../../api/object.ts';
import type { Cluster } from './cluster.ts';
import type { Manifest } from './manifests.ts';
import { PART_OF } from './peer-objects.ts';
import { resourceOf } from './resources.ts';

/** What runs, or is to run, in the namespace and is not of this product: one of it, for people. */
export async function findOthers(cluster: Cluster): Promise<string | undefined> {
  for (const kind of ['Deployment', 'Pod']) {
    const objects = await cluster.list(resourceOf(kind), { namespace: SYSTEM_NAMESPACE });
    const other = objects.find((object) => !isOurs(object) && !hasFinished(object));
    if (other !== undefined) return describeObject(other);
  }
  return undefined;
}

/** @throws {AppError} `ERR_CONFLICT` naming something of somebody else. */
export async function assertNamespaceFree(cluster: Cluster): Promise<void> {
  const other = await findOthers(cluster);
  if (other === undefined) return;
  throw new AppError('ERR_CONFLICT', `Namespace ${SYSTEM_NAMESPACE}: others use it (${other})`, {
    fix: `move that to a namespace of its own: our network policies deny what is not ours in ${SYSTEM_NAMESPACE}`,
  });
}

function isOurs({ metadata }: Manifest): boolean {
  return metadata?.labels?.[PART_OF.key] === PART_OF.value;
}

function hasFinished({ metadata, ...object }: Manifest): boolean {
  const { phase } = (object['status'] ?? {}) as { readonly phase?: string };
  return metadata?.deletionTimestamp !== undefined || phase === 'Succeeded' || phase === 'Failed';
}
