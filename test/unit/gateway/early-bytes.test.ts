import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { makeAccount, type PeerAccount } from '#src/gateway/account.ts';
import { isFresh, isSpent, makeEarlyBytes, type EarlyBytes, type Ending } from '#src/gateway/early-bytes.ts';
import { EARLY_BYTES_MAX, EARLY_HEARD_MS } from '#src/gateway/limits.ts';
import { countKept, KEPT_FEW } from '#test/support/kept.ts';

describe('isSpent', () => {
  const endings: Record<Ending, boolean> = {
    refused: false,
    unserved: false,
    cut: true,
    reset: true,
    'session-lost': true,
    overdue: true,
    malformed: true,
    revoked: true,
  };
  for (const [ending, want] of Object.entries(endings) as [Ending, boolean][]) {
    it(`${ending}, a byte was sent → ${want ? 'nobody else gets it' : 'the next source gets it'}; none was → the next source`, () => {
      assert.deepEqual([isSpent({ ending, sentBytes: 1 }), isSpent({ ending, sentBytes: 0 })], [want, false]);
    });
  }
});

describe('isFresh', () => {
  for (const [silentMs, rttMs, want] of [
    [0, undefined, true],
    [EARLY_HEARD_MS, undefined, true],
    [EARLY_HEARD_MS + 1, undefined, false],
    [EARLY_HEARD_MS + 200, 100, true],
    [EARLY_HEARD_MS + 201, 100, false],
  ] as const) {
    it(`silent for ${silentMs} ms, round trip ${rttMs} → ${want}`, () => {
      assert.equal(isFresh({ silentMs, rttMs }), want);
    });
  }
});

/** What is pushed is what a client says; what is written is kept as text. */
function makeSide(): Duplex & { readonly got: Buffer[] } {
  const got: Buffer[] = [];
  const side = new Duplex({
    allowHalfOpen: true,
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      got.push(chunk);
      done();
    },
  });
  return Object.assign(side, { got });
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('makeEarlyBytes', () => {
  let client: Duplex;
  let memory: PeerAccount;
  let early: EarlyBytes;
  beforeEach(() => {
    client = makeSide().pause();
    memory = makeAccount().of('east');
    early = makeEarlyBytes(client as Socket);
  });
  afterEach(() => client.destroy());

  const giveTo = (stream: Duplex, mayPass = (): boolean => true) =>
    early.give({ stream, memory, mayPass, evict: () => assert.fail('there is room') });
  const textOf = ({ got }: { readonly got: readonly Buffer[] }): string => Buffer.concat(got).toString();

  it('nobody is asked → nothing is read', async () => {
    client.push('early');
    await turn();
    assert.deepEqual([client.readableLength, early.sentBytes, memory.bytes], [5, 0, 0]);
  });

  it('one is asked → it gets what is there and what comes, and as much is on the account', async () => {
    const east = makeSide();
    client.push('one ');
    const gift = giveTo(east);
    await turn();
    client.push('two');
    await turn();
    assert.deepEqual([textOf(east), gift.sentBytes, early.sentTo(east)], ['one two', 7, 7]);
    assert.ok(memory.bytes >= 7 && memory.bytes <= 14, `${memory.bytes} bytes`);
    gift.stop();
    assert.equal(client.isPaused(), true);
    early.release();
    assert.deepEqual([memory.bytes, early.sentBytes], [0, 7]);
  });

  it('between two sources → on the account of the first, until the next is asked, then on that one’s; handed over → on neither', async () => {
    const south = makeAccount().of('south');
    client.push('one');
    const first = giveTo(makeSide());
    await turn();
    first.stop();
    assert.ok(memory.bytes >= 3);
    const side = makeSide();
    const second = early.give({ stream: side, memory: south, mayPass: () => true, evict: () => undefined });
    assert.deepEqual([memory.bytes, south.bytes >= 3], [0, true]);
    second.stop();
    early.handOver(side);
    assert.deepEqual([memory.bytes, south.bytes], [0, 0]);
  });

  it('the memory is needed while nobody is asked → the client is cut', async () => {
    memory = makeAccount({ bytesMax: 10, peerBytesMax: 10 }).of('east');
    Object.assign(client, { resetAndDestroy: () => client.destroy() });
    client.push(Buffer.alloc(8));
    const gift = early.give({
      stream: makeSide(),
      memory,
      mayPass: () => true,
      evict: () => assert.fail('it is over'),
    });
    await turn();
    gift.stop();
    memory.hold().set(5);
    assert.deepEqual([client.destroyed, memory.bytes], [true, 5]);
  });

  it('it refuses → the next one gets the same in one piece, and what comes; handed over, nothing is sent again', async () => {
    const [east, south] = [makeSide(), makeSide()];
    client.push('one ');
    const first = giveTo(east);
    await turn();
    client.push('two ');
    await turn();
    first.stop();
    client.push('three');
    await turn();
    assert.equal(textOf(east), 'one two ');
    const second = giveTo(south);
    assert.equal(south.got.length, 1);
    await turn();
    second.stop();
    assert.equal(textOf(south), 'one two three');
    assert.equal(early.handOver(south), 13);
    assert.deepEqual([textOf(south), early.sentBytes], ['one two three', 0]);
  });

  it('the next one is given nothing before its yes → gets all of it when it is handed over', async () => {
    const [east, own] = [makeSide(), makeSide()];
    client.push('one');
    const gift = giveTo(east);
    await turn();
    gift.stop();
    assert.equal(early.sentTo(own), 0);
    assert.deepEqual([early.handOver(own), textOf(own)], [3, 'one']);
  });

  for (const beyond of [0, 1]) {
    it(`${EARLY_BYTES_MAX} + ${beyond} bytes → the first ${EARLY_BYTES_MAX} are sent, the client is paused, and the rest stays its own`, async () => {
      const east = makeSide();
      const gift = giveTo(east);
      client.push(Buffer.alloc(EARLY_BYTES_MAX + beyond, 'x'));
      await turn();
      assert.deepEqual([gift.sentBytes, client.isPaused(), client.readableLength], [EARLY_BYTES_MAX, true, beyond]);
      assert.ok(memory.bytes >= EARLY_BYTES_MAX + beyond, 'what its stream fills up to is counted too');
      gift.stop();
      // Full: asked again, nothing more is read.
      giveTo(makeSide());
      await turn();
      assert.deepEqual([client.isPaused(), client.readableLength], [true, beyond]);
    });
  }

  it('the decision turns to no → nothing more is sent, in order; handed over all the same, the rest goes', async () => {
    const east = makeSide();
    let isAllowed = true;
    const gift = giveTo(east, () => isAllowed);
    for (const [said, allowed] of [
      ['one ', true],
      ['two ', false],
      ['three', true],
    ] as const) {
      isAllowed = allowed;
      client.push(said);
      await turn();
    }
    gift.stop();
    assert.deepEqual([textOf(east), gift.sentBytes], ['one ', 4]);
    early.handOver(east);
    assert.equal(textOf(east), 'one two three');
  });

  it('its stream is gone → what comes is kept for the next', async () => {
    const [east, south] = [makeSide(), makeSide()];
    const gift = giveTo(east);
    east.destroy();
    client.push('one');
    await turn();
    assert.equal(gift.sentBytes, 0);
    gift.stop();
    giveTo(south).stop();
    assert.equal(textOf(south), 'one');
  });

  it('the client ends before the answer → its end is there to be seen, and no byte is lost', async () => {
    const east = makeSide();
    const gift = giveTo(east);
    client.push('all');
    client.push(null);
    await turn();
    gift.stop();
    assert.deepEqual([client.readableEnded, client.destroyed, textOf(east)], [true, false, 'all']);
    giveTo(east).stop();
  });

  it('the memory of the peer is needed → it is told', async () => {
    let evicted = 0;
    memory = makeAccount({ bytesMax: 10, peerBytesMax: 10 }).of('east');
    const gift = early.give({ stream: makeSide(), memory, mayPass: () => true, evict: () => evicted++ });
    client.push(Buffer.alloc(11));
    await turn();
    assert.equal(evicted, 1);
    gift.stop();
  });

  it('its asking is over → small collections take it', async () => {
    const stream = makeSide();
    const kept = await countKept(() => {
      const side: Duplex = makeSide().pause();
      const item = makeEarlyBytes(side as Socket);
      const gift = item.give({ stream, memory, mayPass: () => true, evict: () => undefined });
      return {
        item,
        leave() {
          gift.stop();
          item.release();
        },
      };
    });
    assert.ok(kept <= KEPT_FEW, `${kept}`);
  });
});
