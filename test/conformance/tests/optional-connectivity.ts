/** C-O08 to C-O11: connections by the clusterset name. A backend says its pod's address, so that one sees which cluster answered. */
import type { Cluster } from '../clusters.ts';
import {
  awaitCommand,
  awaitFamilies,
  deploy,
  exportFromSecond,
  firstOf,
  secondOf,
  serviceName,
  type TestContext,
} from '../driver.ts';
import { CLUSTER_IP_FIXTURE, HELLO, HELLO_PORT, HELLO_SERVICE, TCP_PORT } from '../fixture.ts';
import { CONSECUTIVE_CALLS, POD_POLL_MS, POD_RUNNING_MS } from '../limits.ts';
import type { ServicePort } from '../objects.ts';
import type { ConformanceTest } from '../outcome.ts';
import { eventually } from '../waits.ts';
import { callCommand, podIpsIn } from './commands.ts';
import { REF } from './references.ts';

const OTHER_PORT = 4242;
const CONNECTIVITY = { group: 'Optional', fixture: CLUSTER_IP_FIXTURE } as const;
const TWO_CLUSTERS = { ...CONNECTIVITY, clusters: 2 } as const;

export const OPTIONAL_CONNECTIVITY: readonly ConformanceTest[] = [
  {
    ...CONNECTIVITY,
    id: 'C-O08',
    title: 'Connectivity to an exported ClusterIP service should be accessible through DNS',
    labels: ['Connectivity', 'ClusterIP'],
    clusters: 1,
    ref: REF.dns,
    run: (context) => eachCluster(context, { port: HELLO_PORT, times: 1, podIp: undefined }),
  },
  {
    ...TWO_CLUSTERS,
    id: 'C-O09',
    title:
      'Connectivity to a ClusterIP service existing in two clusters but exported from one should only access the exporting cluster',
    labels: ['Connectivity', 'ClusterIP'],
    ref: REF.exporting,
    run: async (context) => {
      await deploy(context, secondOf(context), CLUSTER_IP_FIXTURE);
      const podIp = await awaitPodIp(context, firstOf(context));
      await eachCluster(context, { port: HELLO_PORT, times: CONSECUTIVE_CALLS, podIp });
    },
  },
  {
    ...TWO_CLUSTERS,
    id: 'C-O10',
    title:
      'Connectivity to exported services with same port name but different port numbers on each cluster should only route traffic to the cluster that exposes the port',
    labels: ['Connectivity', 'ClusterIP', 'StrictPortConflict'],
    ref: REF.ports,
    run: async (context) => {
      await exportPortFromSecond(context, { ...TCP_PORT, port: OTHER_PORT, targetPort: HELLO_PORT });
      const podIp = await awaitPodIp(context, firstOf(context));
      await eachCluster(context, { port: HELLO_PORT, times: CONSECUTIVE_CALLS, podIp });
    },
  },
  {
    ...TWO_CLUSTERS,
    id: 'C-O11',
    title:
      'Connectivity to exported services with different port name on each cluster should route traffic to each port only to the cluster that exposes it',
    labels: ['Connectivity', 'ClusterIP', 'StrictPortConflict'],
    ref: REF.ports,
    run: async (context) => {
      await exportPortFromSecond(context, { ...TCP_PORT, name: 'tcp2', port: OTHER_PORT, targetPort: HELLO_PORT });
      for (const [port, cluster] of [
        [HELLO_PORT, firstOf(context)],
        [OTHER_PORT, secondOf(context)],
      ] as const) {
        const podIp = await awaitPodIp(context, cluster);
        await eachCluster(context, { port, times: CONSECUTIVE_CALLS, podIp });
      }
    },
  },
];

const exportPortFromSecond = (context: TestContext, port: ServicePort): Promise<void> =>
  exportFromSecond(context, { ...CLUSTER_IP_FIXTURE, service: { ...HELLO_SERVICE, ports: [port] } });

interface Call {
  readonly port: number;
  /** In a row. */
  readonly times: number;
  /** Of the one pod that may answer; undefined: any. */
  readonly podIp: string | undefined;
}

async function eachCluster(context: TestContext, { port, times, podIp }: Call): Promise<void> {
  const name = serviceName(context);
  for (const cluster of context.clusters) {
    for (const family of await awaitFamilies(context, cluster)) {
      await awaitCommand(context, cluster, {
        what: `${name}:${port} (${family}) is answered by ${podIp === undefined ? 'a pod' : `pod ${podIp}`}`,
        command: callCommand(name, { family, port }),
        times,
        check: (output) => expectAnswer(output, podIp),
      });
    }
  }
}

function expectAnswer(output: string, podIp: string | undefined): void {
  const answers = podIpsIn(output);
  if (answers.length === 0) throw new Error('no answer');
  const wrong = podIp === undefined ? undefined : answers.find((answer) => answer !== podIp);
  if (wrong !== undefined) throw new Error(`pod ${wrong} answered`);
}

async function awaitPodIp({ namespace, signal }: TestContext, cluster: Cluster): Promise<string> {
  const what = `the pod of ${HELLO} in ${cluster.name} has an address`;
  return eventually({ what, durationMs: POD_RUNNING_MS, pollMs: POD_POLL_MS, signal }, async () => {
    const pods = await cluster.list('pods', { namespace, labelSelector: `app=${HELLO}`, signal });
    const podIp = pods.map((pod) => pod.status?.podIP).find((ip) => ip !== undefined && ip !== '');
    if (podIp === undefined) throw new Error(`none of ${pods.length} pod(s) has one`);
    return podIp;
  });
}
