import assert from 'node:assert/strict';
import { makeAccount, type Account } from '#src/gateway/account.ts';
import {
  CONTROL_LINES_PER_SECOND_MAX,
  EARLY_RESETS_PER_SECOND_MAX,
  EXCHANGES_AT_ONCE_MAX,
  EXCHANGES_PER_SECOND_MAX,
  HALF_OPEN_STREAMS_PER_PEER_MAX,
  PEER_BUFFER_BYTES_MAX,
  PENDING_DIALS_PER_PEER_MAX,
  REFUSED_STREAMS_PER_SECOND_MAX,
  STREAMS_PER_PEER_MAX,
  STREAMS_PER_SECOND_MAX,
} from '#src/gateway/limits.ts';
import { makePeerBounds, type PeerBounds } from '#src/gateway/peer-bounds.ts';
import { PINGS_PER_SECOND_MAX } from '#src/gateway/yamux/limits.ts';

describe('makePeerBounds', () => {
  let nowMs: number;
  let account: Account;
  let bounds: PeerBounds;
  let told: string[];
  beforeEach(() => {
    nowMs = 0;
    told = [];
    account = makeAccount();
    bounds = makePeerBounds({ account, now: () => nowMs, onRefused: (limit, peer) => told.push(`${peer} ${limit}`) });
  });
  /** Opens a stream whose head has been read already, unless it is refused. */
  function open(peer = 'east'): (() => void) | string {
    const refusal = bounds.of(peer).refusalOfStream();
    if (refusal !== undefined) return refusal;
    const stream = bounds.of(peer).stream();
    stream.headRead();
    return stream.closed;
  }
  const usage = (limit: string, peer = 'east') =>
    bounds.report().find((each) => each.limit === limit && each.peer === peer);

  it('as many streams as a peer may have open → admitted; one more → refused; one closed → admitted again', () => {
    const closers = Array.from({ length: STREAMS_PER_PEER_MAX }, () => {
      nowMs += 1;
      return open();
    });
    assert.ok(closers.every((closer) => typeof closer === 'function'));
    assert.equal(open(), 'streams');
    assert.ok(typeof open('west') === 'function', 'another peer has its own bound');
    const [first] = closers;
    if (typeof first === 'function') {
      first();
      first();
    }
    assert.equal(typeof open(), 'function');
    assert.equal(open(), 'streams');
  });

  it('as many without a head as may be → admitted; one more → refused; one head read → admitted again', () => {
    const { refusalOfStream, stream } = bounds.of('east');
    const streams = Array.from({ length: HALF_OPEN_STREAMS_PER_PEER_MAX }, () => {
      assert.equal(refusalOfStream(), undefined);
      return stream();
    });
    assert.equal(refusalOfStream(), 'streams_half_open');
    assert.ok(bounds.of('east').memory.bytes > 0, 'heads that are awaited count as memory');
    streams[0]?.headRead();
    streams[0]?.closed();
    assert.equal(refusalOfStream(), undefined);
    for (const each of streams) each.closed();
    assert.equal(bounds.of('east').memory.bytes, 0);
  });

  it('as many opens in a second as may be → admitted; one more → refused; later → admitted again', () => {
    for (let count = 0; count < STREAMS_PER_SECOND_MAX; count++) {
      const closed = open();
      assert.ok(typeof closed === 'function');
      closed();
    }
    assert.equal(open(), 'stream_opens');
    nowMs = 1;
    assert.equal(typeof open(), 'function');
  });

  it('memory nearly full → no new stream', () => {
    account
      .of('east')
      .hold()
      .set(PEER_BUFFER_BYTES_MAX * 0.75);
    assert.equal(open(), 'buffers');
    assert.equal(typeof open('west'), 'function');
  });

  it('as many dials as may be pending → taken; one more → refused; one done → taken again', () => {
    const { dial } = bounds.of('east');
    const dials = Array.from({ length: PENDING_DIALS_PER_PEER_MAX }, () => dial());
    assert.ok(dials.every((done) => done !== undefined));
    assert.equal(dial(), undefined);
    dials[0]?.();
    assert.notEqual(dial(), undefined);
    assert.equal(dial(), undefined);
  });

  it('as many exchanges as may begin at once → taken; one more → refused and told; later → as many as a second has', () => {
    const begin = (): boolean => bounds.of('east').mayExchange();
    for (let count = 0; count < EXCHANGES_AT_ONCE_MAX; count++) assert.ok(begin());
    assert.equal(begin(), false);
    assert.deepEqual(told, ['east exchange_opens']);
    assert.ok(bounds.of('west').mayExchange());
    nowMs = 1_000;
    for (let count = 0; count < EXCHANGES_PER_SECOND_MAX; count++) assert.ok(begin());
    assert.equal(begin(), false);
  });

  for (const [act, perSecondMax] of [
    ['stream_resets', EARLY_RESETS_PER_SECOND_MAX],
    ['stream_refusals', REFUSED_STREAMS_PER_SECOND_MAX],
    ['pings', PINGS_PER_SECOND_MAX],
    ['control_lines', CONTROL_LINES_PER_SECOND_MAX],
  ] as const) {
    it(`${act}: a second's worth → tolerated; one more → not; for another peer → tolerated`, () => {
      for (let count = 0; count < perSecondMax; count++) assert.ok(bounds.of('east').tolerates(act));
      assert.equal(bounds.of('east').tolerates(act), false);
      assert.ok(bounds.of('west').tolerates(act));
      assert.deepEqual(told, [`east ${act}`]);
    });
  }

  it('many refusals → told once a second, counted each time, and counted once', () => {
    for (let count = 0; count < 1_000; count++) bounds.of('east').refuse('streams');
    nowMs = 999;
    bounds.of('east').refuse('streams');
    assert.deepEqual(told, ['east streams']);
    nowMs = 1_000;
    bounds.of('east').refuse('streams');
    assert.deepEqual(told, ['east streams', 'east streams']);
    assert.equal(usage('streams')?.refused, 1_002);
    assert.equal(usage('streams')?.refused, 0);
  });

  it('a report → each limit of each peer between 0 and 1, and the memory of the process', () => {
    open();
    bounds.of('east').tolerates('pings');
    const report = bounds.report();
    assert.ok(report.every(({ ratio }) => ratio >= 0 && ratio <= 1));
    assert.equal(report.find(({ limit }) => limit === 'streams')?.ratio, 1 / STREAMS_PER_PEER_MAX);
    const pings = report.find(({ limit }) => limit === 'pings')?.ratio ?? 0;
    assert.ok(Math.abs(pings - 1 / PINGS_PER_SECOND_MAX) < 1e-9);
    assert.ok(report.some(({ limit, peer }) => limit === 'buffers' && peer === ''));
  });

  it('a peer that is gone → forgotten when nothing of it is open any more', () => {
    const closed = open();
    bounds.retain(new Map());
    assert.notEqual(usage('streams'), undefined);
    if (typeof closed === 'function') closed();
    bounds.retain(new Map([['east', {}]]));
    assert.notEqual(usage('streams'), undefined);
    bounds.retain(new Map());
    assert.equal(usage('streams'), undefined);
  });
});
