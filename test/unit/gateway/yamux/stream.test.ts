import assert from 'node:assert/strict';
import { makeSlabPool, type Slab } from '#src/gateway/slabs/pool.ts';
import { WINDOW_BYTES_MAX } from '#src/gateway/yamux/limits.ts';
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
