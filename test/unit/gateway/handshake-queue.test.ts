import assert from 'node:assert/strict';
import { makeHandshakeQueue, type HandshakeQueue } from '#src/gateway/handshake-queue.ts';
import { makeHandshakeRate, type HandshakeRate } from '#src/gateway/handshake-rate.ts';
import {
  HANDSHAKE_WAIT_MS,
  HANDSHAKES_PER_PREFIX_MAX,
  HANDSHAKES_WAITING_MAX,
  HANDSHAKES_WAITING_PER_PREFIX_MAX,
} from '#src/gateway/limits.ts';

describe('makeHandshakeQueue', () => {
  let nowMs: number;
  let rate: HandshakeRate;
  let queue: HandshakeQueue;
  let look: (() => void) | undefined;
  /** What became of each caller, in order. */
  let told: string[];
  /** Ends of handshakes that have begun, in order. */
  let ends: (() => void)[];
  beforeEach(() => {
    [nowMs, told, ends, look] = [0, [], [], undefined];
    const now = (): number => nowMs;
    rate = makeHandshakeRate({ now });
    const every = (run: () => void): (() => void) => {
      look = run;
      return () => (look = undefined);
    };
    queue = makeHandshakeQueue({ rate, now, every });
  });

  const enter = (name: string, address: string): (() => void) =>
    queue.enter({
      address,
      start({ proved, done }) {
        told.push(name);
        ends.push(() => {
          proved();
          done();
        });
      },
      refuse: (limit) => void told.push(`${name}: ${limit}`),
      yieldPlace: () => void told.push(`${name}: yields`),
    });

  /** Its first caller is a peer; all its places are taken then. */
  function fill(prefix: string): void {
    enter('', `${prefix}.9`);
    ends.pop()?.();
    for (let place = 0; place < HANDSHAKES_PER_PREFIX_MAX; place++) enter('', `${prefix}.9`);
    told.length = 0;
  }

  it('no place, nobody known → refused at once', () => {
    for (let place = 0; place < HANDSHAKES_PER_PREFIX_MAX; place++) enter('', '192.0.2.1');
    told.length = 0;
    enter('a', '192.0.2.1');
    assert.deepEqual([told, queue.waiting, look], [['a: handshakes_per_prefix'], 0, undefined]);
  });

  it('no place, known → waits; each that ends lets the next begin, in order', () => {
    fill('192.0.2');
    for (const name of ['a', 'b', 'c']) enter(name, '192.0.2.9');
    assert.deepEqual([told, queue.waiting], [[], 3]);
    ends[0]?.();
    assert.deepEqual(told, ['a']);
    ends[1]?.();
    ends[2]?.();
    assert.deepEqual([told, queue.waiting, look], [['a', 'b', 'c'], 0, undefined]);
  });

  it('one who leaves, before its turn → the next one begins', () => {
    fill('192.0.2');
    const leave = enter('a', '192.0.2.9');
    enter('b', '192.0.2.9');
    leave();
    leave();
    ends[0]?.();
    assert.deepEqual([told, queue.waiting], [['b'], 0]);
  });

  it('the end of the wait → refused; a millisecond before → not', () => {
    fill('192.0.2');
    enter('a', '192.0.2.9');
    nowMs = HANDSHAKE_WAIT_MS - 1;
    look?.();
    assert.deepEqual(told, []);
    nowMs++;
    look?.();
    assert.deepEqual([told, queue.waiting, look], [['a: handshakes_per_prefix'], 0, undefined]);
  });

  it('a stranger beside those who wait → refused at once: it has no row', () => {
    fill('192.0.2');
    enter('a', '192.0.2.9');
    enter('stranger', '192.0.2.66');
    assert.deepEqual([told, queue.waiting], [['stranger: handshakes_per_prefix'], 1]);
  });

  it('its address is known no more → those who wait are refused', () => {
    fill('192.0.2');
    enter('a', '192.0.2.9');
    const failing = makeHandshakeQueue({ rate, now: () => nowMs, every: () => () => undefined });
    let failures = 0;
    const fail = (): void => {
      failing.enter({
        address: '192.0.2.9',
        start: ({ done }) => done(),
        refuse: () => failures++,
        yieldPlace: () => undefined,
      });
    };
    // One place is left to somebody who fails over and over.
    told.length = 0;
    ends.shift()?.();
    assert.deepEqual(told, ['a']);
    enter('b', '192.0.2.9');
    ends.shift()?.();
    assert.deepEqual(told, ['a', 'b']);
    ends.shift()?.();
    while (failures === 0) fail();
    enter('c', '192.0.2.9');
    assert.equal(told.at(-1), 'c: handshake_rate');
  });

  it('as many as may wait in one row, and in all → waiting; one more → refused at once', () => {
    const rows = HANDSHAKES_WAITING_MAX / HANDSHAKES_WAITING_PER_PREFIX_MAX;
    assert.equal(rows, 2);
    fill('192.0.2');
    for (let caller = 0; caller < HANDSHAKES_WAITING_PER_PREFIX_MAX; caller++) enter('a', '192.0.2.9');
    assert.deepEqual([told, queue.waiting], [[], HANDSHAKES_WAITING_PER_PREFIX_MAX]);
    enter('b', '192.0.2.9');
    assert.deepEqual(told, ['b: handshakes_per_prefix']);
    fill('198.51.100');
    for (let caller = 0; caller < HANDSHAKES_WAITING_PER_PREFIX_MAX; caller++) enter('a', '198.51.100.9');
    assert.deepEqual([told, queue.waiting], [[], HANDSHAKES_WAITING_MAX]);
  });

  it('closed → nobody begins any more', () => {
    fill('192.0.2');
    enter('a', '192.0.2.9');
    queue.close();
    ends[0]?.();
    assert.deepEqual([told, queue.waiting, look], [[], 0, undefined]);
  });
});
