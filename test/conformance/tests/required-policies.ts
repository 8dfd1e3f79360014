/** C-R09 to C-R14: two exporters that disagree, headless services, and services that cannot be exported. */
import {
  awaitConflict,
  awaitExportCondition,
  awaitImport,
  ensureNoImport,
  exportFromSecond,
  firstOf,
  type TestContext,
} from '../driver.ts';
import {
  CLUSTER_IP_FIXTURE,
  EXTERNAL_SERVICE,
  HEADLESS_FIXTURE,
  HELLO,
  HELLO_SERVICE,
  TCP_PORT,
  UDP_PORT,
} from '../fixture.ts';
import { ENSURE_MS, NO_ADDRESS_POLL_MS } from '../limits.ts';
import type { ServicePort } from '../objects.ts';
import { TestFailure, type ConformanceTest } from '../outcome.ts';
import { consistently } from '../waits.ts';
import { expectPorts } from './expectations.ts';
import { REF } from './references.ts';
import { expectFirstType, expectImportLife } from './required-imports.ts';

const REQUIRED = { group: 'Required', clusters: 1, fixture: CLUSTER_IP_FIXTURE } as const;
const CONFLICT = { ...REQUIRED, labels: ['ClusterIP'], clusters: 2 } as const;
const HEADLESS = { ...REQUIRED, labels: ['Headless'], fixture: HEADLESS_FIXTURE } as const;

const SCTP_PORT: ServicePort = { name: 'stcp', protocol: 'SCTP', port: 142 };

export const REQUIRED_POLICIES: readonly ConformanceTest[] = [
  {
    ...CONFLICT,
    id: 'C-R09',
    title:
      'A ClusterIP service exported on two clusters should expose the union of the constituent service ports and raise a conflict',
    ref: REF.ports,
    run: (context) =>
      expectMergedPorts(context, { second: [TCP_PORT, SCTP_PORT], merged: [TCP_PORT, UDP_PORT, SCTP_PORT] }),
  },
  {
    ...CONFLICT,
    id: 'C-R10',
    title:
      'A ClusterIP service exported on two clusters with conflicting ports should apply the conflict resolution policy and raise a conflict',
    ref: REF.ports,
    run: (context) => expectMergedPorts(context, { second: [{ ...TCP_PORT, port: 43 }], merged: [TCP_PORT, UDP_PORT] }),
  },
  {
    ...HEADLESS,
    id: 'C-R11',
    title:
      'Exporting a headless service should create a ServiceImport of type Headless in the service namespace in each cluster. Unexporting should delete the ServiceImport',
    ref: REF.exporting,
    run: (context) => expectImportLife(context, 'Headless'),
  },
  {
    ...HEADLESS,
    id: 'C-R12',
    title: 'No clusterset IP should be allocated for a Headless ServiceImport',
    ref: REF.clustersetIp,
    run: expectNoClustersetIps,
  },
  {
    ...REQUIRED,
    id: 'C-R13',
    title: 'Exporting an ExternalName service should set ServiceExport Valid condition to False',
    labels: ['ExternalName'],
    fixture: { ...CLUSTER_IP_FIXTURE, service: EXTERNAL_SERVICE },
    ref: REF.serviceTypes,
    run: async (context) => {
      await awaitExportCondition(context, firstOf(context), { type: 'Valid', status: 'False' });
      await ensureNoImport(context, firstOf(context));
    },
  },
  {
    ...REQUIRED,
    id: 'C-R14',
    title:
      'A service exported on two clusters with conflicting headlessness should apply the conflict resolution policy and raise a conflict',
    labels: [],
    clusters: 2,
    ref: REF.headlessness,
    run: async (context) => {
      await exportFromSecond(context, HEADLESS_FIXTURE);
      await awaitConflict(context);
      for (const cluster of context.clusters) await expectFirstType(context, cluster, 'ClusterSetIP');
    },
  },
];

async function expectMergedPorts(
  context: TestContext,
  { second, merged }: { second: readonly ServicePort[]; merged: readonly ServicePort[] },
): Promise<void> {
  await exportFromSecond(context, { ...CLUSTER_IP_FIXTURE, service: { ...HELLO_SERVICE, ports: second } });
  await awaitConflict(context);
  await awaitImport(context, firstOf(context), {
    what: 'the ports of both clusters, the older export before the newer',
    check: (found) => expectPorts(found, merged),
  });
}

async function expectNoClustersetIps(context: TestContext): Promise<void> {
  const { namespace, signal } = context;
  const first = firstOf(context);
  await awaitImport(context, first);
  const wait = {
    what: `no clusterset IP in ${first.name}`,
    durationMs: ENSURE_MS,
    pollMs: NO_ADDRESS_POLL_MS,
    signal,
    nonConformance: `a Headless ServiceImport in ${first.name} has a clusterset IP`,
  };
  await consistently(wait, async () => {
    const found = await first.get('serviceimports', { namespace, name: HELLO, signal });
    if (found === undefined) throw new Error('the ServiceImport is gone');
    const ips = found.spec?.ips ?? [];
    if (ips.length > 0) throw new TestFailure(`spec.ips is ${JSON.stringify(ips)}`);
  });
}
