import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex, PassThrough } from 'node:stream';
import { mock } from 'node:test';
import type { TLSSocket } from 'node:tls';
import {
  END_ANSWERED_MS,
  END_LINGER_MS,
  END_UNANSWERED_MS,
  PEER_END_LINGER_MS,
} from '#src/gateway/clusterlink/limits.ts';
import { makeAccount, type Account } from '#src/gateway/account.ts';
import { makeTunnelStream } from '#src/gateway/clusterlink/tunnel-stream.ts';

/** What the peer is sent stands in `sent`; what it says is pushed by the test. */
function makeFar() {
  const far = {
    sent: '',
    hasEnd: false,
    /** Of the peer, for the next piece: it takes no more. */
    take: undefined as (() => void) | undefined,
    stalls: false,
  };
  const socket = new Duplex({
    allowHalfOpen: true,
    writableHighWaterMark: 4,
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      far.sent += chunk.toString();
      if (far.stalls) far.take = done;
      else done();
    },
    final(done) {
      far.hasEnd = true;
      done();
    },
  });
  const tls = Object.assign(socket, { destroySoon: () => void socket.destroy() });
  return Object.assign(far, { socket: tls as unknown as TLSSocket });
}

/** More than a stream that nobody reads keeps. */
const BLOCK = Buffer.alloc(128 * 1024);

const BYTES_MAX = 200_000;

/** Whatever is due in this turn of the event loop and the next ones. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('makeTunnelStream', () => {
  let nowMs: number;
  let far: ReturnType<typeof makeFar>;
  let account: Account;
  let stream: ReturnType<typeof makeTunnelStream>;
  let events: string[];

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    nowMs = 1_000;
    far = makeFar();
    account = makeAccount({ peerBytesMax: BYTES_MAX });
    stream = makeTunnelStream({ socket: far.socket, peer: 'west', now: () => nowMs, memory: account.of('west') });
    events = [];
    for (const event of ['end', 'finish', 'close']) stream.on(event, () => events.push(event));
    stream.on('error', (error) => events.push(error.message));
  });
  afterEach(() => {
    stream.destroy();
    mock.timers.reset();
  });

  async function pass(ms: number): Promise<void> {
    nowMs += ms;
    mock.timers.tick(ms);
    await settle();
  }
  const received = (): string[] => {
    const pieces: string[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece.toString()));
    return pieces;
  };

  it('a client that asks and ends → all of it is there, its end is not; the answer comes whole (§8 item 38)', async () => {
    const pieces = received();
    stream.write('ask');
    stream.end('ing');
    await pass(END_UNANSWERED_MS - 1);
    assert.deepEqual([far.sent, far.hasEnd], ['asking', false]);
    far.socket.push('answer');
    far.socket.push(null);
    await settle();
    assert.deepEqual(pieces, ['answer']);
    assert.deepEqual(events.toSorted(), ['close', 'end', 'finish']);
  });

  it('a service that waits for the end → told when it has said nothing for so long', async () => {
    received();
    stream.end('upload');
    await pass(END_UNANSWERED_MS);
    assert.equal(far.hasEnd, true);
    far.socket.push(null);
    await settle();
    assert.deepEqual(events.toSorted(), ['close', 'end', 'finish']);
  });

  it('a client that has left after the answer → the service is told soon, but not while it speaks', async () => {
    const pieces = received();
    stream.write('ask');
    await pass(1);
    far.socket.push('one ');
    await pass(1);
    stream.end();
    await pass(END_ANSWERED_MS - 2);
    assert.equal(far.hasEnd, false);
    far.socket.push('two');
    await pass(END_ANSWERED_MS - 1);
    assert.equal(far.hasEnd, false);
    await pass(1);
    assert.equal(far.hasEnd, true);
    assert.equal(pieces.join(''), 'one two');
  });

  it('a client that ends before the answer → from the answer on the short wait counts, not the long one', async () => {
    received();
    stream.end('ask');
    await pass(100);
    far.socket.push('answer');
    await pass(END_ANSWERED_MS - 1);
    assert.equal(far.hasEnd, false);
    await pass(1);
    assert.equal(far.hasEnd, true);
  });

  it('a client that has ended and does not read → the service is held back, not silent: nothing is cut', async () => {
    far.socket.push('begin');
    const first = once(stream, 'data');
    await first;
    stream.end();
    stream.pause();
    for (const piece of [BLOCK, BLOCK]) far.socket.push(piece);
    await pass(END_UNANSWERED_MS);
    await pass(END_UNANSWERED_MS);
    assert.equal(far.hasEnd, false);
    stream.resume();
    await settle();
    await pass(END_ANSWERED_MS);
    await pass(END_ANSWERED_MS);
    assert.equal(far.hasEnd, true);
  });

  it('what waits here and at the other side → counted for its peer; gone with it', async () => {
    const other = new PassThrough();
    stream.otherSide = other;
    other.write('12345');
    stream.measure();
    // Nobody reads here yet: what the peer may send meanwhile counts.
    assert.equal(account.bytes, 5 + far.socket.readableHighWaterMark);
    stream.destroy();
    await settle();
    assert.equal(account.bytes, 0);
  });

  it('memory of its peer is short → the one that nobody reads is cut, and says why', async () => {
    const other = new PassThrough({ highWaterMark: 1 });
    stream.otherSide = other;
    other.write('x'.repeat(BYTES_MAX));
    stream.measure();
    await settle();
    assert.equal((stream.errored as { code?: unknown } | null)?.code, 'ERR_BOUND_EXCEEDED');
    assert.match(events.join(), /Memory for west is short/);
    assert.equal(account.bytes, 0);
  });

  it('the peer was told the end and goes on → cut, an error', async () => {
    received();
    stream.end();
    await pass(END_UNANSWERED_MS);
    await pass(END_LINGER_MS);
    assert.match(events.join(), /has not ended the connection/);
    assert.ok(!events.includes('end'));
  });

  it('the peer ends first → what came is read, then the end; the client has a moment to end too', async () => {
    const pieces = received();
    far.socket.push('bye');
    far.socket.push(null);
    await settle();
    assert.deepEqual([pieces, events], [['bye'], ['end']]);
    stream.end();
    await settle();
    assert.deepEqual(events, ['end', 'finish', 'close']);
  });

  it('the peer ends first, the client says nothing more and does not end → ended for it', async () => {
    received();
    far.socket.push(null);
    await settle();
    await pass(PEER_END_LINGER_MS);
    assert.deepEqual(events, ['end', 'finish', 'close']);
  });

  it('the peer ends first, the client goes on → an error: its bytes reach nobody', async () => {
    received();
    far.socket.push(null);
    await settle();
    stream.write('lost');
    await pass(PEER_END_LINGER_MS);
    assert.match(events.join(), /4 bytes of the client came later/);
    assert.equal(far.sent, '');
  });

  it('the peer goes without an end → an error, never a clean end', async () => {
    received();
    far.socket.destroy();
    await settle();
    assert.match(events.join(), /closed the connection before its end/);
    assert.ok(!events.includes('end'));
  });

  it('the connection fails → its error', async () => {
    far.socket.destroy(new Error('read ECONNRESET'));
    await settle();
    assert.deepEqual(events, ['read ECONNRESET', 'close']);
  });

  it('the peer takes nothing → the writer waits; the peer ends meanwhile → it waits no more', async () => {
    far.stalls = true;
    received();
    const written: string[] = [];
    for (const piece of ['full now', 'next']) stream.write(piece, () => written.push(piece));
    await settle();
    assert.deepEqual([far.sent, written], ['full now', []]);
    far.stalls = false;
    far.take?.();
    await settle();
    assert.deepEqual([far.sent, written], ['full nownext', ['full now', 'next']]);
    far.stalls = true;
    stream.write('held back', () => written.push('held back'));
    await settle();
    assert.equal(written.length, 2);
    far.socket.push(null);
    await settle();
    assert.equal(written.length, 3);
  });

  it('cut here → the connection is, and its reason stays with the stream', async () => {
    const why = new Error('revoked');
    stream.destroy(why);
    await settle();
    assert.equal(far.socket.destroyed, true);
    assert.equal(stream.errored, why);
  });
});
