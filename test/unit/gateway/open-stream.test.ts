import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { mock } from 'node:test';
import { Duplex } from 'node:stream';
import { AppError } from '#src/api/errors.ts';
import { makeAccount } from '#src/gateway/account.ts';
import { makeEarlyBytes } from '#src/gateway/early-bytes.ts';
import { ANSWER_TIMEOUT_MS, SWITCH_AFTER_MS } from '#src/gateway/limits.ts';
import { openStream, type StreamAttempt } from '#src/gateway/open-stream.ts';
import type { Cut, PeerSession } from '#src/gateway/session.ts';
import { encodeAnswer, type ConnectRequest } from '#src/gateway/wire/connect.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { makeSession } from './fake-session.ts';

const CONNECTION = '0'.repeat(32);
const REQUEST: ConnectRequest = {
  exporter: 'east',
  export: { namespace: 'shop', name: 'db' },
  port: { port: 5432, protocol: 'TCP' },
  source: null,
  client: CONNECTION,
  connection: CONNECTION,
  via: ['west'],
  crit: [],
};

/** A stream of which the test is the other end. */
class FarStream extends Duplex {
  readonly id = 7;
  sent = '';
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.sent += chunk.toString();
    done();
  }
  reset(error?: Error): void {
    this.destroy(error);
  }
}

/** Everything that is waiting to be done, without a timer. */
async function settle(): Promise<void> {
  for (let count = 0; count < 5; count++) await new Promise((resolve) => setImmediate(resolve));
}

describe('openStream, with early bytes', () => {
  let far: FarStream;
  let client: Duplex;
  let withdrawn: number;
  let cut: Cut | undefined;
  let session: PeerSession;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    far = new FarStream({ allowHalfOpen: true });
    far.on('error', () => undefined);
    client = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() }).pause();
    withdrawn = 0;
    cut = undefined;
    session = makeSession({
      openStream: () => far as unknown as YamuxStream,
      withdraw: () => void withdrawn++,
      explainCut: () => Promise.resolve(cut),
    });
  });
  afterEach(() => {
    mock.timers.reset();
    client.destroy();
    far.destroy();
  });

  async function open(said: string, timeoutMs = SWITCH_AFTER_MS) {
    if (said !== '') client.push(said);
    const bytes = makeEarlyBytes(client as Socket);
    let attempt: StreamAttempt | undefined;
    const done = openStream(session, REQUEST, { timeoutMs, early: { bytes, mayPass: () => true } });
    void done.then((outcome) => (attempt = outcome));
    await settle();
    return { done, now: () => attempt };
  }
  async function pass(ms: number): Promise<void> {
    mock.timers.tick(ms);
    await settle();
  }
  const answer = (ok: boolean): boolean =>
    far.push(
      encodeAnswer(
        ok
          ? { ok: true, connection: CONNECTION }
          : { ok: false, status: 503, reason: 'unavailable', connection: CONNECTION },
      ),
    );
  function failureOf(attempt: StreamAttempt) {
    assert.equal(attempt.ok, false);
    const { reason, overdue = false, spent = false } = attempt;
    return { reason, overdue, spent };
  }

  it('they follow the request at once, and 200 comes → open', async () => {
    const { done } = await open('early');
    assert.match(far.sent, /\r\n\r\nearly$/);
    answer(true);
    assert.equal((await done).ok, true);
    assert.deepEqual([client.isPaused(), withdrawn], [true, 0]);
  });

  it('a no → not spent', async () => {
    const { done } = await open('early');
    answer(false);
    assert.deepEqual(failureOf(await done), { reason: 'NO_USABLE_SOURCE', overdue: false, spent: false });
  });

  it('silence, and the client has said nothing → overdue after the short time, and taken back by a reset', async () => {
    const { done } = await open('');
    await pass(SWITCH_AFTER_MS);
    assert.deepEqual(failureOf(await done), { reason: 'PEER_UNREACHABLE', overdue: true, spent: false });
    assert.deepEqual([withdrawn, far.destroyed], [0, true]);
  });

  it('silence → asked to refuse after the short time; a no is overdue, and not spent', async () => {
    const { done, now } = await open('early');
    await pass(SWITCH_AFTER_MS - 1);
    assert.equal(withdrawn, 0);
    await pass(1);
    assert.deepEqual([withdrawn, now()], [1, undefined]);
    client.push('late');
    await settle();
    assert.match(far.sent, /\r\n\r\nearly$/, 'nothing more goes to one that is to refuse');
    answer(false);
    assert.deepEqual(failureOf(await done), { reason: 'PEER_UNREACHABLE', overdue: true, spent: false });
  });

  it('the yes comes behind that → open all the same', async () => {
    const { done } = await open('early');
    await pass(SWITCH_AFTER_MS);
    answer(true);
    assert.equal((await done).ok, true);
  });

  it('no answer to that either → spent, when the whole time is over', async () => {
    const { done, now } = await open('early');
    await pass(ANSWER_TIMEOUT_MS - 1);
    assert.deepEqual([withdrawn, now()], [1, undefined]);
    await pass(1);
    assert.deepEqual(failureOf(await done), { reason: 'EARLY_BYTES_SPENT', overdue: false, spent: true });
    assert.equal(far.destroyed, true);
  });

  const losses: [title: string, said: string, word: Cut | undefined, reason: string, spent: boolean][] = [
    ['reset without a word', 'early', undefined, 'EARLY_BYTES_SPENT', true],
    ['reset with a word', 'early', { kind: 'told', reason: 'denied' }, 'EARLY_BYTES_SPENT', true],
    ['not served', 'early', { kind: 'told', reason: 'drained', unserved: true }, 'DRAINED', false],
    ['session lost', 'early', { kind: 'session-lost', message: 'gone' }, 'EARLY_BYTES_SPENT', true],
    ['reset, nothing said', '', undefined, 'PEER_UNREACHABLE', false],
    ['session lost, nothing said', '', { kind: 'session-lost', message: 'gone' }, 'PEER_UNREACHABLE', false],
  ];
  for (const [title, said, word, reason, spent] of losses) {
    it(`${title} → ${reason}${spent ? ', spent' : ''}`, async () => {
      const { done } = await open(said);
      cut = word;
      far.destroy(new AppError('ERR_STREAM_RESET', 'reset by the peer', { retryable: true }));
      assert.deepEqual(failureOf(await done), { reason, overdue: false, spent });
    });
  }

  for (const [bytesMax, spent] of [
    [4, false],
    [5, true],
  ] as const) {
    it(`their memory is needed ${spent ? 'after' : 'before'} they are sent → OVERLOADED, ${spent ? '' : 'not '}spent`, async () => {
      session = { ...session, memory: makeAccount({ bytesMax, peerBytesMax: bytesMax }).of('east') };
      const { done } = await open('early');
      client.push('!');
      assert.deepEqual(failureOf(await done), { reason: 'OVERLOADED', overdue: false, spent });
    });
  }

  it('there is no stream to be had → the client is not read', async () => {
    session = makeSession({
      openStream() {
        throw new AppError('ERR_BOUND_EXCEEDED', 'full', { retryable: true });
      },
    });
    const { done } = await open('early');
    assert.deepEqual(failureOf(await done), { reason: 'OVERLOADED', overdue: false, spent: false });
    assert.equal(client.readableLength, 5);
  });
});
