import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { makeAccount, type Account } from '#src/gateway/account.ts';
import { STREAM_BYTES } from '#src/gateway/limits.ts';
import { makeSessionMemory } from '#src/gateway/session-memory.ts';
import { FLAGS, FRAME_TYPES } from '#src/gateway/yamux/frame.ts';
import { WINDOW_BYTES, WINDOW_PRESSED_BYTES } from '#src/gateway/yamux/limits.ts';
import type { Conduct } from '#src/gateway/yamux/conduct.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { waitFor } from '#test/support/wait.ts';
import { openRawPeer, type RawPeer } from './yamux/raw-peer.ts';

const { syn, rst } = FLAGS;
const KIB = 1024;

describe('makeSessionMemory', () => {
  let account: Account;
  let refused: number[];
  let windowBytes: number;
  let acts: string[];
  let isTolerant: boolean;
  beforeEach(() => {
    account = makeAccount({ bytesMax: 4_000 * KIB, peerBytesMax: 1_000 * KIB });
    refused = [];
    windowBytes = WINDOW_BYTES;
    acts = [];
    isTolerant = true;
  });

  function openBounded(admits: (streamId: number) => boolean = () => true): RawPeer {
    const memory = makeSessionMemory({
      account: account.of('east'),
      mayEvict: ({ id }) => id !== 1,
      evict: (stream) => stream.reset(),
    });
    const conduct: Conduct = {
      admits,
      refused: (streamId) => void refused.push(streamId),
      tolerates(act) {
        acts.push(act);
        return isTolerant;
      },
      onHeld: memory.onHeld,
      onQueued: memory.onQueued,
      windowBytesMax: () => windowBytes,
      onPromised: () => undefined,
    };
    const peer = openRawPeer({ conduct });
    void peer.closed.then(() => memory.close());
    return peer;
  }
  async function fill(peer: RawPeer, streamId: number, bytes: number): Promise<YamuxStream | undefined> {
    const before = peer.streams.length;
    peer.send({ flags: syn, streamId }, Buffer.alloc(bytes));
    await peer.until(() => peer.streams.length > before);
    return peer.streams.at(-1);
  }
  const isReset = (peer: RawPeer, streamId: number): boolean =>
    peer.frames.some(({ header }) => header.streamId === streamId && (header.flags & rst) !== 0);

  it('a stream nobody reads → what it holds and its objects; read → its objects; gone → nothing', async () => {
    const peer = openBounded();
    const stream = await fill(peer, 1, 200 * KIB);
    const { bytes } = account.of('east');
    assert.ok(bytes >= 200 * KIB + STREAM_BYTES && bytes < 250 * KIB, String(bytes));
    stream?.resume();
    await peer.until(() => stream?.readableLength === 0 && account.of('east').bytes < 10 * KIB);
    assert.ok(account.of('east').bytes >= STREAM_BYTES);
    peer.session.destroy();
    await peer.closed;
    assert.equal(account.bytes, 0);
  });

  it('both ends have ended a stream that nobody reads, and the session ends → held until it is read; it may be cut for others', async () => {
    for (const act of ['read', 'cut'] as const) {
      const peer = openBounded();
      await fill(peer, 1, 10);
      const stream = await fill(peer, 3, 200 * KIB);
      stream?.end();
      peer.send({ flags: FLAGS.fin, streamId: 3 });
      await peer.until(() => stream?.isComplete === true);
      peer.session.destroy();
      await peer.closed;
      assert.ok(account.of('east').bytes >= 200 * KIB + STREAM_BYTES, String(account.of('east').bytes));
      if (act === 'read') stream?.resume();
      else
        account
          .of('east')
          .hold()
          .set(900 * KIB);
      await waitFor('it is gone', () => stream?.destroyed);
      assert.equal(account.of('east').bytes, act === 'read' ? 0 : 900 * KIB);
    }
  });

  it('bytes that the other side of its tunnel does not take → held for the stream', async () => {
    const peer = openBounded();
    const stream = await fill(peer, 1, 10);
    assert.ok(stream);
    const service = new PassThrough({ highWaterMark: 1024 * KIB });
    stream.otherSide = service;
    service.write(Buffer.alloc(300 * KIB));
    stream.measure();
    assert.ok(account.of('east').bytes >= 300 * KIB);
    stream.reset();
    assert.equal(account.bytes, 0);
  });

  it('data that the peer gives no window for → held', async () => {
    const peer = openBounded();
    const stream = await fill(peer, 1, 10);
    stream?.write(Buffer.alloc(WINDOW_BYTES + 100 * KIB));
    await peer.until(() => peer.frames.some(({ header }) => header.length > 0));
    assert.ok(account.of('east').bytes >= 100 * KIB);
  });

  it('more than the peer may make this process hold → its stalest streams are reset, the newest and the control stream are not', async () => {
    const peer = openBounded();
    await fill(peer, 1, 100 * KIB);
    for (const streamId of [3, 5, 7, 9]) {
      await fill(peer, streamId, 240 * KIB);
      assert.ok(account.of('east').bytes <= 1_000 * KIB, String(account.of('east').bytes));
    }
    await peer.until(() => isReset(peer, 3));
    assert.deepEqual(
      [1, 5, 7, 9].map((streamId) => isReset(peer, streamId)),
      [false, false, false, false],
    );
    assert.equal(peer.session.closed, false);
  });

  it('memory is scarce → windows grow to the small size only, and the stream goes on', async () => {
    windowBytes = WINDOW_PRESSED_BYTES;
    const peer = openBounded();
    const stream = await fill(peer, 1, WINDOW_BYTES);
    stream?.resume();
    const granted = (): number =>
      peer.frames
        .filter(({ header }) => header.type === FRAME_TYPES.windowUpdate && header.streamId === 1)
        .reduce((sum, { header }) => sum + header.length, 0);
    await peer.until(() => granted() > 0);
    assert.ok(granted() <= WINDOW_PRESSED_BYTES, String(granted()));
    peer.send({ streamId: 1 }, Buffer.alloc(WINDOW_PRESSED_BYTES / 2));
    const before = granted();
    await peer.until(() => granted() > before);
    assert.equal(peer.session.closed, false);
  });

  it('a stream that is not admitted → reset at once, and counted; those beyond streamsMax → too', async () => {
    const peer = openBounded((streamId) => streamId !== 3);
    for (let streamId = 1; streamId <= 23; streamId += 2) peer.send({ flags: syn, streamId });
    await peer.until(() => isReset(peer, 23));
    assert.ok(isReset(peer, 3));
    assert.equal(peer.streams.length, 10);
    assert.deepEqual(refused, [23]);
    assert.deepEqual(acts, ['stream_refusals', 'stream_refusals']);
  });

  it('a stream that the peer resets before an answer → counted; after one → not', async () => {
    const peer = openBounded();
    peer.send({ flags: syn, streamId: 1 });
    peer.send({ flags: rst, streamId: 1 });
    await peer.until(() => acts.length === 1);
    const answered = await fill(peer, 3, 10);
    answered?.write('answer');
    await peer.until(() => peer.frames.some(({ payload }) => payload.toString() === 'answer'));
    peer.send({ flags: rst, streamId: 3 });
    await peer.until(() => answered?.destroyed === true);
    assert.deepEqual(acts, ['stream_resets']);
  });

  it('a flood of resets → the session ends, ERR_MALFORMED, and nothing is held', async () => {
    isTolerant = false;
    const peer = openBounded();
    peer.send({ flags: syn, streamId: 1 });
    peer.send({ flags: rst, streamId: 1 });
    assert.equal(((await peer.closed) as { code?: string }).code, 'ERR_MALFORMED');
    assert.equal(account.bytes, 0);
  });
});
