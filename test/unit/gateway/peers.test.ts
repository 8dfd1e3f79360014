import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import type { PeerObservation, PeerRoute } from '#src/gateway/messages.ts';
import { SESSIONS_BY_LOAD_MAX, SESSIONS_PER_PEER_MAX } from '#src/gateway/limits.ts';
import type { DialOutcome } from '#src/gateway/dialler.ts';
import { REPLICAS_FEATURE, WORKERS_FEATURE } from '#src/gateway/hello.ts';
import { makePeers } from '#src/gateway/peers.ts';
import type { PeerLink } from '#src/gateway/link.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeSession, type FakeSession } from './fake-session.ts';

function routes(...gateways: PeerRoute['gateways'][number][]): ReadonlyMap<string, PeerRoute> {
  return new Map([['east', { name: 'east', labels: {}, gateways, mayAssert: [] }]]);
}
const address = { host: '127.0.0.1', port: 1 };

describe('makePeers', () => {
  let observations: PeerObservation[];
  /** Who was reachable after each change of that. */
  let reached: string[];
  let dials: PromiseWithResolvers<DialOutcome>[];
  let answer: (() => DialOutcome) | undefined;
  let peers: ReturnType<typeof makePeers>;

  beforeEach(() => {
    observations = [];
    reached = [];
    dials = [];
    answer = undefined;
    peers = makePeers({
      dial() {
        const dial = Promise.withResolvers<DialOutcome>();
        dials.push(dial);
        if (answer !== undefined) dial.resolve(answer());
        return dial.promise;
      },
      onChange: (observation) => observations.push(observation),
      onReachable: () => reached.push([...peers.reachable].join()),
    });
  });
  afterEach(() => peers.close());

  it('sessions with two installations of one name → both are told, sorted; with none → nothing is', () => {
    peers.apply(routes());
    const [first, second] = ['two', 'one'].map((epoch) => makeSession({ hello: { ...makeSession().hello, epoch } }));
    assert.ok(first !== undefined && second !== undefined);
    peers.add(first);
    assert.deepEqual(observations.at(-1)?.epochs, ['two/i']);
    peers.add(second);
    assert.deepEqual(observations.at(-1)?.epochs, ['one/i', 'two/i']);
    for (const session of [first, second]) peers.changed(session, { error: undefined });
    assert.equal(observations.at(-1)?.epochs, undefined);
  });

  for (const [instances, epochs] of [
    [['a.1', 'a.2'], ['e/a']],
    [
      ['a.1', 'b.1'],
      ['e/a', 'e/b'],
    ],
  ] as const) {
    it(`workers ${instances.join(' and ')} of one installation → ${epochs.length} processes`, () => {
      peers.apply(routes());
      const features = [REPLICAS_FEATURE, WORKERS_FEATURE];
      for (const instance of instances) {
        peers.add(makeSession({ hello: { ...makeSession().hello, epoch: 'e', instance, features } }));
      }
      assert.deepEqual(observations.at(-1)?.epochs, epochs);
    });
  }

  for (const [what, features, epochs] of [
    ['a peer without replicas, as a copy of its disk would make them', [], ['e/a', 'e/b']],
    ['a peer with replicas', [REPLICAS_FEATURE], ['e']],
  ] as const) {
    it(`two processes of one installation of ${what} → ${epochs.join(' and ')}`, () => {
      peers.apply(routes());
      for (const instance of ['b', 'a']) {
        peers.add(makeSession({ hello: { ...makeSession().hello, instance, features } }));
      }
      assert.deepEqual(observations.at(-1)?.epochs, epochs);
    });
  }

  it('a peer that takes sessions and drops them at once → dialled with growing waits, not in a hot loop', async () => {
    answer = () => {
      const session = makeSession();
      setImmediate(() => peers.changed(session, { error: undefined }));
      return { ok: true, session };
    };
    peers.apply(routes(address));
    const startMs = performance.now();
    await waitFor('it is dialled again and again', () => dials.length === 4);
    assert.ok(performance.now() - startMs > 300, `${performance.now() - startMs} ms`);
  });

  it('removed and added again while it is dialled → the late session is dropped, one dialling is left', async () => {
    peers.apply(routes(address));
    peers.apply(new Map());
    assert.deepEqual(observations.at(-1), {
      name: 'east',
      sessions: 0,
      reason: 'PEER_UNKNOWN',
      message: 'Its Peer object is gone.',
    });
    peers.apply(routes(address));
    assert.equal(dials.length, 2);
    const [late, present] = [makeSession(), makeSession()];
    dials[0]?.resolve({ ok: true, session: late });
    await waitFor('it is dropped', () => late.destroyed);
    dials[1]?.resolve({ ok: true, session: present });
    await waitFor('it is taken', () => peers.linkFor('east') === present);
    assert.equal(dials.length, 2);
  });

  it('moved while it is dialled → the old address is given up, the new one is dialled once', async () => {
    peers.apply(routes(address));
    peers.apply(routes({ ...address, port: 2 }));
    assert.equal(dials.length, 2);
    dials[0]?.resolve({ ok: false, reason: 'PEER_UNREACHABLE', message: 'given up' });
    dials[1]?.resolve({ ok: true, session: makeSession() });
    await waitFor('it is reachable', () => peers.reachable.has('east'));
    assert.equal(dials.length, 2);
    assert.ok(!observations.some(({ message }) => message === 'given up'));
  });

  const instance = (name: string, features: string[] = []): FakeSession =>
    makeSession({ hello: { peer: 'east', epoch: 'e', instance: name, version: '1.0.0', features, streams: 10 } });

  it('two addresses → a session is kept to each, and the loss of one dials that one alone', async () => {
    peers.apply(routes(address, { ...address, port: 2 }));
    const [one, two] = [instance('a'), instance('b')];
    dials[0]?.resolve({ ok: true, session: one });
    dials[1]?.resolve({ ok: true, session: two });
    await waitFor('both are there', () => peers.links().length === 2);
    one.draining = true;
    peers.changed(one, undefined);
    assert.ok(peers.reachable.has('east'));
    await waitFor('it is dialled again', () => dials.length === 3);
    assert.equal(peers.linkFor('east'), two);
  });

  it('a peer with replicas → another instance is looked for, the same one again is closed, and at rest after a while', async () => {
    const closed: string[] = [];
    let count = 0;
    answer = () => {
      const session = instance(count++ === 3 ? 'b' : 'a', ['replicas']);
      return { ok: true, session: { ...session, close: () => void closed.push(session.hello.instance) } };
    };
    peers.apply(routes(address));
    await waitFor('both instances are there', () => peers.links().length === 2);
    assert.deepEqual(closed, ['a', 'a']);
    assert.deepEqual(
      peers.links().map(({ hello }) => hello.instance),
      ['a', 'b'],
    );
    assert.equal(dials.length, 4);
  });

  it(`one instance → ${SESSIONS_BY_LOAD_MAX} sessions; first and second ones of others → ${SESSIONS_PER_PEER_MAX} in all`, () => {
    peers.apply(routes());
    for (let count = 0; count < SESSIONS_BY_LOAD_MAX; count++) assert.ok(peers.add(instance('a')));
    assert.equal(peers.add(instance('a')), false);
    for (let count = SESSIONS_BY_LOAD_MAX; count < SESSIONS_PER_PEER_MAX; count++) {
      assert.ok(peers.add(instance(`b${count >> 1}`)));
    }
    assert.equal(peers.add(instance('c')), false);
  });

  it('as many as load may have, and those of one instance are retired → room for its next ones', () => {
    peers.apply(routes());
    const first = Array.from({ length: SESSIONS_BY_LOAD_MAX }, () => instance('a'));
    for (const session of first) assert.ok(peers.add(session));
    for (const session of first) session.retire();
    assert.ok(peers.add(instance('a')) && peers.add(instance('a')));
    assert.equal(peers.add(instance('a')), false, 'what load asks for waits until they have ended');
    for (const session of first) peers.changed(session, { error: undefined });
    assert.ok(peers.add(instance('a')));
  });

  it('the only session carries bulk for long enough → another one is dialled; it ends at once → told, and not dialled again', async () => {
    const refused: string[] = [];
    peers.close();
    dials = [];
    peers = makePeers({
      dial() {
        const dial = Promise.withResolvers<DialOutcome>();
        dials.push(dial);
        return dial.promise;
      },
      onChange: () => undefined,
      onReachable: () => undefined,
      onFurtherRefused: (peer) => refused.push(peer),
      demandTimings: { furtherAfterMs: 1, fewerAfterMs: 1 },
    });
    peers.apply(routes(address));
    const [session, further] = [makeSession({ busy: true }), makeSession()];
    dials[0]?.resolve({ ok: true, session });
    await waitFor('another one is dialled', () => dials.length === 2);
    dials[1]?.resolve({ ok: true, session: further });
    await waitFor('it is there', () => peers.links().length === 2);
    peers.changed(further, { error: undefined });
    assert.deepEqual([refused, peers.links(), dials.length], [['east'], [session], 2]);
  });

  it('two that are free for long enough → the newest is retired over which nothing but the exchange goes', async () => {
    const retired: PeerLink[] = [];
    peers.close();
    const made = [makeSession({ busy: true }), makeSession({ streams: 2 })];
    const [first, second] = made;
    assert.ok(first !== undefined && second !== undefined);
    const left = [...made];
    peers = makePeers({
      dial() {
        const session = left.shift();
        return session === undefined ? new Promise(() => undefined) : Promise.resolve({ ok: true, session });
      },
      onChange: () => undefined,
      onReachable: () => undefined,
      exchangesOver: () => 1,
      onRetired: (session) => retired.push(session),
      demandTimings: { furtherAfterMs: 0, fewerAfterMs: 0 },
    });
    peers.apply(routes(address));
    await waitFor('there are two', () => peers.links().length === 2);
    [first.busy, first.streams] = [false, 2];
    second.streams = 1;
    await waitFor('one is retired', () => retired.length > 0);
    assert.deepEqual([retired, first.draining], [[second], false]);
  });

  it('another instance takes streams, and was not tried → a replica; the same instance, or one that drains → none', () => {
    peers.apply(routes());
    const [one, same, other] = [instance('a'), instance('a'), instance('b')];
    assert.ok(peers.add(one) && peers.add(same));
    assert.equal(peers.hasReplicaOf(one, new Set()), false);
    assert.ok(peers.add(other));
    assert.deepEqual(
      [peers.hasReplicaOf(one, new Set([one])), peers.hasReplicaOf(one, new Set([other]))],
      [true, false],
    );
    other.retire();
    assert.equal(peers.hasReplicaOf(one, new Set()), false);
  });

  it('one was tried → one with another instance is next, however near its siblings are; then these', async () => {
    peers.apply(routes());
    const [first, sibling, other] = [instance('a'), instance('a'), instance('b')];
    [first.rttMs, sibling.rttMs, other.rttMs] = [1, 2, 90];
    for (const session of [first, sibling, other]) assert.ok(peers.add(session));
    const next = (...tried: PeerLink[]): ReturnType<typeof peers.nextLink> =>
      peers.nextLink('east', { tried: new Set(tried), signal: () => assert.fail('nobody waits') });
    assert.equal(await next(), first);
    assert.equal(await next(first), other);
    assert.equal(await next(first, other), sibling);
    assert.equal(await next(first, other, sibling), undefined);
  });

  it('one of two replicas goes → still reachable, and nobody is told that it was not', () => {
    peers.apply(routes());
    const [one, two] = [instance('a'), instance('b')];
    peers.add(one);
    peers.add(two);
    observations.length = 0;
    peers.changed(one, { error: undefined });
    assert.deepEqual(
      observations.map(({ sessions, version }) => [sessions, version]),
      [[1, '1.0.0']],
    );
  });

  describe('the last session is lost', () => {
    let waiting: ReturnType<ReturnType<typeof makePeers>['nextLink']>;
    let tried: Set<PeerLink>;

    beforeEach(async () => {
      peers.apply(routes(address));
      const session = makeSession();
      dials[0]?.resolve({ ok: true, session });
      await waitFor('it is reachable', () => peers.isConnected('east'));
      peers.changed(session, { error: undefined });
      tried = new Set();
      waiting = peers.nextLink('east', { tried, signal: () => new AbortController().signal });
      assert.deepEqual([peers.isConnected('east'), [...peers.reachable]], [false, ['east']]);
    });

    it('another is made → who waits gets it, and nobody was told that the peer was out of reach', async () => {
      const session = makeSession();
      assert.ok(peers.add(session));
      assert.equal(await waiting, session);
      assert.deepEqual(reached, ['east']);
      tried.add(session);
      assert.equal(await peers.nextLink('east', { tried, signal: () => assert.fail('there is one') }), undefined);
    });

    it('it cannot be dialled → out of reach at once, and nobody waits on', async () => {
      await waitFor('it is dialled', () => dials.length === 2);
      dials[1]?.resolve({ ok: false, reason: 'PEER_UNREACHABLE', message: 'refused' });
      assert.equal(await waiting, undefined);
      assert.deepEqual(reached, ['east', '']);
    });

    it('nothing is known → out of reach after a second', async () => {
      const startMs = performance.now();
      assert.equal(await waiting, undefined);
      assert.ok(performance.now() - startMs >= 900);
      assert.deepEqual(reached, ['east', '']);
    });

    it('it fell silent → out of reach at once: it was waited for long enough', async () => {
      const silent = makeSession();
      assert.ok(peers.add(silent));
      reached = [];
      peers.changed(silent, { error: new AppError('ERR_TIMEOUT', 'session: nothing received') });
      assert.deepEqual(reached, ['']);
      assert.equal(await peers.nextLink('east', { tried, signal: () => assert.fail('nobody waits') }), undefined);
    });

    it('one of two fell silent → still reachable by the other', () => {
      const silent = makeSession();
      assert.ok(peers.add(silent) && peers.add(makeSession()));
      reached = [];
      peers.changed(silent, { error: new AppError('ERR_TIMEOUT', 'session: nothing received') });
      assert.deepEqual(reached, []);
    });

    it('who waits leaves → the wait ends', async () => {
      const leaving = new AbortController();
      const mine = peers.nextLink('east', { tried, signal: () => leaving.signal });
      leaving.abort();
      assert.equal(await mine, undefined);
      assert.deepEqual(reached, ['east']);
    });

    it('its Peer object goes → out of reach at once', async () => {
      peers.apply(new Map());
      assert.equal(await waiting, undefined);
      assert.deepEqual(reached, ['east', '']);
    });
  });

  it('a session for a peer that is gone → not taken', () => {
    assert.equal(peers.add(makeSession()), false);
  });

  it('a session has left a stream without an answer → it comes after the others, and is not left out', () => {
    peers.apply(routes());
    const [near, far] = [makeSession({ rttMs: 1 }), makeSession({ rttMs: 9 })];
    assert.ok(peers.add(near) && peers.add(far));
    peers.passOver(near);
    assert.deepEqual(peers.linksFor('east'), [far, near]);
    far.full = true;
    assert.deepEqual(peers.linksFor('east'), [near, far], 'one that is full takes nothing at all');
  });

  it('the nearest carries bulk → one that is about as near comes first, one that is far does not', () => {
    peers.apply(routes());
    const [near, other, far] = [makeSession({ rttMs: 1 }), makeSession({ rttMs: 9 }), makeSession({ rttMs: 90 })];
    for (const session of [near, other, far]) assert.ok(peers.add(session));
    near.busy = true;
    assert.deepEqual(peers.linksFor('east'), [other, near, far]);
    other.busy = true;
    assert.deepEqual(peers.linksFor('east'), [near, other, far]);
  });

  it('several sessions → the nearest that has room; a full one only when all are; a draining one never', () => {
    peers.apply(routes());
    const [near, far, draining] = [
      makeSession({ rttMs: 1 }),
      makeSession({ rttMs: 90 }),
      makeSession({ rttMs: 0, draining: true }),
    ];
    for (const session of [far, draining, near]) assert.ok(peers.add(session));
    assert.equal(peers.linkFor('east'), near);
    near.full = true;
    assert.equal(peers.linkFor('east'), far);
    far.draining = true;
    assert.equal(peers.linkFor('east'), near);
  });
});
