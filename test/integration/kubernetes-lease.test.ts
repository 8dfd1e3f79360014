/** Leader election and events on a real API server. */
import assert from 'node:assert/strict';
import { loadAccess, type KubernetesAccess } from '#src/store/kubernetes/access.ts';
import type { KubernetesLogger } from '#src/store/kubernetes/logger.ts';
import type { ApiRequest } from '#src/store/kubernetes/transport.ts';
import { makeEventRecorder } from '#src/store/kubernetes/event-recorder.ts';
import { runElection, type Election } from '#src/store/kubernetes/lease.ts';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { waitFor } from '#test/support/wait.ts';

/** Five times as fast as in production. */
const TIMING = { leaseMs: 3_000, deadlineMs: 2_000, retryMs: 400 };

interface LeaseObject {
  readonly spec: { readonly holderIdentity: string; readonly leaseTransitions: number; readonly renewTime: string };
}
interface EventList {
  readonly items: readonly {
    readonly reason: string;
    readonly note: string;
    readonly series?: { readonly count: number };
    readonly regarding: { readonly name: string };
  }[];
}

describe('on a real API server', function () {
  this.timeout(60_000);
  let server: ApiServer;
  let accesses: KubernetesAccess[];
  /** How many terms ended since the leader could not renew in time, as on a machine that stalls. */
  let lost: number;
  const logger: KubernetesLogger = {
    info: () => undefined,
    warn(fields) {
      if ('why' in fields && fields.why === 'the lease could not be renewed in time') lost += 1;
    },
  };

  before(async function () {
    this.timeout(120_000);
    server = await startApiServer({ crds: [] });
  });
  after(() => server.close());
  beforeEach(() => ([accesses, lost] = [[], 0]));
  afterEach(() => Promise.all(accesses.map((access) => access.close())));

  function open(): KubernetesAccess {
    const access = loadAccess({ kubeconfig: server.kubeconfig });
    accesses.push(access);
    return access;
  }

  /** A candidate whose requests can be lost from one moment on, as if its process were dead. */
  function candidate(name: string, identity: string, onElected: (signal: AbortSignal) => Promise<void>) {
    const access = open();
    let isDead = false;
    const election: Election = runElection({
      access: {
        request: (request: ApiRequest) => (isDead ? new Promise(() => undefined) : access.request(request)),
      },
      namespace: 'default',
      name,
      identity,
      logger,
      timing: TIMING,
      onElected,
    });
    return { election, kill: () => (isDead = true) };
  }

  function untilAborted(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  async function leaseOf(name: string): Promise<LeaseObject['spec']> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}`;
    return (await server.admin.request<LeaseObject>('GET', path)).body.spec;
  }

  it('two candidates, the leader killed → the other leads after the lease, and never both', async () => {
    const terms: string[] = [];
    const begun: string[] = [];
    const work = (identity: string) => async (signal: AbortSignal) => {
      begun.push(identity);
      terms.push(`${identity} begins`);
      await untilAborted(signal);
      terms.push(`${identity} ends`);
    };
    const a = candidate('killed', 'a', work('a'));
    await waitFor('a leads', () => a.election.isLeader());
    const b = candidate('killed', 'b', work('b'));
    await waitFor('a renewal', async () => {
      const { holderIdentity, renewTime } = await leaseOf('killed');
      return holderIdentity === 'a' && renewTime;
    });
    a.kill();
    await waitFor('b leads', () => b.election.isLeader(), 15_000);
    // Each ends before the next begins; what was killed could not renew either.
    assert.deepEqual(terms, begun.flatMap((who) => [`${who} begins`, `${who} ends`]).slice(0, -1));
    assert.deepEqual([begun[0], begun.at(-1), begun.length], ['a', 'b', 1 + lost]);
    assert.equal(a.election.isLeader(), false);
    const changes = begun.filter((who, index) => index > 0 && who !== begun[index - 1]).length;
    assert.equal((await leaseOf('killed')).leaseTransitions, changes);
    await b.election.release();
    assert.equal((await leaseOf('killed')).holderIdentity, '');
  });

  it('ten candidates at once → one leads; released one after the other → each in turn', async () => {
    let [now, most, turns] = [0, 0, 0];
    const elections = Array.from({ length: 10 }, (_, index) =>
      candidate('crowd', `c${index}`, async (signal) => {
        now += 1;
        turns += 1;
        most = Math.max(most, now);
        await untilAborted(signal);
        now -= 1;
      }),
    );
    for (let left = elections.length; left > 0; left -= 1) {
      const leader = await waitFor('a leader', () => elections.find(({ election }) => election.isLeader()));
      await leader.election.release();
      elections.splice(elections.indexOf(leader), 1);
    }
    // Who lost it by being late had another turn.
    assert.deepEqual([most, turns], [1, 10 + lost]);
  });

  it('events → accepted, counted up, listed with their object', async () => {
    const recorder = makeEventRecorder({
      access: open(),
      component: 'mcs.clusterlink.net/controller',
      instance: 'controller-1',
      logger,
    });
    const regarding = {
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceExport',
      metadata: { namespace: 'default', name: 'db', uid: 'f1d0c1a2-0000-4000-8000-000000000000', resourceVersion: '5' },
    };
    const event = {
      regarding,
      type: 'Warning',
      reason: 'NoService',
      action: 'Export',
      note: 'There is no Service.',
    } as const;
    for (let count = 0; count < 3; count += 1) recorder.record(event);
    recorder.record({ ...event, type: 'Normal', reason: 'Exported', note: 'x'.repeat(5_000) });
    recorder.record({ ...event, regarding: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } } });
    await recorder.idle();
    assert.equal(recorder.dropped, 0);
    const { body } = await server.admin.request<EventList>('GET', '/apis/events.k8s.io/v1/namespaces/default/events');
    const found = body.items.filter(({ regarding: { name } }) => ['db', 'n1'].includes(name));
    assert.deepEqual(found.map(({ reason, series, regarding: { name } }) => [name, reason, series?.count]).sort(), [
      ['db', 'Exported', undefined],
      ['db', 'NoService', 3],
      ['n1', 'NoService', undefined],
    ]);
  });
});
