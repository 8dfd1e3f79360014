import assert from 'node:assert/strict';
import type { JsonMap } from '#src/store/json.ts';
import type { ApiAnswer, ApiRequest } from '#src/store/kubernetes/transport.ts';
import { runElection, type Election, type ElectionOptions } from '#src/store/kubernetes/lease.ts';
import { LEASE_DEADLINE_MS, LEASE_HANDOVER_MS, LEASE_MS, LEASE_RETRY_MS } from '#src/store/kubernetes/limits.ts';
import { makeManualClock, settle, statusOf, unreachable, type ManualClock } from './scripted-server.ts';

const logger = { info: () => undefined, warn: () => undefined };

/** One Lease as an API server keeps it: guarded by its version. */
function makeLeaseServer() {
  let lease: JsonMap | undefined;
  let version = 0;
  const writes: string[] = [];
  const holder = (): unknown => (lease?.['spec'] as JsonMap | undefined)?.['holderIdentity'];
  function put(body: JsonMap): Partial<ApiAnswer> {
    version += 1;
    lease = { ...body, metadata: { ...(body['metadata'] as JsonMap), resourceVersion: String(version) } };
    writes.push(String(holder()));
    return { status: 200, body: lease };
  }
  function answer({ method, body }: ApiRequest): Partial<ApiAnswer> {
    if (method === 'GET') return lease === undefined ? statusOf(404, 'NotFound') : { status: 200, body: lease };
    if (method === 'POST')
      return lease === undefined ? { ...put(body as JsonMap), status: 201 } : statusOf(409, 'AlreadyExists');
    if (lease === undefined) return statusOf(404, 'NotFound');
    const given = (body as { metadata: { resourceVersion?: string } }).metadata.resourceVersion;
    return given === String(version) ? put(body as JsonMap) : statusOf(409, 'Conflict');
  }
  return {
    writes,
    holder,
    spec: () => lease?.['spec'] as JsonMap,
    remove: () => (lease = undefined),
    /** An access of one candidate: cut off, or made to hang, at will. */
    access() {
      let isCut = false;
      let forbidden = 0;
      let gate: Promise<void> | undefined;
      const requests: string[] = [];
      return {
        requests,
        cut: () => (isCut = true),
        restore: () => (isCut = false),
        forbid: (times: number) => (forbidden = times),
        /** The server does what is asked; the answers come after `open`. */
        delay() {
          const { promise, resolve } = Promise.withResolvers<void>();
          gate = promise;
          return () => {
            gate = undefined;
            resolve();
          };
        },
        async request(request: ApiRequest): Promise<ApiAnswer> {
          requests.push(request.method);
          if (isCut) throw unreachable();
          if (forbidden-- > 0) return { status: 403, body: statusOf(403, 'Forbidden').body };
          const given = { status: 200, body: undefined, ...answer(request) };
          await gate;
          return given;
        },
      };
    },
  };
}

describe('runElection', () => {
  let elections: Election[];
  let clock: ManualClock;
  /** Who leads now, by the signals that the work has: more than one is what must never be. */
  let leading: Set<string>;

  beforeEach(() => {
    [elections, clock, leading] = [[], makeManualClock(), new Set()];
  });
  afterEach(async () => {
    const released = Promise.all(elections.map((election) => election.release()));
    await clock.advance(LEASE_HANDOVER_MS + 1);
    await released;
    assert.equal(clock.timers, 0, 'no timer is left');
  });

  function candidate(identity: string, access: ElectionOptions['access'], parts: Partial<ElectionOptions> = {}) {
    const told: string[] = [];
    const election = runElection({
      access,
      namespace: 'clusterlink-system',
      name: 'controller',
      identity,
      logger,
      clock,
      random: () => 0,
      wallMs: () => Date.UTC(2026, 0, 2, 3, 4, 5),
      onElected(signal) {
        told.push('elected');
        leading.add(identity);
        assert.equal(leading.size, 1, `two leaders: ${[...leading].join(', ')}`);
        const { promise, resolve } = Promise.withResolvers<void>();
        signal.addEventListener('abort', () => {
          leading.delete(identity);
          resolve();
        });
        return promise;
      },
      onLost: () => told.push('lost'),
      ...parts,
    });
    elections.push(election);
    return { told, election };
  }

  it('no lease → made, with holder, duration and times; renewed with one request each time', async () => {
    const server = makeLeaseServer();
    const access = server.access();
    const { told, election } = candidate('a', access);
    await settle();
    assert.deepEqual([told, election.isLeader()], [['elected'], true]);
    assert.deepEqual(server.spec(), {
      holderIdentity: 'a',
      leaseDurationSeconds: LEASE_MS / 1000,
      renewTime: '2026-01-02T03:04:05.000000Z',
      acquireTime: '2026-01-02T03:04:05.000000Z',
      leaseTransitions: 0,
    });
    access.requests.length = 0;
    await clock.advance(3 * LEASE_RETRY_MS);
    assert.deepEqual(access.requests, ['PUT', 'PUT', 'PUT']);
    assert.equal(election.isLeader(), true);
  });

  it('two at once → one leads; the other only reads; after a release it leads within one try', async () => {
    const server = makeLeaseServer();
    const [one, two] = [server.access(), server.access()];
    const a = candidate('a', one);
    await settle();
    const b = candidate('b', two);
    await clock.advance(10 * LEASE_MS);
    assert.deepEqual([a.election.isLeader(), b.election.isLeader(), b.told], [true, false, []]);
    assert.ok(two.requests.every((method) => method === 'GET'));
    await a.election.release();
    assert.equal(server.holder(), '');
    await clock.advance(LEASE_RETRY_MS);
    assert.deepEqual([a.told, b.told, server.spec()['leaseTransitions']], [['elected', 'lost'], ['elected'], 1]);
  });

  it('a leader that reaches nobody → stops before the deadline is over; the other takes over only after the lease', async () => {
    const server = makeLeaseServer();
    const access = server.access();
    const a = candidate('a', access);
    await settle();
    const b = candidate('b', server.access());
    await clock.advance(LEASE_RETRY_MS * 2);
    access.cut();
    await clock.advance(LEASE_DEADLINE_MS - 1);
    assert.equal(a.election.isLeader(), true);
    await clock.advance(1);
    assert.deepEqual([a.election.isLeader(), a.told, b.told], [false, ['elected', 'lost'], []]);
    await clock.advance(LEASE_MS - LEASE_DEADLINE_MS - 1);
    assert.deepEqual(b.told, []);
    await clock.advance(2 * LEASE_RETRY_MS + 1);
    assert.deepEqual(b.told, ['elected']);
    access.restore();
    await clock.advance(LEASE_MS);
    assert.deepEqual([a.told, server.holder()], [['elected', 'lost'], 'b']);
  });

  it('answers that come late → the deadline counts from the request: no leader after it', async () => {
    const server = makeLeaseServer();
    const access = server.access();
    const a = candidate('a', access);
    await settle();
    const open = access.delay();
    await clock.advance(LEASE_RETRY_MS + LEASE_DEADLINE_MS);
    assert.equal(a.election.isLeader(), false);
    open();
    await settle();
    assert.deepEqual([a.election.isLeader(), a.told], [false, ['elected', 'lost']]);
  });

  it('an answer that comes after the term was lost, while its work still runs → no second term beside it', async () => {
    const server = makeLeaseServer();
    const access = server.access();
    const { promise: work, resolve: end } = Promise.withResolvers<void>();
    let runs = 0;
    candidate('a', access, {
      onElected: () => {
        runs += 1;
        return work;
      },
    });
    await settle();
    access.cut();
    await clock.advance(LEASE_DEADLINE_MS - LEASE_RETRY_MS);
    access.restore();
    const open = access.delay();
    await clock.advance(LEASE_RETRY_MS + 1_000);
    open();
    await clock.advance(2 * LEASE_RETRY_MS);
    assert.equal(runs, 1);
    end();
    await clock.advance(LEASE_RETRY_MS);
    assert.equal(runs, 2);
  });

  it('a process that was stopped longer than the deadline → no leader, before any timer has run', async () => {
    const server = makeLeaseServer();
    let skewMs = 0;
    const stopped = { ...clock, nowMs: () => clock.nowMs() + skewMs, after: clock.after };
    const { election } = candidate('a', server.access(), { clock: stopped });
    await settle();
    assert.equal(election.isLeader(), true);
    skewMs = LEASE_DEADLINE_MS;
    assert.equal(election.isLeader(), false);
  });

  it('another writes the lease by force → stops at the next renewal', async () => {
    const server = makeLeaseServer();
    const a = candidate('a', server.access());
    await settle();
    const thief = server.access();
    const { body } = await thief.request({ method: 'GET', path: '', timeoutMs: 1 });
    const stolen = { ...(body as JsonMap), spec: { holderIdentity: 'thief', leaseDurationSeconds: 15 } };
    await thief.request({ method: 'PUT', path: '', body: stolen, timeoutMs: 1 });
    await clock.advance(LEASE_RETRY_MS);
    assert.deepEqual([a.election.isLeader(), a.told, server.holder()], [false, ['elected', 'lost'], 'thief']);
  });

  it('the lease deleted under the leader → made again, and it goes on leading', async () => {
    const server = makeLeaseServer();
    const a = candidate('a', server.access());
    await settle();
    server.remove();
    await clock.advance(3 * LEASE_RETRY_MS);
    assert.deepEqual([a.told, server.holder(), a.election.isLeader()], [['elected'], 'a', true]);
  });

  it('refused for a while (403) → tried again, leads in the end', async () => {
    const access = makeLeaseServer().access();
    access.forbid(3);
    const a = candidate('a', access);
    await clock.advance(4 * LEASE_RETRY_MS);
    assert.deepEqual(a.told, ['elected']);
  });

  it('work that fails → leadership is given up, and taken again when it is free', async () => {
    const server = makeLeaseServer();
    let runs = 0;
    const { election } = candidate('a', server.access(), {
      onElected: () => {
        runs += 1;
        return runs === 1 ? Promise.reject(new Error('broken')) : new Promise(() => undefined);
      },
    });
    await settle();
    assert.equal(election.isLeader(), false);
    await clock.advance(LEASE_RETRY_MS);
    assert.deepEqual([runs, election.isLeader()], [2, true]);
  });

  it('work that does not end → no candidate again until it has; a release leaves the lease to expire', async () => {
    const server = makeLeaseServer();
    const access = server.access();
    const { promise: work, resolve: end } = Promise.withResolvers<void>();
    let runs = 0;
    const { election } = candidate('a', access, {
      onElected: () => {
        runs += 1;
        return work;
      },
    });
    await settle();
    access.cut();
    await clock.advance(LEASE_DEADLINE_MS);
    access.restore();
    await clock.advance(2 * LEASE_MS);
    assert.equal(runs, 1);
    const released = election.release();
    await clock.advance(LEASE_HANDOVER_MS);
    assert.equal(server.holder(), 'a');
    end();
    await released;
  });

  it('released twice, or before it ever led → ends all the same', async () => {
    const server = makeLeaseServer();
    const access = server.access();
    access.cut();
    const { election } = candidate('a', access);
    await settle();
    await Promise.all([election.release(), election.release()]);
    assert.deepEqual(server.writes, []);
  });
});
