import assert from 'node:assert/strict';
import { REASONS } from '#src/api/reasons.ts';
import { startControl, type Control } from '#src/gateway/control.ts';
import type { EjectionChange } from '#src/gateway/ejection.ts';
import type { DownMessage, UpMessage } from '#src/gateway/messages.ts';
import { compilePolicies } from '#src/policy/compile.ts';
import { makeChannelPair, type ChannelEnd } from '#src/runtime/channel.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { closeCaches, COMMON_KINDS, openCaches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import { waitFor } from '#test/support/wait.ts';

describe('startControl', () => {
  let control: Control;
  let plane: ChannelEnd<UpMessage, DownMessage>;
  let told: EjectionChange[];
  let time: string;
  let close: () => Promise<void>;

  beforeEach(async () => {
    const store = makeMemoryStore();
    const caches = openCaches(store, COMMON_KINDS);
    await Promise.all(Object.values(caches).map(({ synced }) => synced));
    const channel = makeChannelPair<DownMessage, UpMessage>();
    plane = channel.child;
    told = [];
    time = '2026-11-20T12:00:00Z';
    control = startControl({
      self: 'west',
      home: { kind: 'standalone' },
      store,
      caches,
      allowedNamespaces: [],
      channel: channel.parent,
      logger: makeSilentLogger(),
      now: () => time,
      events: {
        onFastPath: () => undefined,
        onPeer: () => undefined,
        onOpened: () => undefined,
        onClosed: () => undefined,
        onRefused: () => undefined,
        onLimits: () => undefined,
        onEjection: (change) => told.push(change),
        onSnapshot: () => undefined,
        onExchange: () => undefined,
      },
    });
    close = async () => {
      await control.close();
      channel.parent.close();
      closeCaches(caches);
      await store.close();
    };
  });
  afterEach(() => close());

  it('a source is ejected → since when and why; it is back → nothing any more', async () => {
    const source = { peer: 'east', namespace: 'shop', name: 'db' };
    const ejected = { reason: REASONS.DialFailed, message: 'refused' };
    plane.post({ kind: 'ejection', change: { source, ejected } });
    await waitFor('it is heard', () => told.length === 1);
    time = '2026-11-20T13:00:00Z';
    assert.deepEqual(control.ejectionOf(source), { ...ejected, since: '2026-11-20T12:00:00Z' });
    assert.equal(control.ejectionOf({ ...source, name: 'web' }), undefined);
    plane.post({ kind: 'ejection', change: { source } });
    await waitFor('it is heard', () => told.length === 2);
    assert.equal(control.ejectionOf(source), undefined);
  });

  it('other policies → the data plane is asked what it would cut, and its answer is given; a second question waits its turn', async () => {
    const asked: DownMessage[] = [];
    plane.onMessage((message) => void asked.push(message));
    const policies = compilePolicies({ privileged: [], regular: [], baseline: [] });
    const foreseen = control.foresee(policies);
    await assert.rejects(async () => control.foresee(policies), { code: 'ERR_BOUND_EXCEEDED', retryable: true });
    const question = await waitFor('it is asked', () => asked.find(({ kind }) => kind === 'foresee'));
    assert.ok(question.kind === 'foresee');
    assert.deepEqual(question.policies, policies);
    const foresight = { open: 1, cuts: [], cutsTotal: 0, unasked: 0, admissions: [] };
    plane.post({ kind: 'foreseen', id: 'another', foresight: { ...foresight, open: 2 } });
    plane.post({ kind: 'foreseen', id: question.id, foresight });
    assert.deepEqual(await foreseen, foresight);
  });
});
