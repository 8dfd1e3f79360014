/** C-O03, C-O06, C-O07: the names of headless services and of their pods. */
import type { Cluster } from '../clusters.ts';
import { awaitCommand, awaitFamilies, firstOf, serviceName, type TestContext } from '../driver.ts';
import { HEADLESS_FIXTURE, HELLO, HELLO_PORT, type Fixture } from '../fixture.ts';
import { ENDPOINTS_MS, POD_POLL_MS } from '../limits.ts';
import { parseAddresses, parseSrvRecords, toCanonicalAddress } from '../nslookup.ts';
import type { EndpointSlice } from '../objects.ts';
import type { ConformanceTest } from '../outcome.ts';
import { eventually } from '../waits.ts';
import { addressTypeOf, lookUpCommand } from './commands.ts';
import { expectEqual, readyEndpointsOf } from './expectations.ts';
import { MCS_SERVICE_NAME, MCS_SOURCE_CLUSTER } from './mcs-labels.ts';
import { REF } from './references.ts';

const HEADLESS = { group: 'Optional', labels: ['DNS', 'Headless'], clusters: 1, ref: REF.dns } as const;
const REPLICAS = 2;
const TWO_PODS: Fixture = { ...HEADLESS_FIXTURE, replicas: REPLICAS };

export const OPTIONAL_HEADLESS_DNS: readonly ConformanceTest[] = [
  {
    ...HEADLESS,
    id: 'C-O03',
    title:
      'A DNS query of the <service>.<ns>.svc.<zone> domain for a headless service should return the ready endpoint addresses of all the backing pods',
    fixture: TWO_PODS,
    run: expectPodAddresses,
  },
  {
    ...HEADLESS,
    id: 'C-O06',
    title:
      'A DNS SRV query of the <service>.<ns>.svc.<zone> domain for a headless service should return valid SRV records',
    fixture: HEADLESS_FIXTURE,
    run: expectPodSrvRecords,
  },
  {
    ...HEADLESS,
    id: 'C-O07',
    title:
      "A DNS query of the <hostname>.<clusterid>.<service>.<ns>.svc.<zone> domain for a headless StatefulSet service should return the requested pod's endpoint address",
    labels: ['DNS', 'Headless', 'EndpointSlice'],
    fixture: { ...TWO_PODS, workload: 'StatefulSet' },
    run: expectPodNames,
  },
];

interface ReadyEndpoint {
  readonly addresses: readonly string[];
  readonly hostname: string;
}

/** The pods of the exporter by its own slices, once there are so many of the family. */
async function awaitOwnEndpoints(context: TestContext, family: string, count: number): Promise<ReadyEndpoint[]> {
  const cluster = firstOf(context);
  const what = `${count} ready ${family} endpoint(s) of ${HELLO} in ${cluster.name}`;
  return eventually({ what, durationMs: ENDPOINTS_MS, pollMs: POD_POLL_MS, signal: context.signal }, async () => {
    const slices = await listSlices(context, cluster, { label: 'kubernetes.io/service-name', family });
    const endpoints = readyEndpointsOf(slices);
    expectEqual('the number of ready endpoints', endpoints.length, count);
    return endpoints;
  });
}

async function listSlices(
  { namespace, signal }: TestContext,
  cluster: Cluster,
  { label, family }: { label: string; family: string },
): Promise<EndpointSlice[]> {
  const slices = await cluster.list('endpointslices', { namespace, labelSelector: `${label}=${HELLO}`, signal });
  return slices.filter((slice) => slice.addressType === family);
}

const addressesOf = (endpoints: readonly ReadyEndpoint[]): string[] =>
  [...new Set(endpoints.flatMap((endpoint) => endpoint.addresses).map(toCanonicalAddress))].sort();

async function expectPodAddresses(context: TestContext): Promise<void> {
  const name = `${serviceName(context)}.`;
  for (const cluster of context.clusters) {
    for (const family of await awaitFamilies(context, cluster)) {
      const wanted = addressesOf(await awaitOwnEndpoints(context, family, REPLICAS));
      await awaitAddresses(context, cluster, { name, family, wanted });
    }
  }
}

async function awaitAddresses(
  context: TestContext,
  cluster: Cluster,
  { name, family, wanted }: { name: string; family: string; wanted: readonly string[] },
): Promise<void> {
  const type = addressTypeOf(family);
  await awaitCommand(context, cluster, {
    what: `${name} ${type} is exactly ${wanted.join(', ')}`,
    command: lookUpCommand(name, type),
    times: 1,
    check: (output) => expectEqual('the answer', parseAddresses(output), wanted),
  });
}

async function expectPodSrvRecords(context: TestContext): Promise<void> {
  const endpoints: ReadyEndpoint[] = [];
  for (const family of context.service.spec.ipFamilies ?? []) {
    endpoints.push(...(await awaitOwnEndpoints(context, family, HEADLESS_FIXTURE.replicas)));
  }
  const name = `${serviceName(context)}.`;
  for (const cluster of context.clusters) {
    await awaitCommand(context, cluster, {
      what: `${name} has one SRV record for each of ${endpoints.length} endpoint(s)`,
      command: lookUpCommand(name, 'SRV'),
      times: 1,
      check: (output) => expectSrvOf(endpoints, output),
    });
  }
}

/** A pod without a hostname is named by its address with dashes (DNS-21). */
function expectSrvOf(endpoints: readonly ReadyEndpoint[], output: string): void {
  const records = parseSrvRecords(output);
  expectEqual('the number of SRV records', records.length, endpoints.length);
  for (const { hostname, addresses } of endpoints) {
    const prefix = hostname === '' ? (addresses[0] ?? '').replace(/[.:]/g, '-') : hostname;
    const record = records.find(({ target }) => target.startsWith(prefix));
    if (record === undefined) throw new Error(`no SRV target begins with ${prefix}`);
    expectEqual(`the port of ${record.target}`, record.port, HELLO_PORT);
  }
}

async function expectPodNames(context: TestContext): Promise<void> {
  for (const cluster of context.clusters) {
    for (const family of await awaitFamilies(context, cluster)) {
      for (const slice of await awaitNamedEndpoints(context, cluster, family)) {
        const clusterId = slice.metadata.labels?.[MCS_SOURCE_CLUSTER] ?? '';
        for (const { hostname = '', addresses } of slice.endpoints ?? []) {
          const name = `${hostname}.${clusterId}.${serviceName(context)}.`;
          const wanted = addresses.map(toCanonicalAddress).sort();
          await awaitAddresses(context, cluster, { name, family, wanted });
        }
      }
    }
  }
}

/** The names are compared with the slices of the cluster that asks, so gateways in between are all right here (CNF-04). */
async function awaitNamedEndpoints(context: TestContext, cluster: Cluster, family: string): Promise<EndpointSlice[]> {
  const what = `every ${family} slice of the import in ${cluster.name} has ${REPLICAS} ready endpoints with host names`;
  return eventually({ what, durationMs: ENDPOINTS_MS, pollMs: POD_POLL_MS, signal: context.signal }, async () => {
    const slices = await listSlices(context, cluster, { label: MCS_SERVICE_NAME, family });
    if (slices.length === 0) throw new Error('there is no such slice');
    for (const slice of slices) {
      const named = readyEndpointsOf([slice]).filter(({ hostname }) => hostname !== '');
      expectEqual(`the ready endpoints with host names in ${slice.metadata.name}`, named.length, REPLICAS);
      expectEqual(`the endpoints in ${slice.metadata.name}`, (slice.endpoints ?? []).length, REPLICAS);
    }
    return slices;
  });
}
