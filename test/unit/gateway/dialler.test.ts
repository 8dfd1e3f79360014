import assert from 'node:assert/strict';
import { startDialler, type Dialler, type DialOutcome } from '#src/gateway/dialler.ts';
import { INSTANCES_PER_ADDRESS } from '#src/gateway/limits.ts';
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
  let dialler: Dialler;
  let lookUp: (() => Promise<readonly string[]> | undefined) | undefined;

  beforeEach(() => {
    dials = [];
    added = [];
    retired = [];
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

  it(`${INSTANCES_PER_ADDRESS} retired ones still have streams → the next one waits until one of these has ended`, async () => {
    const sessions = [await answer(makeSession())];
    for (let count = 0; count < INSTANCES_PER_ADDRESS; count++) {
      dialler.replace(() => true);
      sessions.push(await answer(makeSession()));
    }
    dialler.replace(() => true);
    assert.equal(dials.length, 1 + INSTANCES_PER_ADDRESS);
    const [first] = sessions;
    assert.ok(first !== undefined);
    dialler.ended(first, { young: false });
    dialler.refresh();
    await answer(makeSession());
    assert.equal(retired.length, 1 + INSTANCES_PER_ADDRESS);
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
});
