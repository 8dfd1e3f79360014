/** C-O04a, C-O05, C-O13: exported labels and annotations, and the EndpointSlices of an import. */
import type { Cluster } from '../clusters.ts';
import {
  awaitConflict,
  awaitFamilies,
  awaitImport,
  exportFromSecond,
  firstOf,
  unexportHello,
  type TestContext,
} from '../driver.ts';
import { CLUSTER_IP_FIXTURE, HELLO } from '../fixture.ts';
import { ENDPOINTS_MS, POLL_MS, REACTION_MS } from '../limits.ts';
import type { EndpointSlice } from '../objects.ts';
import { TestFailure, type ConformanceTest } from '../outcome.ts';
import { eventually } from '../waits.ts';
import { expectEqual, expectMetadata } from './expectations.ts';
import { MANAGED_BY, MCS_SERVICE_NAME, MCS_SOURCE_CLUSTER, STOCK_MANAGER } from './mcs-labels.ts';
import { REF } from './references.ts';

const EXPORTED = {
  exportedLabels: { 'dummy-label': 'true' },
  exportedAnnotations: { 'dummy-annotation': 'true' },
};
const EXPORTED_FROM_SECOND = {
  exportedLabels: { 'dummy-label2': 'true' },
  exportedAnnotations: { 'dummy-annotation2': 'true' },
};

const OPTIONAL = { group: 'Optional', clusters: 1, fixture: CLUSTER_IP_FIXTURE } as const;
const LABELS = {
  ...OPTIONAL,
  labels: ['ExportedLabels'],
  fixture: { ...CLUSTER_IP_FIXTURE, exported: EXPORTED },
} as const;

export const OPTIONAL_LABELS: readonly ConformanceTest[] = [
  {
    ...LABELS,
    id: 'C-O04a',
    title: 'Only labels and annotations specified as exported in the ServiceExport should be propagated',
    ref: REF.globalProperties,
    run: (context) => awaitExported(context, { notExported: ['dummy-svc'] }),
  },
  {
    ...LABELS,
    id: 'C-O05',
    title:
      'A service exported on two clusters with conflicting annotations and labels should apply the conflict resolution policy and raise a conflict',
    clusters: 2,
    ref: REF.conflicts,
    run: async (context) => {
      await exportFromSecond(context, { ...CLUSTER_IP_FIXTURE, exported: EXPORTED_FROM_SECOND });
      await awaitConflict(context);
      await awaitExported(context, { notExported: ['dummy-label2', 'dummy-annotation2'] });
    },
  },
];

export const OPTIONAL_SLICES: readonly ConformanceTest[] = [
  {
    ...OPTIONAL,
    id: 'C-O13',
    title:
      'Exporting a service should create an MCS EndpointSlice in the service namespace in each cluster with the required MCS labels. Unexporting should delete the EndpointSlice',
    labels: ['EndpointSlice'],
    ref: REF.endpointSlices,
    run: expectSlices,
  },
];

/** The maps of the export in the first cluster, and none of the keys given. */
async function awaitExported(context: TestContext, { notExported }: { notExported: readonly string[] }): Promise<void> {
  await awaitImport(context, firstOf(context), {
    what: 'the exported labels and annotations',
    check: (found) =>
      expectMetadata(found, {
        labels: { has: EXPORTED.exportedLabels, hasNot: notExported },
        annotations: { has: EXPORTED.exportedAnnotations, hasNot: notExported },
      }),
  });
}

async function expectSlices(context: TestContext): Promise<void> {
  const seen: { cluster: Cluster; slice: EndpointSlice }[] = [];
  for (const cluster of context.clusters) {
    for (const family of await awaitFamilies(context, cluster)) {
      const slice = await awaitSlice(context, cluster, family);
      expectSliceLabels(context, cluster, slice);
      seen.push({ cluster, slice });
    }
  }
  await unexportHello(context, firstOf(context));
  for (const { cluster, slice } of seen) await awaitNoSlice(context, cluster, slice.metadata.name);
}

async function awaitSlice(
  { namespace, signal }: TestContext,
  cluster: Cluster,
  family: string,
): Promise<EndpointSlice> {
  const wait = {
    what: `an ${family} EndpointSlice of the import in ${cluster.name} with an endpoint`,
    durationMs: ENDPOINTS_MS,
    pollMs: POLL_MS,
    signal,
    nonConformance: `there is no ${family} EndpointSlice with the MCS labels in ${cluster.name}`,
  };
  return eventually(wait, async () => {
    const labelSelector = `${MCS_SERVICE_NAME},${MCS_SOURCE_CLUSTER}`;
    const slices = await cluster.list('endpointslices', { namespace, labelSelector, signal });
    const found = slices.find((slice) => slice.addressType === family && (slice.endpoints ?? []).length > 0);
    if (found === undefined) throw new Error(`none of ${slices.length} slice(s) with both labels`);
    return found;
  });
}

function expectSliceLabels({ verifyManagedBy }: TestContext, cluster: Cluster, slice: EndpointSlice): void {
  const labels = slice.metadata.labels ?? {};
  const managedBy = labels[MANAGED_BY];
  try {
    expectEqual(`label ${MCS_SERVICE_NAME}`, labels[MCS_SERVICE_NAME], HELLO);
    if (managedBy === undefined || (verifyManagedBy && managedBy === STOCK_MANAGER)) {
      throw new Error(`label ${MANAGED_BY} is ${managedBy ?? 'not set'}`);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const blame = `an EndpointSlice in ${cluster.name} does not have the labels of an imported one`;
    throw new TestFailure(`EndpointSlice ${slice.metadata.name} in ${cluster.name}: ${why}`, blame);
  }
}

async function awaitNoSlice({ namespace, signal }: TestContext, cluster: Cluster, name: string): Promise<void> {
  const wait = {
    what: `EndpointSlice ${name} in ${cluster.name} is gone`,
    durationMs: REACTION_MS,
    pollMs: POLL_MS,
    signal,
    nonConformance: `an EndpointSlice in ${cluster.name} outlives the ServiceExport`,
  };
  await eventually(wait, async () => {
    const found = await cluster.get('endpointslices', { namespace, name, signal });
    if (found !== undefined) throw new Error('it is still there');
  });
}
