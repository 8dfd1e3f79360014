import assert from 'node:assert/strict';
import { makeSlabPool, type Slab } from '#src/gateway/slabs/pool.ts';
import { WINDOW_BYTES, WINDOW_BYTES_MAX } from '#src/gateway/yamux/limits.ts';
import { type StreamLink, YamuxStream } from '#src/gateway/yamux/stream.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A stream whose reader takes what comes at once, and what it was told, in order. */
async function makeTaken() {
  const nothing = (): void => undefined;
  const link: StreamLink = {
    ...{ sendControl: nothing, sendData: nothing, onSendable: nothing, onGone: nothing, onHeld: nothing },
    ...{ onPromised: nothing, windowBytesMax: () => WINDOW_BYTES_MAX, leastRttMs: () => undefined, now: () => 0 },
  };
  const stream = new YamuxStream({ id: 1, link, openedBy: 'peer' });
  const told: string[] = [];
  stream.takeDirectly({
    take: (bytes) => void told.push(bytes.toString()),
    takenAll: () => void told.push('all'),
  });
  stream.on('data', (bytes: Buffer) => void told.push(`later ${bytes.toString()}`));
  stream.on('close', () => void told.push('closed'));
  await turn();
  const slab = makeSlabPool().take() as Slab;
  const receive = (text: string): void => {
    stream.receiveFrame(text.length);
    stream.receiveData(Buffer.from(text), slab);
  };
  return { stream, told, receive };
}

describe('a stream whose bytes are taken directly', () => {
  it('several frames out of one read → each is taken, then it is said once that these were all', async () => {
    const { stream, told, receive } = await makeTaken();
    receive('one');
    receive('two');
    stream.receivedAll();
    assert.deepEqual(told, ['one', 'two', 'all']);
    receive('three');
    stream.receivedAll();
    assert.deepEqual(told.slice(3), ['three', 'all']);
  });

  it('reset in the middle of a read → what came before is finished first, and nothing is said after', async () => {
    const { stream, told, receive } = await makeTaken();
    receive('one');
    stream.receiveReset();
    receive('two');
    stream.receivedAll();
    await turn();
    assert.deepEqual(told, ['one', 'all', 'closed']);
  });

  it('paused → what comes waits, and is emitted later', async () => {
    const { stream, told, receive } = await makeTaken();
    stream.pause();
    receive('one');
    stream.receivedAll();
    stream.resume();
    await turn();
    assert.deepEqual(told, ['all', 'later one']);
  });
});

describe('sendNow', () => {
  /** A stream that gets to send one frame of so many bytes whenever it has something. */
  function makeSender(frameBytes: number) {
    const nothing = (): void => undefined;
    const sent: string[] = [];
    let sends = true;
    const link: StreamLink = {
      ...{ sendControl: nothing, onGone: nothing, onHeld: nothing, onPromised: nothing },
      ...{ windowBytesMax: () => WINDOW_BYTES_MAX, leastRttMs: () => undefined, now: () => 0 },
      onSendable: (sender) => sends && sender.sendFrame(frameBytes),
      sendData: (_header, payload) => void sent.push(Buffer.concat(payload).toString()),
    };
    const stream = new YamuxStream({ id: 1, link, openedBy: 'peer' });
    return { stream, sent, stop: () => void (sends = false) };
  }
  const textOf = (pieces: readonly Buffer[]): string => Buffer.concat(pieces).toString();

  it('there is room → all is sent, in one frame, and nothing waits', () => {
    const { stream, sent } = makeSender(100);
    assert.deepEqual(stream.sendNow([Buffer.from('one'), Buffer.from('two')]), []);
    assert.deepEqual(sent, ['onetwo']);
    assert.equal(stream.writableLength, 0);
  });

  it('there is room for a part → that is sent, the rest comes back; written, it follows', () => {
    const { stream, sent } = makeSender(4);
    const left = stream.sendNow([Buffer.from('one'), Buffer.from('two')]);
    assert.equal(textOf(left), 'wo');
    for (const piece of left) stream.write(piece);
    assert.deepEqual(sent, ['onet', 'wo']);
  });

  it('nobody gets to send, or the window is used up → all comes back', () => {
    const idle = makeSender(100);
    idle.stop();
    assert.equal(textOf(idle.stream.sendNow([Buffer.from('one')])), 'one');
    const full = makeSender(WINDOW_BYTES);
    full.stream.sendNow([Buffer.alloc(WINDOW_BYTES)]);
    full.stop();
    assert.equal(textOf(full.stream.sendNow([Buffer.from('one')])), 'one');
  });

  it('something waits already, or the stream has ended → all comes back', () => {
    const waiting = makeSender(100);
    waiting.stop();
    waiting.stream.write('before');
    assert.equal(textOf(waiting.stream.sendNow([Buffer.from('one')])), 'one');
    const ended = makeSender(100);
    ended.stream.end();
    assert.equal(textOf(ended.stream.sendNow([Buffer.from('one')])), 'one');
    assert.deepEqual([waiting.sent, ended.sent], [[], []]);
  });
});
