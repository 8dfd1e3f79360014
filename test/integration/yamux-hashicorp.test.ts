/** Sessions of ours with hashicorp's own: either of the two as the dialler, and what either says is understood by the other. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fc from 'fast-check';
import { WINDOW_BYTES } from '#src/gateway/yamux/limits.ts';
import { openYamux, type YamuxOptions, type YamuxSession } from '#src/gateway/yamux/session.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { makeCountedSendMemory } from '#test/support/counted-memory.ts';
import { requireTool } from '#test/support/tools.ts';
import {
  buildYamuxGo,
  startYamuxGo,
  type GoRole,
  type GoSession,
  type GoSessionOptions,
  type GoStream,
  type YamuxGo,
} from '#test/support/yamux-go.ts';
import { hashAll, READINGS, sha256, spoiledSlabs, until, useReading } from './session-pair.ts';

const GO_ROLES: readonly GoRole[] = ['client', 'server'];
const BUILD_TIMEOUT_MS = 300_000;
const STREAMS_MAX = 200;
const BULK_BYTES = 32 * 1024 * 1024;

let go: YamuxGo;

/** Ours and Go's end of one connection. */
interface Mixed extends AsyncDisposable {
  readonly ours: YamuxSession;
  readonly theirs: GoSession;
  readonly closed: Promise<Error | undefined>;
  /** A stream that ours opens, both ends of it. */
  openHere(): Promise<[YamuxStream, GoStream]>;
  openThere(): Promise<[YamuxStream, GoStream]>;
}

type MixedOptions = GoSessionOptions & Partial<Pick<YamuxOptions, 'streamsMax' | 'timings'>>;

async function openMixed({ role, streamsMax = STREAMS_MAX, timings, ...options }: MixedOptions): Promise<Mixed> {
  const theirs = await go.dial({ role, ...options });
  const socketClosed = new Promise((resolve) => theirs.socket.once('close', resolve));
  const ended = Promise.withResolvers<Error | undefined>();
  const arrived = new Map<number, YamuxStream>();
  const sendMemory = makeCountedSendMemory();
  const ours = openYamux({
    socket: theirs.socket,
    role: role === 'client' ? 'acceptor' : 'dialler',
    streamsMax,
    onStream: (stream) => arrived.set(stream.id, stream),
    onClose: ended.resolve,
    pool: spoiledSlabs,
    sendMemory,
    ...(timings && { timings }),
  });
  const accepted = new Map<number, GoStream>();
  /** One `accept` for each stream that ours opens: whichever of them gets it. */
  async function acceptThere(id: number): Promise<GoStream> {
    const stream = await theirs.accept();
    accepted.set(stream.id, stream);
    await until(() => accepted.has(id));
    return accepted.get(id) as GoStream;
  }
  return {
    ours,
    theirs,
    closed: ended.promise,
    async openHere() {
      const stream = ours.openStream();
      const other = await acceptThere(stream.id);
      await stream.accepted;
      return [stream, other];
    },
    async openThere() {
      const other = await theirs.open();
      await until(() => arrived.has(other.id));
      return [arrived.get(other.id) as YamuxStream, other];
    },
    async [Symbol.asyncDispose]() {
      ours.destroy();
      await theirs.end();
      await socketClosed;
      await until(() => spoiledSlabs.taken === 0 && sendMemory.taken === 0);
    },
  };
}

/** Nothing is left of any stream at either end, and hashicorp's has found nothing wrong. */
async function assertQuiet({ ours, theirs }: Mixed): Promise<void> {
  await until(() => ours.streams === 0);
  let status = await theirs.status();
  while (status.streams > 0) status = await theirs.status();
  assert.deepEqual(status, { streams: 0, closed: false, faults: [] });
}

/** Writes in pieces, as far as the stream takes them. */
async function writePieces(stream: YamuxStream, payload: Buffer, pieceBytes: number): Promise<void> {
  for (let offset = 0; offset < payload.length; offset += pieceBytes) {
    if (!stream.write(payload.subarray(offset, offset + pieceBytes))) await once(stream, 'drain');
  }
}

/** Takes a piece, waits for a turn of the event loop, and so on. */
function hashSlowly(stream: YamuxStream): Promise<string> {
  stream.on('data', () => {
    stream.pause();
    setImmediate(() => stream.resume());
  });
  return hashAll(stream);
}

/** What becomes of one stream. */
interface Pattern {
  readonly openedBy: 'us' | 'go';
  readonly upBytes: number;
  readonly downBytes: number;
  readonly pieceBytes: number;
  readonly ourReader: 'quick' | 'slow';
  readonly goPauseUs: number;
  /** Who ends the half that it writes only when the other's has ended; `nobody`: both at once. */
  readonly waits: 'us' | 'go' | 'nobody';
  /** Ours resets it when this much was written. */
  readonly resetAtBytes: number | undefined;
}

const SIZES = fc.oneof(
  fc.constantFrom(0, 1, WINDOW_BYTES - 1, WINDOW_BYTES, WINDOW_BYTES + 1),
  fc.integer({ min: 0, max: 3_000 }),
  fc.integer({ min: 0, max: 3 * WINDOW_BYTES }),
);
const PATTERN: fc.Arbitrary<Pattern> = fc.record({
  openedBy: fc.constantFrom('us', 'go'),
  upBytes: SIZES,
  downBytes: SIZES,
  pieceBytes: fc.constantFrom(700, 5_000, 65_536, 200_000),
  ourReader: fc.constantFrom('quick', 'slow'),
  goPauseUs: fc.constantFrom(0, 0, 300),
  waits: fc.constantFrom('us', 'go', 'nobody'),
  resetAtBytes: fc.option(fc.integer({ min: 0, max: WINDOW_BYTES }), { nil: undefined, freq: 5 }),
});

async function run(mixed: Mixed, pattern: Pattern): Promise<void> {
  const [ours, theirs] = await (pattern.openedBy === 'us' ? mixed.openHere() : mixed.openThere());
  if (pattern.resetAtBytes !== undefined) return runReset([ours, theirs], pattern, pattern.resetAtBytes);
  const { upBytes, downBytes, pieceBytes, ourReader, goPauseUs, waits } = pattern;
  const payload = randomBytes(upBytes);
  const pace = { pieceBytes, pauseUs: goPauseUs };
  const here = ourReader === 'quick' ? hashAll(ours) : hashSlowly(ours);
  const there = theirs.read(pace);
  const up = (async () => {
    if (waits === 'us') await here;
    await writePieces(ours, payload, pieceBytes);
    ours.end();
  })();
  const down = (async () => {
    if (waits === 'go') await there;
    const written = await theirs.write(downBytes, pace);
    await theirs.close();
    return written.sha256;
  })();
  const [received, read, sent] = await Promise.all([here, there, down, up]);
  assert.equal(received, sent, JSON.stringify(pattern));
  assert.deepEqual(read, { bytes: upBytes, sha256: sha256(payload), ended: 'end' }, JSON.stringify(pattern));
}

/** Go's reader hears of a reset, never of an end, however much was under way either way. */
async function runReset([ours, theirs]: [YamuxStream, GoStream], pattern: Pattern, atBytes: number): Promise<void> {
  const there = theirs.read({ pieceBytes: pattern.pieceBytes });
  const down = theirs.write(pattern.downBytes).catch((error: unknown) => String(error));
  ours.resume();
  await writePieces(ours, Buffer.alloc(Math.min(atBytes, pattern.upBytes)), pattern.pieceBytes);
  ours.reset();
  assert.equal((await there).ended, 'reset', JSON.stringify(pattern));
  await down;
}

describe('yamux beside hashicorp/yamux', () => {
  before(function () {
    this.timeout(BUILD_TIMEOUT_MS);
    go = startYamuxGo(buildYamuxGo(requireTool(this, 'go')));
  });
  after(() => go?.[Symbol.asyncDispose]());

  for (const role of GO_ROLES) {
    for (const reading of READINGS) {
      describe(`Go as the ${role}, ${reading}`, () => {
        useReading(reading);

        it('100 random streams of both ends at once → equal by hash both ways, resets are resets, nothing left', async () => {
          const patterns = fc.sample(PATTERN, 100);
          await using mixed = await openMixed({ role });
          await Promise.all(patterns.map((pattern) => run(mixed, pattern)));
          await assertQuiet(mixed);
        });

        it('32 MiB both ways at once, in pieces beyond any window → equal by hash, however large windows have become', async () => {
          await using mixed = await openMixed({ role, windowBytes: 4 * WINDOW_BYTES });
          const [ours, theirs] = await mixed.openHere();
          const payload = randomBytes(BULK_BYTES);
          const [received, read, sent] = await Promise.all([
            hashAll(ours),
            theirs.read(),
            theirs.write(BULK_BYTES, { pieceBytes: BULK_BYTES / 4 }).then(async (written) => {
              await theirs.close();
              return written;
            }),
            writePieces(ours, payload, BULK_BYTES / 4).then(() => ours.end()),
          ]);
          assert.equal(received, sent.sha256);
          assert.deepEqual(read, { bytes: BULK_BYTES, sha256: sha256(payload), ended: 'end' });
          await assertQuiet(mixed);
        });
      });
    }

    describe(`Go as the ${role}`, () => {
      it('the first window in one write, before a byte is read → taken; the next byte only after a window update', async () => {
        await using mixed = await openMixed({ role });
        const [ours, theirs] = await mixed.openThere();
        await theirs.write(WINDOW_BYTES);
        const more = theirs.write(1);
        await mixed.ours.ping();
        await until(() => ours.heldBytes >= WINDOW_BYTES);
        assert.ok(ours.heldBytes < 2 * WINDOW_BYTES);
        ours.resume();
        await more;
        ours.end();
        await theirs.close();
        await assertQuiet(mixed);
      });

      it('a reader of Go that stalls → ours stops at its window, goes on when it reads', async () => {
        await using mixed = await openMixed({ role });
        const [ours, theirs] = await mixed.openHere();
        const payload = randomBytes(3 * WINDOW_BYTES);
        ours.end(payload);
        await mixed.theirs.ping();
        assert.equal(ours.writableFinished, false);
        assert.equal((await theirs.read({ bytes: WINDOW_BYTES })).ended, 'enough');
        assert.equal(ours.writableFinished, false);
        const rest = await theirs.read();
        assert.deepEqual(rest, {
          bytes: 2 * WINDOW_BYTES,
          sha256: sha256(payload.subarray(WINDOW_BYTES)),
          ended: 'end',
        });
        ours.resume();
        await theirs.close();
        await assertQuiet(mixed);
      });

      it('a Go that gives four windows at once → they are used', async () => {
        await using mixed = await openMixed({ role, windowBytes: 4 * WINDOW_BYTES });
        const [ours, theirs] = await mixed.openHere();
        ours.end(Buffer.alloc(4 * WINDOW_BYTES));
        await once(ours, 'finish');
        assert.equal((await theirs.read()).bytes, 4 * WINDOW_BYTES);
        ours.resume();
        await theirs.close();
        await assertQuiet(mixed);
      });

      it('half-closed by either → the other half goes on', async () => {
        await using mixed = await openMixed({ role });
        const [first, firstThere] = await mixed.openHere();
        first.end('question');
        assert.equal((await firstThere.read()).ended, 'end');
        const received = hashAll(first);
        const { sha256: answer } = await firstThere.write(100_000);
        await firstThere.close();
        assert.equal(await received, answer);

        const [second, secondThere] = await mixed.openThere();
        const { sha256: question } = await secondThere.write(100_000);
        await secondThere.close();
        assert.equal(await hashAll(second), question);
        second.end('answer');
        assert.deepEqual(await secondThere.read(), { bytes: 6, sha256: sha256(Buffer.from('answer')), ended: 'end' });
        await assertQuiet(mixed);
      });

      it('half-closed by ours before Go has accepted it → no less a stream', async () => {
        await using mixed = await openMixed({ role });
        const ours = mixed.ours.openStream();
        ours.end('all of it');
        await mixed.theirs.ping();
        const theirs = await mixed.theirs.accept();
        assert.equal((await theirs.read()).sha256, sha256(Buffer.from('all of it')));
        const received = hashAll(ours);
        const { sha256: sent } = await theirs.write(10);
        await theirs.close();
        assert.equal(await received, sent);
        await ours.accepted;
        await assertQuiet(mixed);
      });

      it('half-closed by Go, whose patience then ends → ERR_STREAM_RESET here, never an end', async () => {
        await using mixed = await openMixed({ role, closeTimeoutMs: 50 });
        const [ours, theirs] = await mixed.openHere();
        await theirs.close();
        await assert.rejects(once(ours, 'never'), { code: 'ERR_STREAM_RESET' });
        assert.ok(ours.destroyed);
        await assertQuiet(mixed);
      });

      it('streams beyond what Go keeps for accepting → reset; those before live', async () => {
        await using mixed = await openMixed({ role, acceptBacklog: 3 });
        const streams = Array.from({ length: 4 }, () => mixed.ours.openStream());
        const last = streams.pop() as YamuxStream;
        await assert.rejects(last.accepted, { code: 'ERR_STREAM_RESET' });
        for (const ours of streams) {
          const theirs = await mixed.theirs.accept();
          ours.resume().end();
          await theirs.close();
        }
        await assertQuiet(mixed);
      });

      it('streams beyond streamsMax → Go hears a reset; a place that is free is given again', async () => {
        await using mixed = await openMixed({ role, streamsMax: 2 });
        const [first, firstThere] = await mixed.openThere();
        const [second, secondThere] = await mixed.openThere();
        const refused = await mixed.theirs.open();
        assert.equal((await refused.read()).ended, 'reset');
        assert.equal(mixed.ours.refusedStreams, 1);
        first.resume().end();
        await firstThere.close();
        await until(() => mixed.ours.streams === 1);
        const [third, thirdThere] = await mixed.openThere();
        for (const stream of [second, third]) stream.resume().end();
        for (const stream of [secondThere, thirdThere]) await stream.close();
        await assertQuiet(mixed);
      });

      it('go away of Go → ours opens no more, what is open goes on', async () => {
        await using mixed = await openMixed({ role });
        const [ours, theirs] = await mixed.openHere();
        await mixed.theirs.goAway();
        await until(() => !mixed.ours.takesStreams);
        assert.throws(() => mixed.ours.openStream(), { code: 'ERR_STREAM_RESET', retryable: true });
        ours.end('last words');
        assert.equal((await theirs.read()).sha256, sha256(Buffer.from('last words')));
        ours.resume();
        await theirs.close();
        await assertQuiet(mixed);
      });

      it('go away of ours → Go opens no more, what is open goes on; the connection ends with it, cleanly', async () => {
        await using mixed = await openMixed({ role });
        const [ours, theirs] = await mixed.openThere();
        mixed.ours.close();
        await mixed.theirs.ping(); // Behind the go away.
        await assert.rejects(mixed.theirs.open(), /remote end is not accepting connections/);
        await theirs.write(1_000);
        await theirs.close();
        const received = hashAll(ours);
        ours.end('done');
        await received;
        assert.equal(await mixed.closed, undefined);
        assert.equal((await theirs.read()).sha256, sha256(Buffer.from('done')));
        assert.deepEqual((await mixed.theirs.status()).faults, []);
      });

      it('Go ends the session with streams open → ERR_STREAM_RESET for each, never an end', async () => {
        await using mixed = await openMixed({ role });
        const [first] = await mixed.openHere();
        const [second, there] = await mixed.openThere();
        await there.write(10);
        const lost = [first, second].map((stream) => assert.rejects(hashAll(stream), { code: 'ERR_STREAM_RESET' }));
        await mixed.theirs.end();
        await Promise.all(lost);
        assert.equal((await mixed.closed) instanceof Error, true);
        assert.equal(mixed.ours.streams, 0);
      });

      it('pings of both, beside bulk, and of silence → answered', async () => {
        await using mixed = await openMixed({ role, timings: { pingAfterMs: 20, deadAfterMs: 5_000 } });
        const [ours, theirs] = await mixed.openHere();
        const bulk = theirs.read();
        const up = writePieces(ours, Buffer.alloc(8 * WINDOW_BYTES), 65_536);
        const pings = await Promise.all(
          Array.from({ length: 10 }, () => [mixed.ours.ping(), mixed.theirs.ping()]).flat(),
        );
        assert.ok(pings.every((rtt) => rtt > 0));
        await up;
        ours.resume().end();
        await bulk;
        await theirs.close();
        const { lastReceivedMs } = mixed.ours;
        await until(() => mixed.ours.lastReceivedMs - lastReceivedMs > 60);
        await assertQuiet(mixed);
      });
    });
  }
});
