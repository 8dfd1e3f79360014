import assert from 'node:assert/strict';
import { mock } from 'node:test';
import {
  DEAD_AFTER_MS_MAX,
  PING_TIMEOUT_MS,
  PINGS_AWAITED_MAX,
  ROUND_TRIP_AGE_MAX_MS,
} from '#src/gateway/yamux/limits.ts';
import { DEFAULT_TIMINGS, type Liveness, startLiveness } from '#src/gateway/yamux/liveness.ts';

describe('startLiveness', () => {
  let nowMs: number;
  let pings: { value: number; sentMs: number }[];
  let deadMs: number | undefined;
  let liveness: Liveness;

  /** Lets time pass, a millisecond at a time. */
  function pass(ms: number, each: () => void = () => {}): void {
    for (let step = 0; step < ms; step += 1) {
      nowMs += 1;
      each();
      mock.timers.tick(1);
    }
  }

  function start(apis: ('setTimeout' | 'setImmediate')[]): void {
    mock.timers.enable({ apis });
    nowMs = 0;
    pings = [];
    deadMs = undefined;
    liveness = startLiveness({
      timings: DEFAULT_TIMINGS,
      now: () => nowMs,
      sendPing(value) {
        pings.push({ value, sentMs: nowMs });
        liveness.sent();
      },
      onDead(error) {
        assert.equal(error.code, 'ERR_TIMEOUT');
        deadMs = nowMs;
        liveness.stop();
      },
    });
  }

  beforeEach(() => start(['setTimeout', 'setImmediate']));
  afterEach(() => {
    liveness.stop();
    mock.timers.reset();
  });

  /** Answers the first ping after a round trip of `ms`. */
  function measure(ms: number): void {
    pass(500);
    pass(ms - 1, () => liveness.received());
    const [ping] = pings;
    assert.ok(ping);
    nowMs += 1;
    liveness.received();
    liveness.answered(ping.value);
    assert.equal(liveness.rttMs, ms);
  }

  /** Nothing runs for so long: then what is due does. */
  function stall(ms: number): void {
    nowMs += ms;
    mock.timers.tick(ms);
  }

  it('all stands still while an answer is awaited → the peer gets as long again, and lives if it answers then', () => {
    pass(600);
    stall(5_000);
    pass(800);
    assert.equal(deadMs, undefined);
    liveness.received();
    pass(600);
    stall(5_000);
    pass(1_600);
    assert.ok(deadMs !== undefined);
  });

  it('it stands still again and again → a silent peer is dead all the same', () => {
    pass(600);
    for (let times = 0; times < 3 && deadMs === undefined; times++) stall(2_000);
    pass(10);
    assert.ok(deadMs !== undefined);
  });

  it('a look that is a little late → no longer than ever', () => {
    pass(1_900);
    stall(300);
    pass(10);
    assert.ok(deadMs !== undefined);
  });

  it('500 ms of silence → a ping; 1.5 s more → dead', () => {
    pass(499);
    assert.equal(pings.length, 0);
    pass(1);
    assert.equal(pings[0]?.sentMs, 500);
    pass(1499);
    assert.equal(deadMs, undefined);
    pass(2);
    assert.ok(deadMs !== undefined && deadMs <= 2001);
  });

  it('a byte just before → alive; 1.5 s of silence after the next ping → dead', () => {
    pass(1999);
    liveness.received();
    pass(1);
    assert.equal(pings.at(-1)?.sentMs, 2000);
    pass(1499);
    assert.equal(deadMs, undefined);
    pass(2);
    assert.ok(deadMs !== undefined);
  });

  for (const [name, isWaiting] of [
    ['bytes waiting in the socket → alive', true],
    ['nothing waiting → dead', false],
  ] as const) {
    it(`a process that was held up a little, with ${name}`, async () => {
      liveness.stop();
      mock.timers.reset();
      start(['setTimeout']);
      pass(1_900);
      nowMs += 300;
      mock.timers.tick(300); // The timer runs; the turn of the event loop that reads the sockets comes after it.
      if (isWaiting) liveness.received();
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(deadMs, isWaiting ? undefined : nowMs);
    });
  }

  it('a round trip of 1 s → dead 4 s after the ping', () => {
    measure(1000);
    const silentMs = nowMs;
    pass(6000);
    const ping = pings.find(({ sentMs }) => sentMs >= silentMs);
    assert.ok(ping !== undefined && deadMs !== undefined);
    assert.ok(deadMs - ping.sentMs >= 4000 && deadMs - ping.sentMs <= 4001, `${deadMs - ping.sentMs}`);
  });

  it('a round trip of a minute → gains no more than 30 s', () => {
    measure(60_000);
    pass(500 + DEAD_AFTER_MS_MAX + 2);
    assert.ok(deadMs !== undefined);
  });

  it('an end that only receives → pings all the same', () => {
    pass(2000, () => liveness.received());
    assert.equal(pings.length, 4);
    assert.equal(deadMs, undefined);
  });

  it('bytes come and go all the time → the round trip is measured anew every 5 s', () => {
    pass(ROUND_TRIP_AGE_MAX_MS * 2, () => {
      liveness.received();
      liveness.sent();
    });
    assert.deepEqual(
      pings.map(({ sentMs }) => sentMs),
      [ROUND_TRIP_AGE_MAX_MS, ROUND_TRIP_AGE_MAX_MS * 2],
    );
  });

  it('an answer to no ping of ours → ignored', () => {
    liveness.answered(12345);
    assert.equal(liveness.rttMs, undefined);
  });

  it('stop → no ping any more; who waits for an answer is told', async () => {
    const waiting = liveness.ping();
    liveness.stop();
    const sent = pings.length;
    pass(3000);
    assert.equal(pings.length, sent);
    await assert.rejects(waiting, { code: 'ERR_STREAM_RESET' });
  });

  it('ping answered → its round trip; not answered → ERR_TIMEOUT after 5 s', async () => {
    const answered = liveness.ping();
    pass(30);
    liveness.answered(pings[0]?.value ?? 0);
    assert.equal(await answered, 30);
    const lost = liveness.ping();
    pass(PING_TIMEOUT_MS, () => liveness.received());
    await assert.rejects(lost, { code: 'ERR_TIMEOUT' });
  });

  it('one ping more than may be awaited → ERR_BOUND_EXCEEDED', async () => {
    const waiting = Promise.allSettled(Array.from({ length: PINGS_AWAITED_MAX }, () => liveness.ping()));
    await assert.rejects(liveness.ping(), { code: 'ERR_BOUND_EXCEEDED' });
    assert.equal(pings.length, PINGS_AWAITED_MAX);
    liveness.stop();
    await waiting;
  });
});
