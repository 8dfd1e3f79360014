/** What the tests do to clusters, in their words. */
import { ApiError, type Cluster } from './clusters.ts';
import type { ExecResult } from './exec.ts';
import {
  desiredExport,
  desiredNamespace,
  desiredRequestPod,
  desiredService,
  desiredWorkload,
  HELLO,
  REQUEST,
  type Fixture,
} from './fixture.ts';
import {
  COMMAND_GAP_MS,
  COMMAND_MS,
  CREATE_MS,
  ENSURE_MS,
  POD_POLL_MS,
  POD_RUNNING_MS,
  POLL_MS,
  PRECEDENCE_GAP_MS,
  REACTION_MS,
} from './limits.ts';
import type { ObjectByResource, Resource, Service, ServiceExportSpec, ServiceImport } from './objects.ts';
import { TestFailure, toEvidence } from './outcome.ts';
import { consistently, eventually, REAL_CLOCK } from './waits.ts';

export interface Settings {
  /** The clusterset zone, without dots at its ends. */
  readonly zone: string;
  /** False: an EndpointSlice only needs some managed-by label. */
  readonly verifyManagedBy: boolean;
}

export interface TestContext extends Settings {
  /** The first one exports. */
  readonly clusters: readonly [Cluster, ...Cluster[]];
  readonly namespace: string;
  /** `hello` of the first cluster, as its server answered. */
  readonly service: Service;
  readonly signal: AbortSignal;
}

export type Site = Pick<TestContext, 'clusters' | 'namespace' | 'signal'>;

/** The exporter of every test. */
export const firstOf = ({ clusters }: Site): Cluster => clusters[0];

/** The second exporter; the runner skips a test that needs it where there is none. */
export function secondOf({ clusters }: Site): Cluster {
  const second = clusters[1];
  if (second === undefined) throw new Error('this test needs two clusters');
  return second;
}

export const serviceName = ({ namespace, zone }: TestContext): string => `${HELLO}.${namespace}.svc.${zone}`;

/** Namespaces; workload and Service in the first cluster; request pods; the export: in this order. */
export async function setUp(site: Site, fixture: Fixture): Promise<Service> {
  const { namespace, signal } = site;
  await Promise.all(
    site.clusters.map((cluster) => create({ cluster, signal }, 'namespaces', desiredNamespace(namespace))),
  );
  const service = await deploy(site, firstOf(site), fixture);
  await Promise.all(site.clusters.map((cluster) => startRequestPod(site, cluster)));
  if (fixture.exported !== null) await exportHello(site, firstOf(site), fixture.exported);
  return service;
}

/** Workload and Service `hello`. */
export async function deploy({ namespace, signal }: Site, cluster: Cluster, fixture: Fixture): Promise<Service> {
  const resource = fixture.workload === 'StatefulSet' ? 'statefulsets' : 'deployments';
  await create({ cluster, signal }, resource, desiredWorkload(namespace, fixture));
  return create({ cluster, signal }, 'services', desiredService(namespace, fixture.service));
}

export async function exportHello(site: Site, cluster: Cluster, spec: ServiceExportSpec): Promise<void> {
  await create({ cluster, signal: site.signal }, 'serviceexports', desiredExport(site.namespace, spec));
}

export const unexportHello = ({ namespace, signal }: Site, cluster: Cluster): Promise<void> =>
  cluster.remove('serviceexports', { namespace, name: HELLO, signal });

/** What the first cluster has exported is older for certain when the second cluster exports. */
export async function exportFromSecond(site: Site, fixture: Fixture): Promise<void> {
  await awaitImport(site, firstOf(site));
  await REAL_CLOCK.sleep(PRECEDENCE_GAP_MS, site.signal);
  await deploy(site, secondOf(site), fixture);
  await exportHello(site, secondOf(site), fixture.exported ?? {});
}

/** Not awaited to its end: a namespace may take longer than the next test. */
export async function tearDown({ clusters, namespace, signal }: Site): Promise<void> {
  const removals = clusters.map((cluster) => cluster.remove('namespaces', { name: namespace, signal }));
  const failed = (await Promise.allSettled(removals)).filter((removal) => removal.status === 'rejected');
  if (failed.length > 0)
    throw new Error(`namespace ${namespace} could not be removed from ${failed.length} cluster(s)`);
}

/** A server answers this until the ServiceAccount of a new namespace is there, or while it is busy; nothing was created then. */
const isTemporary = (error: unknown): boolean =>
  error instanceof ApiError &&
  (error.status === 429 || error.status === 503 || (error.status === 403 && /service ?account/i.test(error.message)));

async function create<R extends Resource>(
  { cluster, signal }: { cluster: Cluster; signal: AbortSignal },
  resource: R,
  object: ObjectByResource[R],
): Promise<ObjectByResource[R]> {
  const wait = {
    what: `${resource} in ${cluster.name} can be created`,
    durationMs: CREATE_MS,
    pollMs: POLL_MS,
    signal,
  };
  const created = await eventually(wait, async () => {
    try {
      return { object: await cluster.create(resource, object, { signal }) };
    } catch (error) {
      if (isTemporary(error)) throw error;
      return { error };
    }
  });
  if ('error' in created) throw created.error;
  return created.object;
}

async function startRequestPod({ namespace, signal }: Site, cluster: Cluster): Promise<void> {
  await create({ cluster, signal }, 'pods', desiredRequestPod(namespace));
  const what = `pod ${REQUEST} runs in ${cluster.name}`;
  await eventually({ what, durationMs: POD_RUNNING_MS, pollMs: POD_POLL_MS, signal }, async () => {
    const status = (await cluster.get('pods', { namespace, name: REQUEST, signal }))?.status;
    if (status?.phase === 'Running') return;
    const waiting = status?.containerStatuses?.[0]?.state?.waiting?.reason;
    throw new Error(`phase ${status?.phase ?? 'unknown'}${waiting === undefined ? '' : ` (${waiting})`}`);
  });
}

/**
 * Waits for the ServiceImport and, where `check` is given, until it is as `check` wants it, which throws otherwise. That there is no
 * import at all is a breach of the contract; what `check` says is one only if a text is given.
 */
export async function awaitImport(
  { namespace, signal }: Site,
  cluster: Cluster,
  expected?: { what: string; nonConformance?: string; check: (found: ServiceImport) => void },
): Promise<ServiceImport> {
  const wait = { durationMs: REACTION_MS, pollMs: POLL_MS, signal };
  const read = async () => {
    const found = await cluster.get('serviceimports', { namespace, name: HELLO, signal });
    if (found === undefined) throw new Error('there is no ServiceImport');
    return found;
  };
  let seen = false;
  try {
    return await eventually(
      { ...wait, what: `ServiceImport in ${cluster.name}${expected === undefined ? '' : ` with ${expected.what}`}` },
      async () => {
        seen = false;
        const found = await read();
        seen = true;
        expected?.check(found);
        return found;
      },
    );
  } catch (error) {
    if (!(error instanceof TestFailure)) throw error;
    const missing = `there is no ServiceImport in ${cluster.name} for an exported service`;
    throw new TestFailure(error.message, seen ? expected?.nonConformance : missing);
  }
}

export async function awaitNoImport({ namespace, signal }: Site, cluster: Cluster): Promise<void> {
  const what = `no ServiceImport in ${cluster.name}`;
  const nonConformance = `the ServiceImport in ${cluster.name} outlives the last ServiceExport`;
  await eventually({ what, durationMs: REACTION_MS, pollMs: POLL_MS, signal, nonConformance }, async () => {
    if ((await cluster.get('serviceimports', { namespace, name: HELLO, signal })) !== undefined) {
      throw new Error('it is still there');
    }
  });
}

/** For {@link ENSURE_MS}; the import may not be away for a moment either. */
export async function ensureImport({ namespace, signal }: Site, cluster: Cluster): Promise<void> {
  const what = `ServiceImport in ${cluster.name} stays`;
  const nonConformance = `the ServiceImport in ${cluster.name} went although a cluster still exports the service`;
  await consistently({ what, durationMs: ENSURE_MS, pollMs: POLL_MS, signal, nonConformance }, async () => {
    const found = await cluster.get('serviceimports', { namespace, name: HELLO, signal });
    if (found === undefined) throw new TestFailure('it is gone');
  });
}

export async function ensureNoImport({ namespace, signal }: Site, cluster: Cluster): Promise<void> {
  const what = `no ServiceImport in ${cluster.name}`;
  const nonConformance = `there is a ServiceImport in ${cluster.name} of a service that cannot be exported`;
  await consistently({ what, durationMs: ENSURE_MS, pollMs: POLL_MS, signal, nonConformance }, async () => {
    const found = await cluster.get('serviceimports', { namespace, name: HELLO, signal });
    if (found !== undefined) throw new TestFailure('there is one');
  });
}

export async function awaitExportCondition(
  { namespace, signal }: Site,
  cluster: Cluster,
  { type, status }: { type: string; status: 'True' | 'False' },
): Promise<void> {
  const what = `condition ${type}=${status} on the ServiceExport in ${cluster.name}`;
  const nonConformance = `the ServiceExport in ${cluster.name} does not get the condition ${type}=${status}`;
  await eventually({ what, durationMs: REACTION_MS, pollMs: POLL_MS, signal, nonConformance }, async () => {
    const found = await cluster.get('serviceexports', { namespace, name: HELLO, signal });
    if (found === undefined) throw new Error('the ServiceExport is gone');
    const condition = found.status?.conditions?.find((item) => item.type === type);
    if (condition?.status !== status) throw new Error(`${type} is ${condition?.status ?? 'not set'}`);
  });
}

/** Every exporter has to learn of a conflict. */
export async function awaitConflict(site: Site): Promise<void> {
  for (const cluster of [firstOf(site), secondOf(site)]) {
    await awaitExportCondition(site, cluster, { type: 'Conflict', status: 'True' });
  }
}

export async function awaitFamilies(site: Site, cluster: Cluster): Promise<readonly string[]> {
  const found = await awaitImport(site, cluster, {
    what: 'ipFamilies',
    check: ({ spec }) => {
      if ((spec?.ipFamilies ?? []).length === 0) throw new Error('spec.ipFamilies is empty');
    },
  });
  return found.spec?.ipFamilies ?? [];
}

export const runInPod = (
  { namespace, signal }: Site,
  cluster: Cluster,
  command: readonly string[],
): Promise<ExecResult> => cluster.exec({ namespace, pod: REQUEST, container: REQUEST, command, signal });

export interface ExpectedCommand {
  readonly what: string;
  readonly command: readonly string[];
  /** Successes in a row. */
  readonly times: number;
  /** Throws if the output is not what is wanted. */
  readonly check: (output: string) => void;
}

/** DNS and connections may lag behind the objects, so a failed command only begins the count again, until the time is over. */
export async function awaitCommand(site: Site, cluster: Cluster, expected: ExpectedCommand): Promise<void> {
  const { what, command, times, check } = expected;
  let count = 0;
  const wait = {
    what: `in ${cluster.name}: ${what}${times > 1 ? `, ${times} times in a row` : ''}`,
    durationMs: COMMAND_MS * times,
    pollMs: COMMAND_GAP_MS,
    signal: site.signal,
  };
  await eventually(wait, async () => {
    const { output, problem } = await runInPod(site, cluster, command);
    try {
      check(output);
    } catch (error) {
      count = 0;
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`${why}; ${problem ?? `output: ${toEvidence(output)}`}`);
    }
    count += 1;
    if (count < times) throw new Error(`${count} of ${times} in a row`);
  });
}
