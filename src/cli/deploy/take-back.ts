/**
 * What our controller said of objects that stay: conditions of exports and policies, addresses in users' ServiceImports. Nobody
 * keeps them true any more, so they go; what others wrote into the same objects stays.
 */
import { CONTROLLER_MANAGER } from '../../controllers/controller.ts';
import { describeObject } from '../../api/object.ts';
import type { Cluster } from './cluster.ts';
import type { Say } from './install.ts';
import type { Manifest } from './manifests.ts';
import { resourceOf } from './resources.ts';

const KINDS = [
  'ServiceExport',
  'ServiceImport',
  'Import',
  'Export',
  'ImportRule',
  'ClusterImportRule',
  'AccessPolicy',
  'PrivilegedAccessPolicy',
  'BaselineAccessPolicy',
];

/** To apply nothing is to give up every field that was applied before (server-side apply, "Clearing managedFields"). */
export async function takeBack(cluster: Cluster, say: Say): Promise<void> {
  for (const kind of KINDS) {
    for (const object of await cluster.list(resourceOf(kind))) {
      const parts = partsOf(object);
      for (const { apiVersion, subresource } of parts) {
        const { name, namespace } = object.metadata ?? {};
        const metadata = { name: name ?? '', ...(namespace === undefined ? {} : { namespace }) };
        const nothing: Manifest = { apiVersion, kind, metadata };
        await cluster.giveUp(nothing, { fieldManager: CONTROLLER_MANAGER, subresource });
      }
      if (parts.length > 0) say(`${describeObject(object)} kept, without what we wrote into it`);
    }
  }
}

interface Part {
  readonly apiVersion: string;
  /** Empty: the object itself. */
  readonly subresource: string;
}

function partsOf({ metadata, apiVersion }: Manifest): Part[] {
  const entries = (metadata?.managedFields ?? []).filter(
    ({ manager, operation }) => manager === CONTROLLER_MANAGER && operation === 'Apply',
  );
  return entries.map((entry) => ({ apiVersion: entry.apiVersion ?? apiVersion, subresource: entry.subresource ?? '' }));
}
