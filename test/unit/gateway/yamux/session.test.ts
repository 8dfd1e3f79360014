import assert from 'node:assert/strict';
import { once } from 'node:events';
import fc from 'fast-check';
import { encodeHeader, FLAGS, FRAME_TYPES, type FrameHeader, GO_AWAY_CODES } from '#src/gateway/yamux/frame.ts';
import {
  FRAME_BYTES_MAX,
  IN_FLIGHT_BYTES_FIRST,
  PINGS_PER_SECOND_MAX,
  SOCKET_BYTES_MAX,
  WINDOW_BYTES,
} from '#src/gateway/yamux/limits.ts';
import { WORK_PER_OPEN, WORK_PER_TURN_MAX } from '#src/gateway/yamux/limits.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { openRawPeer, type RawFrame } from './raw-peer.ts';

const { data, windowUpdate, ping, goAway } = FRAME_TYPES;
const { syn, ack, fin, rst } = FLAGS;

function hasFrame(frames: readonly RawFrame[], want: Partial<FrameHeader>): boolean {
  return frames.some(({ header }) =>
    Object.entries(want).every(([key, value]) => header[key as keyof FrameHeader] === value),
  );
}

async function readAll(stream: YamuxStream): Promise<string> {
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  await once(stream, 'end');
  return Buffer.concat(pieces).toString();
}

describe('openYamux', () => {
  const violations: { name: string; frames: (Partial<FrameHeader> & { payload?: Buffer })[] }[] = [
    { name: 'SYN on an id of the acceptor', frames: [{ flags: syn, streamId: 2 }] },
    { name: 'SYN on an open stream', frames: [{ flags: syn }, { flags: syn }] },
    { name: 'SYN on a stream that was reset', frames: [{ flags: syn }, { flags: rst }, { flags: syn }] },
    { name: 'data for a stream nobody opened', frames: [{ payload: Buffer.from('x') }] },
    { name: 'a reset of a stream we never opened', frames: [{ flags: rst, streamId: 2 }] },
    {
      name: 'data one byte above the window',
      frames: [{ flags: syn }, { payload: Buffer.alloc(WINDOW_BYTES) }, { payload: Buffer.alloc(1) }],
    },
    {
      name: 'a window above 4 GiB',
      frames: [
        { flags: syn },
        { type: windowUpdate, length: 0xffff_ffff - WINDOW_BYTES },
        { type: windowUpdate, length: 1 },
      ],
    },
  ];
  for (const { name, frames } of violations) {
    it(`${name} → go away 1, ERR_MALFORMED, no stream left`, async () => {
      const peer = openRawPeer();
      for (const { payload, ...header } of frames) peer.send(header, payload);
      const error = await peer.closed;
      assert.equal((error as { code?: string } | undefined)?.code, 'ERR_MALFORMED');
      assert.equal(peer.session.streams, 0);
      await peer.until(() => hasFrame(peer.frames, { type: goAway, length: GO_AWAY_CODES.protocolError }));
      assert.ok(peer.streams.every((stream) => stream.destroyed && !stream.readableEnded));
    });
  }

  it('data of the whole window, a window of 4 GiB - 1 → accepted', async () => {
    const peer = openRawPeer();
    peer.send({ flags: syn });
    peer.send({}, Buffer.alloc(WINDOW_BYTES));
    peer.send({ type: windowUpdate, length: 0xffff_ffff - WINDOW_BYTES });
    peer.send({ type: ping, flags: syn, streamId: 0, length: 7 });
    await peer.until(() => hasFrame(peer.frames, { type: ping, flags: ack, length: 7 }));
    assert.equal(peer.session.streams, 1);
    peer.session.destroy();
  });

  it('SYN, data and FIN in one frame → a stream that ends; its own end frees the id', async () => {
    const peer = openRawPeer();
    peer.send({ flags: syn | fin }, Buffer.from('hello'));
    await peer.until(() => peer.streams.length === 1);
    const [stream] = peer.streams;
    assert.ok(stream);
    assert.equal(await readAll(stream), 'hello');
    assert.equal(peer.session.streams, 1);
    stream.end('bye');
    await once(stream, 'close');
    assert.equal(peer.session.streams, 0);
    await peer.until(() => hasFrame(peer.frames, { streamId: 1, flags: fin }));
    assert.ok(!hasFrame(peer.frames, { flags: rst }));
    peer.send({ flags: rst }); // Late: nobody is there to care.
    peer.send({ type: ping, flags: syn, streamId: 0, length: 7 });
    await peer.until(() => hasFrame(peer.frames, { type: ping, flags: ack, length: 7 }));
    peer.session.destroy();
  });

  it('both FINs passed but not yet read → neither a reset nor the loss of the session takes the bytes away', async () => {
    const peer = openRawPeer();
    peer.send({ flags: syn | fin }, Buffer.from('hello'));
    await peer.until(() => peer.streams.length === 1);
    const [stream] = peer.streams;
    assert.ok(stream);
    stream.end();
    await once(stream, 'finish');
    peer.send({ flags: rst });
    peer.session.destroy();
    assert.equal(await readAll(stream), 'hello');
  });

  it('data without bytes but with flags → the flags count', async () => {
    const peer = openRawPeer();
    peer.send({ flags: syn });
    peer.send({});
    peer.send({ flags: fin });
    await peer.until(() => peer.streams.length === 1);
    const [stream] = peer.streams;
    assert.ok(stream);
    assert.equal(await readAll(stream), '');
    peer.session.destroy();
  });

  it('data for a stream that was reset here → skipped, the next frames are understood', async () => {
    const peer = openRawPeer();
    peer.send({ flags: syn });
    await peer.until(() => peer.streams.length === 1);
    peer.streams[0]?.reset();
    await peer.until(() => hasFrame(peer.frames, { streamId: 1, flags: rst }));
    for (let count = 0; count < 3; count += 1) peer.send({}, Buffer.alloc(WINDOW_BYTES, 1));
    peer.send({ flags: fin }, Buffer.alloc(1000, 1));
    peer.send({ flags: syn | fin, streamId: 3 }, Buffer.from('next'));
    await peer.until(() => peer.streams.length === 2);
    const [, next] = peer.streams;
    assert.ok(next);
    assert.equal(await readAll(next), 'next');
    assert.equal(peer.frames.filter(({ header }) => header.flags === rst).length, 1);
    peer.session.destroy();
  });

  it('data after FIN → that stream alone is reset', async () => {
    const peer = openRawPeer();
    peer.send({ flags: syn | fin });
    peer.send({}, Buffer.from('more'));
    await peer.until(() => hasFrame(peer.frames, { streamId: 1, flags: rst }));
    assert.equal(peer.session.closed, false);
    assert.equal(peer.session.streams, 0);
    peer.session.destroy();
  });

  it('RST → ERR_STREAM_RESET, no end, no RST back', async () => {
    const peer = openRawPeer();
    peer.send({ flags: syn }, Buffer.from('half'));
    peer.send({ flags: rst });
    await peer.until(() => peer.session.streams === 0 && peer.streams.length === 1);
    const [stream] = peer.streams;
    assert.equal((stream?.errored as { code?: string } | null)?.code, 'ERR_STREAM_RESET');
    assert.equal(stream?.readableEnded, false);
    assert.ok(!hasFrame(peer.frames, { flags: rst }));
    peer.session.destroy();
  });

  it('end with a window of 0 → FIN only behind the data', async () => {
    const peer = openRawPeer();
    const stream = peer.session.openStream();
    const dataBytes = (): number => peer.frames.reduce((sum, { payload }) => sum + payload.length, 0);
    stream.end(Buffer.alloc(WINDOW_BYTES + 10));
    await peer.until(() => dataBytes() === WINDOW_BYTES);
    assert.ok(!hasFrame(peer.frames, { flags: fin }));
    peer.send({ type: windowUpdate, streamId: 2, flags: ack, length: 10 });
    await peer.until(() => hasFrame(peer.frames, { flags: fin }));
    assert.equal(dataBytes(), WINDOW_BYTES + 10);
    assert.equal(peer.frames.at(-1)?.header.flags, fin);
    peer.session.destroy();
  });

  it('end without data while the window is 0 → FIN at once', async () => {
    const peer = openRawPeer();
    const stream = peer.session.openStream();
    stream.write(Buffer.alloc(WINDOW_BYTES));
    await peer.until(() => stream.writableLength === 0);
    stream.end();
    await peer.until(() => hasFrame(peer.frames, { streamId: 2, flags: fin }));
    peer.session.destroy();
  });

  it('two large writes → frames of at most 64 KiB that take turns', async () => {
    const peer = openRawPeer();
    const streams = [peer.session.openStream(), peer.session.openStream()];
    for (const { id } of streams) {
      peer.send({ type: windowUpdate, streamId: id, flags: ack, length: 4 * IN_FLIGHT_BYTES_FIRST });
    }
    await Promise.all(streams.map((stream) => stream.accepted));
    for (const stream of streams) stream.write(Buffer.alloc(4 * IN_FLIGHT_BYTES_FIRST));
    await peer.until(() => {
      peer.answerPings();
      return streams.every((stream) => stream.writableLength === 0);
    });
    const frames = peer.frames.filter(({ header }) => header.type === data);
    // The first was alone when it began, and the last when the other one had done.
    const order = frames.map(({ header }) => header.streamId);
    assert.ok(frames.slice(0, order.lastIndexOf(2)).every(({ payload }) => payload.length <= FRAME_BYTES_MAX));
    const turns = order.slice(order.indexOf(4), order.lastIndexOf(2));
    assert.ok(turns.length > 4);
    assert.ok(
      turns.every((id, index) => index === 0 || id !== turns[index - 1]),
      order.join(' '),
    );
    peer.session.destroy();
  });

  it('a stream with little to send → ahead of bulk that waits, and behind nothing but what was sent', async () => {
    const peer = openRawPeer();
    const [bulk, chat] = [peer.session.openStream(), peer.session.openStream()];
    peer.send({ type: windowUpdate, streamId: bulk.id, flags: ack, length: SOCKET_BYTES_MAX });
    await bulk.accepted;
    bulk.write(Buffer.alloc(SOCKET_BYTES_MAX));
    chat.write('a key');
    await peer.until(() => {
      peer.answerPings();
      return bulk.writableLength === 0 && chat.writableLength === 0;
    });
    const order = peer.frames.filter(({ header }) => header.type === data).map(({ header }) => header.streamId);
    const before = order.indexOf(chat.id);
    assert.ok(before > 0 && before * FRAME_BYTES_MAX < SOCKET_BYTES_MAX, order.join(' '));
    peer.session.destroy();
  });

  it('no answer to marks → so much under way and no more, small frames and control frames go on; an answer → the rest', async () => {
    const peer = openRawPeer();
    const [bulk, chat] = [peer.session.openStream(), peer.session.openStream()];
    peer.send({ type: windowUpdate, streamId: bulk.id, flags: ack, length: 4 * IN_FLIGHT_BYTES_FIRST });
    await bulk.accepted;
    bulk.write(Buffer.alloc(2 * IN_FLIGHT_BYTES_FIRST));
    const sentBytes = (id: number): number =>
      peer.frames.reduce((sum, { header, payload }) => sum + (header.streamId === id ? payload.length : 0), 0);
    await peer.until(() => sentBytes(bulk.id) >= IN_FLIGHT_BYTES_FIRST - FRAME_BYTES_MAX);
    chat.end('a key');
    await peer.until(() => hasFrame(peer.frames, { streamId: chat.id, flags: fin }));
    assert.equal(sentBytes(chat.id), 5);
    assert.ok(sentBytes(bulk.id) <= IN_FLIGHT_BYTES_FIRST, String(sentBytes(bulk.id)));
    await peer.until(() => {
      peer.answerPings();
      return sentBytes(bulk.id) === 2 * IN_FLIGHT_BYTES_FIRST;
    });
    peer.session.destroy();
  });

  it('windows that both ends have agreed on → no byte more either way, and streams that are open count from them too', async () => {
    const peer = openRawPeer();
    peer.send({ flags: syn });
    peer.send({ flags: syn, streamId: 3 }, Buffer.alloc(400));
    await peer.until(() => peer.streams.length === 2);
    const [control, early] = peer.streams;
    assert.ok(control && early);
    peer.session.beginWith({ receiveBytes: 1_000, sendBytes: 2_000 }, control);
    early.write(Buffer.alloc(2_100));
    await peer.until(() => peer.frames.some(({ payload }) => payload.length > 0));
    assert.deepEqual(
      peer.frames.filter(({ header }) => header.type === data).map(({ payload }) => payload.length),
      [2_000],
    );
    peer.send({}, Buffer.alloc(WINDOW_BYTES));
    peer.send({ streamId: 3 }, Buffer.alloc(600));
    peer.send({ flags: syn, streamId: 5 }, Buffer.alloc(1_000));
    await peer.until(() => peer.streams.length === 3);
    assert.equal(peer.session.closed, false);
    peer.send({ streamId: 3 }, Buffer.alloc(1));
    assert.equal(((await peer.closed) as { code?: string }).code, 'ERR_MALFORMED');
  });

  it('window updates → none before the reader took half of the window', async () => {
    const peer = openRawPeer();
    peer.send({ flags: syn }, Buffer.alloc(WINDOW_BYTES));
    peer.send({ type: ping, flags: syn, streamId: 0, length: 1 });
    await peer.until(() => hasFrame(peer.frames, { type: ping, flags: ack, length: 1 }));
    const [stream] = peer.streams;
    assert.ok(stream);
    const granted = (): number =>
      peer.frames.reduce((sum, { header }) => sum + (header.type === windowUpdate ? header.length : 0), 0);
    assert.equal(granted(), 0);
    let takenBytes = 0;
    while (takenBytes < WINDOW_BYTES) {
      const piece = stream.read() as Buffer | null;
      takenBytes += piece?.length ?? 0;
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(granted() <= takenBytes);
      assert.ok(takenBytes - granted() < WINDOW_BYTES / 2 || granted() > 0);
    }
    await peer.until(() => granted() >= WINDOW_BYTES / 2);
    peer.session.destroy();
  });

  it('streams above streamsMax → RST, counted; a place that is free is given again', async () => {
    const peer = openRawPeer({ streamsMax: 2 });
    for (const streamId of [1, 3, 5]) peer.send({ flags: syn, streamId });
    peer.send({ streamId: 5 }, Buffer.from('early data of the refused stream'));
    await peer.until(() => hasFrame(peer.frames, { streamId: 5, flags: rst }));
    assert.equal(peer.session.refusedStreams, 1);
    assert.equal(peer.session.streams, 2);
    peer.send({ streamId: 1, flags: rst });
    peer.send({ streamId: 7, flags: syn });
    await peer.until(() => hasFrame(peer.frames, { streamId: 7, flags: ack }));
    const opened = [peer.session.openStream(), peer.session.openStream()];
    assert.throws(() => peer.session.openStream(), { code: 'ERR_BOUND_EXCEEDED', retryable: true });
    opened[0]?.reset();
    peer.session.openStream();
    peer.session.destroy();
  });

  it('accepted → resolved by the first frame, rejected by RST and by the loss of the session', async () => {
    const peer = openRawPeer();
    const [taken, refused, lost] = [peer.session.openStream(), peer.session.openStream(), peer.session.openStream()];
    peer.send({ type: windowUpdate, streamId: taken.id, flags: ack });
    await taken.accepted;
    peer.send({ type: windowUpdate, streamId: refused.id, flags: rst });
    await assert.rejects(refused.accepted, { code: 'ERR_STREAM_RESET' });
    peer.session.destroy();
    await assert.rejects(lost.accepted, { code: 'ERR_STREAM_RESET' });
  });

  it('go away 0 → no new streams, open ones go on; the end of the connection is then clean', async () => {
    const peer = openRawPeer();
    peer.send({ flags: syn });
    peer.send({ type: goAway, streamId: 0, length: 0 });
    await peer.until(() => !peer.session.takesStreams);
    assert.throws(() => peer.session.openStream(), { code: 'ERR_STREAM_RESET', retryable: true });
    assert.equal(peer.session.streams, 1);
    peer.session.goAway();
    peer.send({ flags: syn, streamId: 3 });
    await peer.until(() => hasFrame(peer.frames, { streamId: 3, flags: rst }));
    peer.session.close();
    assert.equal(peer.session.closed, false);
    peer.send({ flags: fin });
    peer.streams[0]?.resume().end();
    assert.equal(await peer.closed, undefined);
    assert.equal(peer.frames.filter(({ header }) => header.type === goAway).length, 1);
  });

  it('go away 2 → every stream is reset', async () => {
    const peer = openRawPeer();
    const stream = peer.session.openStream();
    peer.send({ type: goAway, streamId: 0, length: GO_AWAY_CODES.internalError });
    assert.equal(((await peer.closed) as { code?: string }).code, 'ERR_STREAM_RESET');
    assert.ok(stream.destroyed);
  });

  it('as many pings in a second as may be → answered; one more → the session ends', async () => {
    let nowMs = 0;
    const peer = openRawPeer({ now: () => nowMs });
    const sendPings = (count: number): void => {
      for (let index = 0; index < count; index += 1) peer.send({ type: ping, flags: syn, streamId: 0, length: index });
    };
    const answers = (): number => peer.frames.filter(({ header }) => header.flags === ack).length;
    sendPings(PINGS_PER_SECOND_MAX);
    await peer.until(() => answers() === PINGS_PER_SECOND_MAX);
    nowMs = 1000;
    sendPings(PINGS_PER_SECOND_MAX);
    await peer.until(() => answers() === 2 * PINGS_PER_SECOND_MAX);
    assert.equal(peer.session.closed, false);
    sendPings(1);
    assert.equal(((await peer.closed) as { code?: string }).code, 'ERR_MALFORMED');
  });

  it('a peer that sends but does not read → ERR_BOUND_EXCEEDED', async () => {
    const peer = openRawPeer({ streamsMax: 0 });
    peer.stall();
    const syns = Array.from({ length: 1000 }, (_, index) => index);
    for (let round = 0; !peer.session.closed; round += 1) {
      const ids = syns.map((index) => 1 + 2 * (round * syns.length + index));
      const headers = ids.map((streamId) => encodeHeader({ type: windowUpdate, flags: syn, streamId, length: 0 }));
      peer.sendBytes(Buffer.concat(headers));
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(round < 500);
    }
    assert.equal(((await peer.closed) as { code?: string }).code, 'ERR_BOUND_EXCEEDED');
  });

  it('any frames → at worst the session ends with an AppError; no stream is left', async () => {
    const header = fc.record({
      type: fc.constantFrom(data, data, windowUpdate, ping, goAway),
      flags: fc.constantFrom(0, 0, syn, syn, ack, fin, rst, syn | fin, syn | rst, 15),
      streamId: fc.integer({ min: 0, max: 9 }),
    });
    const sent = fc.tuple(header, fc.integer({ min: 0, max: 300 }));
    await fc.assert(
      fc.asyncProperty(fc.array(sent, { maxLength: 30 }), async (frames) => {
        const peer = openRawPeer({ onStream: (stream) => stream.resume().end('answer') });
        for (const [header, length] of frames) peer.send(header, Buffer.alloc(header.type === data ? length : 0));
        await new Promise((resolve) => setImmediate(resolve));
        peer.session.destroy();
        const error = await peer.closed;
        assert.equal(error?.name, 'AppError');
        await peer.until(() => peer.session.streams === 0);
      }),
      { numRuns: 200 },
    );
  });
});

describe('openYamux, many frames in one chunk', () => {
  it('more than a turn is worth → spread over turns, in order, nothing lost', async () => {
    const turns: number[] = [];
    let turn = 0;
    const peer = openRawPeer({
      streamsMax: 1_000,
      onStream(stream) {
        turns.push(turn);
        stream.on('data', (piece: Buffer) => stream.write(piece));
      },
    });
    let isOver = false;
    const count = (): void => {
      turn++;
      if (!isOver) setImmediate(count);
    };
    count();
    const opens = Array.from({ length: 300 }, (_, index) => {
      const streamId = 1 + 2 * index;
      const payload = Buffer.from(String(streamId));
      const header = { type: data, flags: syn, streamId, length: payload.length };
      return Buffer.concat([encodeHeader(header), payload]);
    });
    peer.sendBytes(Buffer.concat(opens));
    const echoes = (): RawFrame[] => peer.frames.filter(({ payload }) => payload.length > 0);
    await peer.until(() => echoes().length === 300);
    isOver = true;
    for (const { header, payload } of echoes()) assert.equal(payload.toString(), String(header.streamId));
    const perTurn = new Map<number, number>();
    for (const each of turns) perTurn.set(each, (perTurn.get(each) ?? 0) + 1);
    assert.ok(Math.max(...perTurn.values()) <= WORK_PER_TURN_MAX / WORK_PER_OPEN, String([...perTurn.values()]));
  });
});
