/** The two clusters of the suite: what is asked of them through kubectl, and, where they are ours, through their nodes. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import type { TestCluster } from '#test/clusters/pair.ts';
import { run, runOrThrow, type Finished, type RunOptions } from '#test/clusters/command.ts';

export interface Member {
  /** Of the peer; in the test clusters also of the cluster. */
  readonly name: string;
  readonly context: string;
  readonly kubeconfig: string;
  /** Where the other cluster's nodes reach this one's. */
  readonly nodeIp: string;
  /** The cluster's processes; undefined where all that is known of it is its kubeconfig. */
  readonly node: TestCluster | undefined;
  /** Runs kubectl as administrator. @throws {Error} when it fails, with what it said. */
  kubectl(args: readonly string[], options?: RunOptions): Promise<string>;
  /** The same, where any exit code is an answer. */
  tryKubectl(args: readonly string[], options?: RunOptions): Promise<Finished>;
  /** Begins one that goes on; whoever begins it ends it. */
  spawnKubectl(args: readonly string[]): ChildProcessWithoutNullStreams;
}

interface MemberInput extends Pick<Member, 'name' | 'context' | 'kubeconfig' | 'nodeIp' | 'node'> {
  readonly kubectlPath: string;
}

export function makeMember({ kubectlPath, ...member }: MemberInput): Member {
  const command = [kubectlPath, '--kubeconfig', member.kubeconfig, '--context', member.context];
  return {
    ...member,
    kubectl: (args, options) => runOrThrow([...command, ...args], options),
    tryKubectl: (args, options) => run([...command, ...args], options),
    spawnKubectl: (args) => spawn(kubectlPath, [...command.slice(1), ...args]),
  };
}

export function toMember(node: TestCluster): Member {
  const { name, context, kubeconfig, kubectlPath, nodeIp } = node;
  return makeMember({ name, context, kubeconfig, kubectlPath, nodeIp, node });
}

/** A cluster that somebody else runs: kind, K3s, a cloud's. */
export async function toForeignMember(
  name: string,
  { kubeconfig, context }: Pick<Member, 'kubeconfig' | 'context'>,
): Promise<Member> {
  const base = { name, context, kubeconfig, kubectlPath: 'kubectl', node: undefined };
  const path = '-o=jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}';
  const nodeIp = await makeMember({ ...base, nodeIp: '' }).kubectl(['get', 'nodes', path]);
  return makeMember({ ...base, nodeIp: nodeIp.split(' ')[0] ?? '' });
}
