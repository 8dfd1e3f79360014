/** The processes of a cluster's containers, as its node has them: only where the clusters are the suite's own. */
import assert from 'node:assert/strict';
import type { IPod } from '#src/api/generated/Pod.ts';
import type { TestCluster } from '#test/clusters/pair.ts';
import { eventually } from './api.ts';

interface ContainerStatus {
  readonly containerID?: string;
  readonly restartCount?: number;
}

/** The id that containerd knows it by. */
export function containerOf({ status }: IPod): string {
  const [container] = (status as { containerStatuses?: ContainerStatus[] } | undefined)?.containerStatuses ?? [];
  return (container?.containerID ?? '').replace('containerd://', '');
}

/** Ends the process of a container as a crash would, and waits until it is gone. */
export async function killContainer(node: TestCluster, id: string): Promise<void> {
  const pid = await processOf(node, id);
  assert.ok(pid !== undefined, `${node.name} has no process for container ${id}`);
  const { code, stderr } = await node.exec(['kill', '-KILL', pid]);
  assert.equal(code, 0, stderr);
  await eventually('the process is gone', async () => (await processOf(node, id)) === undefined);
}

async function processOf(node: TestCluster, id: string): Promise<string | undefined> {
  const line = (await tasks(node)).find((columns) => columns[0] === id && columns[2] === 'RUNNING');
  return line?.[1];
}

/** Of `ctr task ls`: container, pid, state. */
async function tasks(node: TestCluster): Promise<string[][]> {
  const { stdout, stderr, code } = await node.exec(['ctr', '--namespace', 'k8s.io', 'task', 'ls']);
  assert.equal(code, 0, stderr);
  return stdout.split('\n').map((line) => line.split(/\s+/));
}

/** Container ids of running processes of a program's argument, for when no API server can be asked. */
export async function runningContainers(node: TestCluster): Promise<ReadonlySet<string>> {
  return new Set((await tasks(node)).filter(([, , state]) => state === 'RUNNING').map(([id = '']) => id));
}

/** Which pod each connection of a client to a cluster address ended at, by the client's port: the node's connection tracking knows. */
export async function trackedPeers(
  node: TestCluster,
  { from, host, port }: { readonly from: string; readonly host: string; readonly port: number },
): Promise<ReadonlyMap<number, string>> {
  const only = ['--orig-src', from, '--orig-dst', host, '--orig-port-dst', String(port)];
  const { stdout } = await node.exec(['conntrack', '-L', '-p', 'tcp', ...only]);
  const found = [...stdout.matchAll(/ sport=(\d+) dport=\d+ .*?src=(\S+) /g)];
  return new Map(found.map(([, sport = '', address = '']) => [Number(sport), address]));
}
