import assert from 'node:assert/strict';
import { makeChannelPair } from '#src/runtime/channel.ts';
import { CHANNEL_MESSAGES_MAX } from '#src/runtime/limits.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('makeChannelPair', () => {
  it('messages both ways → in order, on a later turn, as copies', async () => {
    const { parent, child } = makeChannelPair<{ n: number }, string>();
    const down: { n: number }[] = [];
    const up: string[] = [];
    child.onMessage((message) => down.push(message));
    parent.onMessage((message) => up.push(message));
    const message = { n: 1 };
    parent.post(message);
    message.n = 99;
    parent.post({ n: 2 });
    child.post('x');
    assert.deepEqual([down, up], [[], []]);
    await turn();
    assert.deepEqual([down, up], [[{ n: 1 }, { n: 2 }], ['x']]);
  });

  it('maps, sets and bytes → arrive as such', async () => {
    const { parent, child } = makeChannelPair<unknown, never>();
    const heard: unknown[] = [];
    child.onMessage((message) => heard.push(message));
    const message = { map: new Map([['a', new Set([1])]]), bytes: new Uint8Array([1, 2]) };
    parent.post(message);
    await turn();
    assert.deepEqual(heard, [message]);
  });

  it('a record in a record → a copy of both, and what lies deeper is one too', async () => {
    const { parent, child } = makeChannelPair<unknown, never>();
    const heard: unknown[] = [];
    child.onMessage((message) => heard.push(message));
    const message = {
      kind: 'closed',
      record: { reason: 'DONE', sentBytes: 1, within: { list: [1] } },
      none: undefined,
    };
    const before = structuredClone(message);
    parent.post(message);
    parent.post({ kind: 'closed', record: message.record.within });
    message.record.reason = 'changed';
    message.record.within.list.push(2);
    await turn();
    assert.deepEqual(heard, [before, { kind: 'closed', record: { list: [1] } }]);
  });

  it('a record with a key "__proto__" → arrives as a key', async () => {
    const { parent, child } = makeChannelPair<unknown, never>();
    const heard: unknown[] = [];
    child.onMessage((message) => heard.push(message));
    parent.post({ labels: JSON.parse('{"__proto__": "x"}') as unknown });
    await turn();
    assert.deepEqual(Object.entries((heard[0] as { labels: object }).labels), [['__proto__', 'x']]);
  });

  it('a message that cannot be cloned → throws at post, and nothing is sent', async () => {
    const { parent, child } = makeChannelPair<unknown, never>();
    let heard = 0;
    child.onMessage(() => heard++);
    assert.throws(() => parent.post({ callback: () => undefined }), { name: 'DataCloneError' });
    await turn();
    assert.equal(heard, 0);
  });

  it('posted before anybody listens → waits for the listener', async () => {
    const { parent, child } = makeChannelPair<number, never>();
    parent.post(1);
    await turn();
    const heard: number[] = [];
    child.onMessage((message) => heard.push(message));
    parent.post(2);
    await turn();
    assert.deepEqual(heard, [1, 2]);
  });

  it('posted by a listener → the next turn, so that two ends that answer each other starve nobody', async () => {
    const { parent, child } = makeChannelPair<number, number>();
    let count = 0;
    child.onMessage((n) => child.post(n + 1));
    parent.onMessage((n) => {
      count = n;
      if (n < 5) parent.post(n);
    });
    parent.post(0);
    let turns = 0;
    for (; count < 5; turns++) await turn();
    assert.ok(turns >= 5);
  });

  it('closed by one end → what it had posted arrives, then the other hears of the end, once', async () => {
    const { parent, child } = makeChannelPair<string, string>();
    const heard: string[] = [];
    child.onMessage((message) => heard.push(message));
    child.onClose(() => heard.push('closed'));
    child.post('too late');
    parent.onMessage(() => assert.fail('a closed end hears nothing'));
    parent.onClose(() => assert.fail('it closed itself'));
    parent.post('last');
    parent.close();
    parent.close();
    parent.post('after');
    child.post('nobody');
    await turn();
    await turn();
    assert.deepEqual(heard, ['last', 'closed']);
  });

  it('closed inside a listener → the rest of the batch is dropped', async () => {
    const { parent, child } = makeChannelPair<number, never>();
    const heard: number[] = [];
    child.onMessage((message) => {
      heard.push(message);
      child.close();
    });
    parent.post(1);
    parent.post(2);
    await turn();
    await turn();
    assert.deepEqual(heard, [1]);
  });

  it(`${CHANNEL_MESSAGES_MAX} messages wait → taken, one more → ERR_BOUND_EXCEEDED`, () => {
    const { parent } = makeChannelPair<number, never>();
    for (let i = 0; i < CHANNEL_MESSAGES_MAX; i++) parent.post(i);
    assert.throws(() => parent.post(0), { code: 'ERR_BOUND_EXCEEDED' });
    parent.close();
  });
});
