import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import type { Cluster } from '#src/cli/deploy/cluster.ts';
import { DELETE_ROUNDS_MAX } from '#src/cli/deploy/limits.ts';
import type { Manifest } from '#src/cli/deploy/manifests.ts';
import { removePeer } from '#src/cli/deploy/remove.ts';

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
        metadata: { name: 's', namespace: 'shop', uid: String(left) },
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
