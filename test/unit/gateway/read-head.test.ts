/** Heads at the beginning of streams of sessions, which give them directly, and of any other stream. */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { AppError } from '#src/api/errors.ts';
import { readHead } from '#src/gateway/read-head.ts';
import { makeRequestHeadParser } from '#src/gateway/wire/head.ts';
import { FLAGS } from '#src/gateway/yamux/frame.ts';
import { openRawPeer } from './yamux/raw-peer.ts';

const HEAD = Buffer.from('GET /exchange HTTP/1.1\r\nHost: east:443\r\n\r\n');
const LONG_MS = 60_000;

interface Far {
  /** Read here. */
  readonly stream: Duplex;
  /** From the other end. */
  send(bytes: Buffer): void;
  end(): void;
}

async function openOfSession(): Promise<Far> {
  const peer = openRawPeer();
  peer.send({ flags: FLAGS.syn });
  await peer.until(() => peer.streams.length === 1);
  const stream = peer.streams[0];
  assert.ok(stream);
  return { stream, send: (bytes) => peer.send({}, bytes), end: () => peer.send({ flags: FLAGS.fin }) };
}

function openOther(): Promise<Far> {
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  return Promise.resolve({ stream, send: (bytes) => stream.push(bytes), end: () => stream.push(null) });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function allOf(stream: Duplex): Promise<string> {
  let text = '';
  for await (const piece of stream) text += String(piece);
  return text;
}

for (const [what, open] of [
  ['a stream of a session', openOfSession],
  ['any other stream', openOther],
] as const) {
  describe(`readHead, of ${what}`, () => {
    let far: Far;
    beforeEach(async () => {
      far = await open();
    });
    afterEach(() => far.stream.destroy());
    const read = (timeoutMs = LONG_MS) => readHead(far.stream, makeRequestHeadParser(), timeoutMs);

    for (const at of [0, 1, HEAD.length - 1, HEAD.length]) {
      it(`cut at ${at}, with bytes behind it and more later → the head, and all that follows is read as ever, in order`, async () => {
        const reading = read();
        const bytes = Buffer.concat([HEAD, Buffer.from('one ')]);
        far.send(bytes.subarray(0, at));
        await turn();
        far.send(bytes.subarray(at));
        assert.equal((await reading).target, '/exchange');
        far.send(Buffer.from('two'));
        await turn();
        far.end();
        assert.equal(await allOf(far.stream), 'one two');
      });
    }

    it('all of it was there before → the same', async () => {
      far.send(Buffer.concat([HEAD, Buffer.from('one')]));
      await turn();
      const reading = read();
      far.end();
      assert.equal((await reading).target, '/exchange');
      assert.equal(await allOf(far.stream), 'one');
    });

    it('the end comes before it → ERR_STREAM_RESET', async () => {
      const reading = read();
      far.send(HEAD.subarray(0, 5));
      await turn();
      far.end();
      await assert.rejects(reading, { code: 'ERR_STREAM_RESET' });
    });

    it('destroyed before it → ERR_STREAM_RESET, or what it was destroyed with', async () => {
      const reading = read();
      far.stream.destroy();
      await assert.rejects(reading, { code: 'ERR_STREAM_RESET' });
      await assert.rejects(read(), { code: 'ERR_STREAM_RESET' });
    });

    it('destroyed for a reason → that one', async () => {
      const reading = read();
      far.stream.destroy(new AppError('ERR_BOUND_EXCEEDED', 'no room'));
      await assert.rejects(reading, { code: 'ERR_BOUND_EXCEEDED' });
    });

    it('not a head → ERR_MALFORMED; what comes then harms nobody', async () => {
      const reading = read();
      far.send(Buffer.from('\0\0'));
      await assert.rejects(reading, { code: 'ERR_MALFORMED' });
      far.send(HEAD);
      await turn();
      assert.equal(far.stream.destroyed, false);
    });

    it('not complete in time → ERR_TIMEOUT', async () => {
      const reading = read(1);
      far.send(HEAD.subarray(0, 5));
      await assert.rejects(reading, { code: 'ERR_TIMEOUT' });
    });
  });
}
