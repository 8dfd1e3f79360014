import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import type { Cluster } from '#src/cli/deploy/cluster.ts';
import { DELETE_ROUNDS_MAX } from '#src/cli/deploy/limits.ts';
import type { Manifest } from '#src/cli/deploy/manifests.ts';
import { assertPeer, removePeer } from '#src/cli/deploy/remove.ts';
import { assertNamespaceFree } from '#src/cli/deploy/system-namespace.ts';

/** A cluster in which nothing is but derived Services, of which a new one comes `rounds` times. */
function clusterWith(rounds: number): { cluster: Cluster; order: string[] } {
  const order: string[] = [];
  let left = rounds;
  const cluster: Cluster = {
    get: () => assert.fail(),
    apply: () => assert.fail(),
    giveUp: () => assert.fail(),
    answers: () => assert.fail(),
    list({ kind }, { labelSelector } = {}) {
      order.push(kind);
      if (kind !== 'Service' || labelSelector?.startsWith('app.kubernetes.io/managed-by=') !== true || left === 0)
        return Promise.resolve([]);
      left -= 1;
      const service: Manifest = {
        apiVersion: 'v1',
        kind,
        metadata: {
          name: 's',
          namespace: 'shop',
          uid: String(left),
          managedFields: [{ manager: 'clusterlink-mcs-controller', operation: 'Apply' }],
        },
      };
      return Promise.resolve([service]);
    },
    remove: () => Promise.resolve(true),
  };
  return { cluster, order };
}

describe('removePeer', () => {
  it('rights go first, then the processes, then what they wrote; the namespace is last', async () => {
    const { cluster, order } = clusterWith(0);
    await removePeer(cluster, () => undefined);
    assert.deepEqual(order.slice(0, 4), ['ClusterRoleBinding', 'RoleBinding', 'Deployment', 'ServiceImport']);
    assert.equal(order.at(-1), 'Namespace');
  });

  it(`something new in ${DELETE_ROUNDS_MAX - 1} rounds → deleted each time`, async () => {
    const lines: string[] = [];
    await removePeer(clusterWith(DELETE_ROUNDS_MAX - 1).cluster, (line) => lines.push(line));
    assert.equal(lines.length, DELETE_ROUNDS_MAX - 1);
  });

  it(`in ${DELETE_ROUNDS_MAX} → somebody else makes them: ERR_CONFLICT`, async () => {
    await assert.rejects(
      removePeer(clusterWith(DELETE_ROUNDS_MAX).cluster, () => undefined),
      (error: unknown) => error instanceof AppError && error.code === 'ERR_CONFLICT',
    );
  });
});

describe('removePeer, objects of others with our labels', () => {
  const labels = { 'app.kubernetes.io/part-of': 'clusterlink-mcs', 'app.kubernetes.io/managed-by': 'clusterlink-mcs' };
  const SYSTEM = 'clusterlink-system';
  const object = (kind: string, name: string, namespace?: string): Manifest => ({
    apiVersion: 'v1',
    kind,
    metadata: { name, uid: name, labels, ...(namespace === undefined ? {} : { namespace }) },
  });
  async function remove(present: readonly Manifest[]): Promise<string[]> {
    const removed: string[] = [];
    let left = present;
    await removePeer(
      {
        get: () => assert.fail(),
        apply: () => assert.fail(),
        giveUp: () => assert.fail(),
        answers: () => assert.fail(),
        list({ kind }, { namespace, labelSelector } = {}) {
          const [label = '', value] = labelSelector?.split('=') ?? [];
          return Promise.resolve(
            left.filter(
              (item) =>
                item.kind === kind &&
                (namespace === undefined || item.metadata?.namespace === namespace) &&
                (labelSelector === undefined || item.metadata?.labels?.[label] === value),
            ),
          );
        },
        remove(item) {
          removed.push(`${item.kind} ${item.metadata?.name}`);
          left = left.filter((other) => other !== item);
          return Promise.resolve(true);
        },
      },
      () => undefined,
    );
    return removed;
  }

  const THEIRS: Readonly<Record<string, Manifest>> = {
    'a namespace of another name': object('Namespace', 'shop'),
    'a ConfigMap in another namespace': object('ConfigMap', 'clusterlink-mcs', 'monitoring'),
    'a Secret in another namespace': object('Secret', 'clusterlink-mcs-peer', 'shop'),
    'a rule of another name': object('ClusterImportRule', 'mine'),
    'a Service that our controller did not apply': object('Service', 'copy', 'shop'),
  };
  for (const [title, theirs] of Object.entries(THEIRS)) {
    it(`${title} → stays`, async () => {
      assert.deepEqual(await remove([theirs]), []);
    });
  }

  it('the same in our namespace, or of our name → goes', async () => {
    const ours = [
      object('Namespace', SYSTEM),
      object('ConfigMap', 'any', SYSTEM),
      object('ClusterRole', 'clusterlink-mcs-dns'),
    ];
    assert.deepEqual(await remove(ours), ['ConfigMap any', 'ClusterRole clusterlink-mcs-dns', `Namespace ${SYSTEM}`]);
  });

  it('somebody else works in our namespace → the namespace stays', async () => {
    const deployment: Manifest = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'cl-controlplane', namespace: SYSTEM, uid: 'c' },
    };
    assert.deepEqual(await remove([object('Namespace', SYSTEM), deployment]), []);
  });

  it('what somebody else ran there has finished → the namespace goes', async () => {
    const pod: Manifest = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: SYSTEM } };
    const done = { ...pod, status: { phase: 'Succeeded' } };
    assert.deepEqual(await remove([object('Namespace', SYSTEM), done]), [`Namespace ${SYSTEM}`]);
  });
});

describe('assertNamespaceFree', () => {
  const pod = (labels: Record<string, string>): Manifest => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'clusterlink-system', labels },
  });
  const check = (object: Manifest): Promise<void> =>
    assertNamespaceFree({
      ...clusterWith(0).cluster,
      list: ({ kind }) => Promise.resolve(kind === 'Pod' ? [object] : []),
    });

  it('a pod of ours, as of an earlier installation → may be installed again', async () => {
    await check(pod({ 'app.kubernetes.io/part-of': 'clusterlink-mcs' }));
  });

  it('a pod of somebody else → ERR_CONFLICT naming it', async () => {
    await assert.rejects(check(pod({})), { code: 'ERR_CONFLICT', message: /Pod clusterlink-system\/p/ });
  });
});

describe('assertPeer', () => {
  const clusterOf = (text: string | undefined) => ({
    get: (object: { readonly apiVersion?: string; readonly kind?: string }) =>
      Promise.resolve(
        text === undefined ? undefined : ({ ...object, data: { 'peer.yaml': text } } as unknown as Manifest),
      ),
  });

  it('the peer of the cluster, or none any more → nothing to say', async () => {
    await assertPeer(clusterOf('peer: east\n'), 'east');
    await assertPeer(clusterOf(undefined), 'east');
    await assertPeer(clusterOf(''), 'east');
  });

  it('another peer → ERR_USAGE, which names it', async () => {
    await assert.rejects(assertPeer(clusterOf('peer: west\n'), 'east'), {
      code: 'ERR_USAGE',
      message: '--name east: this cluster is peer "west"',
    });
  });
});
