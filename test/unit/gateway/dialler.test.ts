import assert from 'node:assert/strict';
import { startDialler, type Dialler, type DialOutcome } from '#src/gateway/dialler.ts';
import { RETIRED_PER_ADDRESS_MAX, SESSIONS_BY_LOAD_MAX } from '#src/gateway/limits.ts';
import type { PeerLink } from '#src/gateway/link.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeSession as makeFakeSession, type FakeSession } from './fake-session.ts';

/** One instance, if not said otherwise: whatever is dialled, it is the same gateway. */
function makeSession(instance = 'i', features: string[] = []): FakeSession {
  const session = makeFakeSession();
  return Object.assign(session, { hello: { ...session.hello, instance, features } });
}

describe('startDialler', () => {
  let dials: PromiseWithResolvers<DialOutcome>[];
  let added: PeerLink[];
  let retired: PeerLink[];
  /** Those that the peer has dialled. */
  let theirs: PeerLink[];
  let refused: number;
  let dialler: Dialler;
  let lookUp: (() => Promise<readonly string[]> | undefined) | undefined;

  beforeEach(() => {
    dials = [];
    added = [];
    retired = [];
    theirs = [];
    refused = 0;
    lookUp = undefined;
    dialler = startDialler({
      dial() {
        const dial = Promise.withResolvers<DialOutcome>();
        dials.push(dial);
        return dial.promise;
      },
      add: (session) => added.push(session) > 0,
      isUrgent: () => added.length === 0,
      onFailure: () => undefined,
      lookUp: () => lookUp?.(),
      retire(session) {
        session.retire();
        retired.push(session);
      },
      present: () => [...added, ...theirs],
      isIdle: (session) => session.form === 'session' && session.streams === 0,
      onFurtherRefused: () => refused++,
      demandTimings: { furtherAfterMs: 0, fewerAfterMs: 0 },
      resolveIntervalMs: 5,
    });
    dialler.refresh();
  });
  afterEach(() => dialler.close());

  /** The session that was asked for last is there. */
  async function answer(session: FakeSession, address?: string): Promise<FakeSession> {
    const dial = dials.at(-1);
    assert.ok(dial !== undefined);
    dial.resolve({ ok: true, session, ...(address === undefined ? {} : { address }) });
    await waitFor('it is taken', () => added.at(-1) === session);
    return session;
  }

  it('replaced → the old one serves until the new one is there, then it is retired', async () => {
    const old = await answer(makeSession());
    dialler.replace(() => true);
    assert.deepEqual([dials.length, old.draining], [2, false]);
    await answer(makeSession());
    assert.deepEqual([retired, old.draining], [[old], true]);
    assert.equal(dials.length, 2);
  });

  it('its successor cannot be dialled → the old one serves on, and the next dial is tried', async () => {
    const old = await answer(makeSession());
    dialler.replace(() => true);
    dials.at(-1)?.resolve({ ok: false, reason: 'PEER_UNREACHABLE', message: 'no' });
    await waitFor('it is dialled again', () => dials.length === 3);
    assert.deepEqual([retired, old.draining], [[], false]);
    await answer(makeSession());
    assert.deepEqual(retired, [old]);
  });

  it('none is meant → nothing is dialled', async () => {
    await answer(makeSession());
    dialler.replace(() => false);
    assert.equal(dials.length, 1);
  });

  it('meant twice while it is replaced → one successor', async () => {
    const old = await answer(makeSession());
    dialler.replace(() => true);
    dialler.replace((session) => session === old);
    await answer(makeSession());
    assert.deepEqual([dials.length, retired], [2, [old]]);
  });

  it('it ends before its successor is there → that one is the session', async () => {
    const old = await answer(makeSession());
    dialler.replace(() => true);
    dialler.ended(old, { young: false });
    await answer(makeSession());
    assert.deepEqual([dials.length, retired], [2, []]);
  });

  it('two replicas, one of them meant → the other one stands in at once, and a spare is looked for', async () => {
    const one = await answer(makeSession('one', ['replicas']));
    await waitFor('a second one is looked for', () => dials.length === 2);
    await answer(makeSession('two', ['replicas']));
    dialler.replace((session) => session === one);
    assert.deepEqual(retired, [one]);
    await waitFor('a third one is looked for', () => dials.length === 3);
  });

  it(`${RETIRED_PER_ADDRESS_MAX} retired ones still have streams → the next one waits until one of these has ended`, async () => {
    const sessions = [await answer(makeSession())];
    for (let count = 0; count < RETIRED_PER_ADDRESS_MAX; count++) {
      dialler.replace(() => true);
      sessions.push(await answer(makeSession()));
    }
    dialler.replace(() => true);
    assert.equal(dials.length, 1 + RETIRED_PER_ADDRESS_MAX);
    const [first] = sessions;
    assert.ok(first !== undefined);
    dialler.ended(first, { young: false });
    dialler.refresh();
    await answer(makeSession());
    assert.equal(retired.length, 1 + RETIRED_PER_ADDRESS_MAX);
  });

  it('the name leads elsewhere → replaced by a session there, once', async () => {
    let answers = ['192.0.2.1'];
    let looks = 0;
    lookUp = () => {
      looks++;
      return Promise.resolve(answers);
    };
    const old = await answer(makeSession(), '192.0.2.1');
    await waitFor('it was looked up', () => looks > 3);
    assert.equal(dials.length, 1);
    answers = ['192.0.2.2'];
    await waitFor('it is dialled anew', () => dials.length === 2);
    assert.deepEqual(retired, []);
    await answer(makeSession(), '192.0.2.2');
    assert.deepEqual(retired, [old]);
    const before = looks;
    await waitFor('it was looked up again', () => looks > before + 5);
    assert.equal(dials.length, 2);
  });

  it('the resolver fails, or the session was dialled by no name → nothing changes', async () => {
    let looks = 0;
    lookUp = () => {
      looks++;
      return Promise.reject(new Error('EAI_AGAIN'));
    };
    await answer(makeSession(), '192.0.2.1');
    await waitFor('it was looked up', () => looks > 5);
    assert.deepEqual([dials.length, retired], [1, []]);
  });

  /** As many as are wanted while each carries bulk. */
  async function answerAll(count: number, instance?: string): Promise<FakeSession[]> {
    const made = [await answer(makeSession(instance))];
    while (made.length < count) {
      for (const session of made) session.busy = true;
      dialler.lookAtLoad();
      made.push(await answer(makeSession(instance)));
    }
    for (const session of made) session.busy = false;
    return made;
  }

  describe('what its sessions carry', () => {
    it('nothing → nothing is dialled, nothing is retired', async () => {
      await answer(makeSession());
      for (let look = 0; look < 3; look++) dialler.lookAtLoad();
      assert.deepEqual([dials.length, retired], [1, []]);
    });

    it('bulk on the only one → another one with the same instance is dialled and taken, and no third one', async () => {
      await answerAll(2);
      dialler.lookAtLoad();
      assert.deepEqual([dials.length, added.length], [2, 2]);
    });

    it('bulk, and the peer has dialled one that is free → nothing; another process of it has → dialled', async () => {
      const session = await answer(makeSession());
      session.busy = true;
      theirs = [makeSession()];
      dialler.lookAtLoad();
      assert.equal(dials.length, 1);
      theirs = [makeSession('another')];
      dialler.lookAtLoad();
      assert.equal(dials.length, 2);
    });

    it('bulk is over before the other one is there → that one is closed', async () => {
      const session = await answer(makeSession());
      session.busy = true;
      dialler.lookAtLoad();
      session.busy = false;
      dialler.lookAtLoad();
      let closed = 0;
      dials.at(-1)?.resolve({ ok: true, session: { ...makeSession(), close: () => closed++ } });
      await waitFor('it is closed', () => closed === 1);
      assert.deepEqual([dials.length, added.length], [2, 1]);
    });

    it('the other one cannot be dialled → tried again later; that which is there is left alone', async () => {
      const session = await answer(makeSession());
      session.busy = true;
      dialler.lookAtLoad();
      dials.at(-1)?.resolve({ ok: false, reason: 'PEER_UNREACHABLE', message: 'no' });
      const startMs = performance.now();
      await waitFor('it is dialled again', () => dials.length === 3);
      assert.ok(performance.now() - startMs > 50, 'not at once');
      assert.deepEqual([retired, session.destroyed], [[], false]);
    });

    it('the peer ends the other one at once → told once, and not asked again', async () => {
      const [first, second] = await answerAll(2);
      assert.ok(first !== undefined && second !== undefined);
      first.busy = true;
      added.pop();
      dialler.ended(second, { young: true });
      dialler.refresh();
      for (let look = 0; look < 3; look++) dialler.lookAtLoad();
      assert.deepEqual([refused, dials.length], [1, 2]);
    });

    it('after that the first one is lost → dialled at once', async () => {
      const [first, second] = await answerAll(2);
      assert.ok(first !== undefined && second !== undefined);
      dialler.ended(second, { young: true });
      dialler.ended(first, { young: false });
      dialler.refresh();
      assert.deepEqual([refused, dials.length], [1, 3]);
    });

    it(`${SESSIONS_BY_LOAD_MAX} in all, the peer's among them → no further one, whatever they carry`, async () => {
      const made = await answerAll(3);
      for (const session of made) session.busy = true;
      theirs = Array.from({ length: SESSIONS_BY_LOAD_MAX - 3 }, (_, index) => makeSession(`other-${index}`));
      dialler.lookAtLoad();
      assert.equal(dials.length, 3);
      theirs.pop();
      dialler.lookAtLoad();
      assert.equal(dials.length, 4);
    });

    it('the load is gone → one at a look, the newest without streams; the last one stays', async () => {
      const [first, second, third, fourth] = await answerAll(4);
      assert.ok(third !== undefined);
      third.streams = 1;
      for (let look = 0; look < 5; look++) dialler.lookAtLoad();
      assert.deepEqual(retired, [fourth, second, first]);
      assert.equal(third.draining, false);
    });

    it('the load is gone, and streams are open in each → each stays', async () => {
      for (const session of await answerAll(3)) session.streams = 1;
      for (let look = 0; look < 5; look++) dialler.lookAtLoad();
      assert.deepEqual(retired, []);
    });

    it('two instances of a peer with replicas, nothing to do → both stay', async () => {
      await answer(makeSession('one', ['replicas']));
      await waitFor('a second one is looked for', () => dials.length === 2);
      await answer(makeSession('two', ['replicas']));
      for (let look = 0; look < 3; look++) dialler.lookAtLoad();
      assert.deepEqual([dials.length, retired], [2, []]);
    });

    it('both carry bulk → a further one, with whichever instance answers; it is the first to go', async () => {
      const made = [await answer(makeSession('one', ['replicas']))];
      await waitFor('a second one is looked for', () => dials.length === 2);
      made.push(await answer(makeSession('two', ['replicas'])));
      for (const session of made) session.busy = true;
      dialler.lookAtLoad();
      const third = await answer(makeSession('one', ['replicas']));
      for (const session of made) session.busy = false;
      for (let look = 0; look < 3; look++) dialler.lookAtLoad();
      assert.deepEqual([dials.length, retired], [3, [third]]);
    });
  });

  it('three for their load, all meant → two are retired at once, the oldest when its successor is there', async () => {
    const [first, second, third] = await answerAll(3);
    dialler.replace(() => true);
    assert.deepEqual(retired, [second, third]);
    const successor = await answer(makeSession());
    assert.deepEqual([retired, dials.length], [[second, third, first], 4]);
    dialler.lookAtLoad();
    assert.equal(successor.draining, false);
  });

  it('its address is the peer’s no more → one session of each instance goes on, and none is dialled', async () => {
    const [first, second] = await answerAll(2);
    dialler.leave();
    assert.deepEqual(retired, [second]);
    assert.ok(first !== undefined);
    dialler.ended(first, { young: false });
    dialler.refresh();
    assert.equal(dials.length, 2);
  });
});
