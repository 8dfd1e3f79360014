import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import type { Cluster } from '#src/cli/deploy/cluster.ts';
import { waitForDeployments } from '#src/cli/deploy/install.ts';
import type { Manifest } from '#src/cli/deploy/manifests.ts';

const deployment: Manifest = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'gateway', namespace: 'clusterlink-system', generation: 2 },
  spec: { replicas: 2 },
};
const READY = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };

/** One look, no waiting. */
const ONE_LOOK_SECONDS = 0;

function clusterWith(status: object, pods: readonly object[] = []): Cluster {
  return {
    get: () => Promise.resolve({ ...deployment, status }),
    apply: () => assert.fail(),
    giveUp: () => assert.fail(),
    answers: () => assert.fail(),
    list: () => Promise.resolve(pods.map((pod) => ({ apiVersion: 'v1', kind: 'Pod', ...pod }))),
    remove: () => assert.fail(),
  };
}

const wait = (cluster: Cluster): Promise<void> => waitForDeployments(cluster, [deployment], ONE_LOOK_SECONDS);

describe('waitForDeployments', () => {
  it('every replica new and available → done', async () => {
    await wait(clusterWith(READY));
  });

  const CASES: Readonly<Record<string, object>> = {
    'nothing is said yet': {},
    'what is said is of an older generation': { ...READY, observedGeneration: 1 },
    'an old pod is still there': { ...READY, replicas: 3 },
    'a new pod is missing': { ...READY, updatedReplicas: 1 },
    'a pod is not available': { ...READY, availableReplicas: 1 },
  };
  for (const [what, status] of Object.entries(CASES)) {
    it(`${what} → ERR_TIMEOUT that names it, and why pods wait`, async () => {
      const pods = [
        { status: { containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff' } } }] } },
        { status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] } },
      ];
      await assert.rejects(wait(clusterWith(status, pods)), (error: unknown) => {
        assert.ok(error instanceof AppError);
        assert.equal(error.code, 'ERR_TIMEOUT');
        assert.match(
          error.message,
          /^Deployment clusterlink-system\/gateway: not ready .* \(ImagePullBackOff, Unschedulable\)$/,
        );
        return true;
      });
    });
  }
});
