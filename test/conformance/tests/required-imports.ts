/** C-R01 to C-R08: that an export makes an import, how long it lives, and what it takes over from its Service. */
import { isIP } from 'node:net';
import type { Cluster } from '../clusters.ts';
import { expectEqual, expectPorts } from './expectations.ts';
import { callCommand, podIpsIn } from './commands.ts';
import { CLUSTER_IP_FIXTURE, HELLO_PORT, HELLO_SERVICE } from '../fixture.ts';
import { UNEXPORTED_CALLS } from '../limits.ts';
import type { ServiceImport } from '../objects.ts';
import { TestFailure, toEvidence, type ConformanceTest } from '../outcome.ts';
import {
  awaitExportCondition,
  awaitImport,
  awaitNoImport,
  ensureImport,
  exportFromSecond,
  firstOf,
  runInPod,
  secondOf,
  serviceName,
  unexportHello,
  type TestContext,
} from '../driver.ts';
import { REF } from './references.ts';

const REQUIRED = { group: 'Required', clusters: 1, fixture: CLUSTER_IP_FIXTURE } as const;
const CLUSTER_IP = { ...REQUIRED, labels: ['ClusterIP'] } as const;

export const REQUIRED_IMPORTS: readonly ConformanceTest[] = [
  {
    ...REQUIRED,
    id: 'C-R01',
    title: 'Connectivity to a service that is not exported should be inaccessible',
    labels: [],
    ref: REF.exporting,
    fixture: { ...CLUSTER_IP_FIXTURE, exported: null },
    // The clusters are called side by side: nothing is waited for here, and twenty calls of each may take a while.
    run: async (context) => {
      await Promise.all(context.clusters.map((cluster) => expectUnreachable(context, cluster)));
    },
  },
  {
    ...REQUIRED,
    id: 'C-R02',
    title: "A ServiceImport should only exist as long as there's at least one exporting cluster",
    labels: [],
    clusters: 2,
    ref: REF.importing,
    run: async (context) => {
      const first = firstOf(context);
      await awaitImport(context, first);
      await exportFromSecond(context, CLUSTER_IP_FIXTURE);
      await ensureImport(context, first);
      await unexportHello(context, first);
      await ensureImport(context, first);
      await unexportHello(context, secondOf(context));
      await awaitNoImport(context, first);
    },
  },
  {
    ...CLUSTER_IP,
    id: 'C-R03',
    title:
      'Exporting a ClusterIP service should create a ServiceImport of type ClusterSetIP in the service namespace in each cluster. Unexporting should delete the ServiceImport',
    ref: REF.exporting,
    run: async (context) => {
      await awaitExportCondition(context, firstOf(context), { type: 'Valid', status: 'True' });
      await expectImportLife(context, 'ClusterSetIP');
    },
  },
  {
    ...CLUSTER_IP,
    id: 'C-R04',
    title: 'The SessionAffinity for a ClusterSetIP ServiceImport should match the exported service',
    ref: REF.sessionAffinity,
    run: async (context) => {
      await awaitProperty(context, 'session affinity', ({ spec }) => {
        expectEqual('spec.sessionAffinity', spec?.sessionAffinity, context.service.spec.sessionAffinity);
        expectEqual(
          'spec.sessionAffinityConfig',
          spec?.sessionAffinityConfig,
          context.service.spec.sessionAffinityConfig,
        );
      });
    },
  },
  {
    ...CLUSTER_IP,
    id: 'C-R05',
    title: 'The InternalTrafficPolicy for a ClusterSetIP ServiceImport should match the exported service',
    ref: REF.globalProperties,
    fixture: { ...CLUSTER_IP_FIXTURE, service: { ...HELLO_SERVICE, internalTrafficPolicy: 'Cluster' } },
    run: async (context) => {
      await awaitProperty(context, 'internalTrafficPolicy', ({ spec }) =>
        expectEqual(
          'spec.internalTrafficPolicy',
          spec?.internalTrafficPolicy,
          context.service.spec.internalTrafficPolicy,
        ),
      );
    },
  },
  {
    ...CLUSTER_IP,
    id: 'C-R06',
    title: 'The TrafficDistribution for a ClusterSetIP ServiceImport should match the exported service',
    ref: REF.globalProperties,
    fixture: { ...CLUSTER_IP_FIXTURE, service: { ...HELLO_SERVICE, trafficDistribution: 'PreferClose' } },
    run: async (context) => {
      await awaitProperty(context, 'trafficDistribution', ({ spec }) =>
        expectEqual('spec.trafficDistribution', spec?.trafficDistribution, context.service.spec.trafficDistribution),
      );
    },
  },
  {
    ...CLUSTER_IP,
    id: 'C-R07',
    title: 'An IP should be allocated for a ClusterSetIP ServiceImport for each IP family',
    ref: REF.clustersetIp,
    run: expectClustersetIps,
  },
  {
    ...CLUSTER_IP,
    id: 'C-R08',
    title: 'The ports for a ClusterSetIP ServiceImport should match the exported service',
    ref: REF.importing,
    run: async (context) => {
      await awaitProperty(context, 'the ports of the Service', (found) =>
        expectPorts(found, context.service.spec.ports),
      );
    },
  },
];

async function awaitProperty(context: TestContext, what: string, check: (found: ServiceImport) => void): Promise<void> {
  await awaitImport(context, firstOf(context), { what, check });
}

async function expectUnreachable(context: TestContext, cluster: Cluster): Promise<void> {
  for (const family of context.service.spec.ipFamilies ?? []) {
    const command = callCommand(serviceName(context), { family, port: HELLO_PORT });
    for (let call = 1; call <= UNEXPORTED_CALLS; call += 1) {
      const { output } = await runInPod(context, cluster, command);
      if (podIpsIn(output).length === 0) continue;
      throw new TestFailure(
        `call ${call} from ${cluster.name} was answered: ${toEvidence(output)}`,
        `a service that is not exported can be reached from ${cluster.name}`,
      );
    }
  }
}

/** The type must be right in the first object that can be read; then the import must go with its export. */
export async function expectImportLife(context: TestContext, type: 'ClusterSetIP' | 'Headless'): Promise<void> {
  for (const cluster of context.clusters) await expectFirstType(context, cluster, type);
  await unexportHello(context, firstOf(context));
  for (const cluster of context.clusters) await awaitNoImport(context, cluster);
}

export async function expectFirstType(
  context: TestContext,
  cluster: Cluster,
  type: 'ClusterSetIP' | 'Headless',
): Promise<void> {
  const found = await awaitImport(context, cluster);
  if (found.spec?.type === type) return;
  throw new TestFailure(
    `ServiceImport in ${cluster.name}: type is ${found.spec?.type ?? 'not set'}, expected ${type}`,
    `the ServiceImport in ${cluster.name} has the wrong type`,
  );
}

/** Addresses and families must belong together in one reading, so they have to be written together (IMP-22). */
async function expectClustersetIps(context: TestContext): Promise<void> {
  const first = firstOf(context);
  const { spec } = await awaitImport(context, first, {
    what: 'clusterset IPs',
    nonConformance: `no clusterset IP is allocated in ${first.name}`,
    check: (found) => {
      if ((found.spec?.ips ?? []).length === 0) throw new Error('spec.ips is empty');
    },
  });
  const ips = spec?.ips ?? [];
  const families = spec?.ipFamilies ?? [];
  const actual = ips.map((ip) => ({ 0: 'none', 4: 'IPv4', 6: 'IPv6' })[isIP(ip)] ?? 'none');
  if (actual.join() === families.join()) return;
  throw new TestFailure(
    `spec.ips ${toEvidence(ips.join(', '))} have the families ${actual.join(', ')}; spec.ipFamilies is ${families.join(', ') || 'empty'}`,
    'the clusterset IPs are not one valid address for each IP family of the ServiceImport, in the same order',
  );
}
