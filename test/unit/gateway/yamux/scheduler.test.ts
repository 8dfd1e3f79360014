import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { FRAME_TYPES, HEADER_BYTES } from '#src/gateway/yamux/frame.ts';
import {
  CONTROL_BACKLOG_BYTES_MAX,
  CROWDED_FOR_MS,
  FRAME_ALONE_BYTES_MAX,
  FRAME_BYTES_MAX,
  HASTY_BYTES_MAX,
  SOCKET_BYTES_MAX,
} from '#src/gateway/yamux/limits.ts';
import { makeScheduler, type Scheduler, type Sender } from '#src/gateway/yamux/scheduler.ts';
import { countKept, KEPT_FEW } from '#test/support/kept.ts';

const MUCH = 64 * 1024 * 1024;

/** What was sent: whose, and how much. */
interface Sent {
  readonly id: number;
  readonly bytes: number;
}

interface Bench {
  readonly scheduler: Scheduler;
  readonly socket: Duplex;
  readonly sent: Sent[];
  readonly queued: number[];
  readonly overruns: () => number;
  /** The kernel takes what the socket was given. */
  drain(): Promise<void>;
  advance(ms: number): void;
  /** Has so much to send, and is added. */
  sender(id: number, bytes: number): Sender & { more(bytes: number): void };
}

/** Over a path that answers a mark in 0.1 ms, but for `isSilent`. */
function openBench({ isSilent = false }: { isSilent?: boolean } = {}): Bench {
  const sent: Sent[] = [];
  const queued: number[] = [];
  const answers: (() => void)[] = [];
  let taken: (() => void) | undefined;
  let nowMs = 0;
  let overruns = 0;
  const socket = new Duplex({
    writableHighWaterMark: FRAME_BYTES_MAX,
    read: () => undefined,
    write: (_chunk, _encoding, callback) => void (taken = callback),
    writev: (_chunks, callback) => void (taken = callback),
  });
  const scheduler = makeScheduler({
    socket,
    liveness: {
      sent: () => undefined,
      takesMarks: true,
      leastRttMs: 0.1,
      mark(onAnswer) {
        if (!isSilent) answers.push(onAnswer);
      },
    },
    now: () => nowMs,
    onQueued: (bytes) => queued.push(bytes),
    onOverrun: () => void overruns++,
  });

  return {
    scheduler,
    socket,
    sent,
    queued,
    overruns: () => overruns,
    advance: (ms) => void (nowMs += ms),
    async drain() {
      nowMs += 0.1;
      for (const answer of answers.splice(0)) answer();
      const done = taken;
      taken = undefined;
      done?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
    sender(id, bytes) {
      let waiting = bytes;
      const sender = {
        bulkMs: -Infinity,
        get isHasty() {
          return waiting <= HASTY_BYTES_MAX;
        },
        get isSendable() {
          return waiting > 0;
        },
        sendFrame(bytesMax: number) {
          assert.ok(Number.isInteger(bytesMax) && bytesMax > 0, String(bytesMax));
          const length = Math.min(bytesMax, waiting);
          waiting -= length;
          sent.push({ id, bytes: length });
          scheduler.sendData({ type: FRAME_TYPES.data, flags: 0, streamId: id, length }, [Buffer.alloc(length)]);
        },
        more(moreBytes: number) {
          waiting += moreBytes;
          scheduler.add(sender);
        },
      };
      scheduler.add(sender);
      return sender;
    },
  };
}

/** Until the path is known. */
async function warm(bench: Bench, id: number): Promise<ReturnType<Bench['sender']>> {
  const sender = bench.sender(id, MUCH);
  for (let drains = 0; drains < 8; drains++) await bench.drain();
  bench.sent.length = 0;
  return sender;
}

/** Has something to send, for which there is no room. */
class Waiting implements Sender {
  readonly isHasty: boolean;
  readonly isSendable = true;
  bulkMs = -Infinity;
  turn: Sender['turn'];

  constructor(isHasty: boolean) {
    this.isHasty = isHasty;
  }

  sendFrame(): void {
    assert.fail('there is no room');
  }
}

describe('makeScheduler', () => {
  it('one stream with much to send, over a path that is known → long frames, and as much in the socket as may be', async () => {
    const bench = openBench();
    await warm(bench, 1);
    await bench.drain();
    assert.deepEqual(bench.sent, [{ id: 1, bytes: FRAME_ALONE_BYTES_MAX }]);
    assert.ok(bench.scheduler.queuedBytes <= SOCKET_BYTES_MAX, String(bench.scheduler.queuedBytes));
    assert.equal(bench.queued.at(-1), bench.scheduler.queuedBytes);
  });

  it('a path that is not known yet → frames of 64 KiB', () => {
    const bench = openBench({ isSilent: true });
    bench.sender(1, MUCH);
    assert.ok(bench.sent.length > 1);
    assert.ok(bench.sent.every(({ bytes }) => bytes === FRAME_BYTES_MAX));
  });

  it('several with much to send → frames of 64 KiB in turn, as many as the socket may hold', async () => {
    const bench = openBench();
    await warm(bench, 1);
    for (const id of [2, 3]) bench.sender(id, MUCH);
    await bench.drain();
    const turns = bench.sent.splice(0);
    assert.ok(turns.length > 1);
    assert.ok(turns.every(({ bytes }) => bytes === FRAME_BYTES_MAX));
    await bench.drain();
    const ids = [...turns, ...bench.sent].map(({ id }) => id);
    assert.ok(
      ids.every((id, index) => index === 0 || id !== ids[index - 1]),
      ids.join(' '),
    );
    assert.deepEqual([...new Set(ids)].sort(), [1, 2, 3]);
    assert.ok(bench.scheduler.queuedBytes <= SOCKET_BYTES_MAX, String(bench.scheduler.queuedBytes));
  });

  it('whatever sizes → the socket never holds more than its bound', async () => {
    const bench = openBench();
    const senders = [1, 2, 3, 4].map((id) => bench.sender(id, 1 + id * 70_000));
    for (let round = 0; round < 40; round++) {
      const busy = round < 30 ? senders : senders.slice(0, 1);
      busy.forEach((sender, index) => sender.more(1 + ((round * 79_190 * (index + 1)) % 600_000)));
      assert.ok(bench.scheduler.queuedBytes <= SOCKET_BYTES_MAX, String(bench.scheduler.queuedBytes));
      bench.advance(round % 3 === 0 ? CROWDED_FOR_MS : 1);
      await bench.drain();
    }
    assert.ok(bench.sent.length > 40);
  });

  it('somebody with little to say → first, and then short frames, one a drain; quiet again → long ones', async () => {
    const bench = openBench();
    await warm(bench, 1);
    const chat = bench.sender(2, 5);
    await bench.drain();
    assert.deepEqual(bench.sent.splice(0), [
      { id: 2, bytes: 5 },
      { id: 1, bytes: FRAME_BYTES_MAX },
    ]);
    bench.advance(CROWDED_FOR_MS - 1);
    await bench.drain();
    assert.deepEqual(bench.sent.splice(0), [{ id: 1, bytes: FRAME_BYTES_MAX }]);
    bench.advance(1);
    await bench.drain();
    assert.deepEqual(bench.sent.splice(0), [{ id: 1, bytes: FRAME_ALONE_BYTES_MAX }]);
    chat.more(5);
    await bench.drain();
    assert.deepEqual(bench.sent.at(-1), { id: 1, bytes: FRAME_BYTES_MAX });
  });

  it('the small rest of a large piece → nobody else is there, long frames', async () => {
    const bench = openBench();
    const bulk = await warm(bench, 1);
    bench.scheduler.remove(bulk);
    const other = bench.sender(2, FRAME_ALONE_BYTES_MAX + 10);
    await bench.drain();
    await bench.drain();
    other.more(7);
    await bench.drain();
    other.more(FRAME_ALONE_BYTES_MAX);
    await bench.drain();
    assert.deepEqual(
      bench.sent.filter(({ id }) => id === 2).map(({ bytes }) => bytes),
      [FRAME_ALONE_BYTES_MAX, 10, 7, FRAME_ALONE_BYTES_MAX],
    );
  });

  it('many with little to say → every 64 KiB of them a frame of those with much', async () => {
    const bench = openBench();
    for (const id of [1, 2]) bench.sender(id, MUCH);
    for (let id = 3; id < 30; id++) bench.sender(id, HASTY_BYTES_MAX);
    bench.sent.length = 0;
    for (let drains = 0; drains < 6; drains++) await bench.drain();
    const ahead = bench.sent.findIndex(({ id }) => id < 3);
    assert.equal(ahead, FRAME_BYTES_MAX / HASTY_BYTES_MAX);
  });

  it('control frames that wait → as many as may; one more → told', () => {
    const bench = openBench();
    const ping = { type: FRAME_TYPES.ping, flags: 1, streamId: 0, length: 1 };
    const most = Math.floor((SOCKET_BYTES_MAX + CONTROL_BACKLOG_BYTES_MAX) / HEADER_BYTES);
    for (let count = 0; count < most; count++) bench.scheduler.sendControl(ping);
    assert.equal(bench.overruns(), 0);
    bench.scheduler.sendControl(ping);
    assert.equal(bench.overruns(), 1);
  });

  it('gone, or stopped → sends nothing more', async () => {
    const bench = openBench();
    const gone = await warm(bench, 1);
    bench.sender(2, MUCH);
    bench.scheduler.remove(gone);
    await bench.drain();
    assert.deepEqual([...new Set(bench.sent.map(({ id }) => id))], [2]);
    bench.scheduler.stop();
    bench.sent.length = 0;
    const heldBytes = bench.scheduler.queuedBytes;
    bench.scheduler.sendControl({ type: FRAME_TYPES.ping, flags: 1, streamId: 0, length: 1 });
    bench.scheduler.pump();
    assert.equal(bench.scheduler.queuedBytes, heldBytes);
    await bench.drain();
    assert.deepEqual(bench.sent, []);
  });

  for (const isHasty of [true, false]) {
    it(`a thousand with ${isHasty ? 'little' : 'much'} to say come, wait for their turn and go → none is kept`, async () => {
      const { scheduler, sender } = openBench({ isSilent: true });
      sender(1, MUCH);
      const kept = await countKept(() => {
        const item = new Waiting(isHasty);
        scheduler.add(item);
        return { item, leave: () => scheduler.remove(item) };
      });
      assert.ok(kept <= KEPT_FEW, String(kept));
    });
  }
});
