import assert from 'node:assert/strict';
import { makeReplyLimiter, toPrefix, type ReplyLimiter } from '#src/dns/rate-limit.ts';

describe('makeReplyLimiter', () => {
  const make = (part: { prefixesMax?: number } = {}) => {
    const time = { nowMs: 0 };
    return { time, limiter: makeReplyLimiter({ nowMs: () => time.nowMs, repliesPerSecond: 10, burst: 3, ...part }) };
  };
  const takeMany = (limiter: ReplyLimiter, address: string, count: number): number =>
    Array.from({ length: count }, () => limiter.bucketOf(address).take()).filter(Boolean).length;

  it('a burst of 3 → 3 replies; one prefix does not spend another’s', () => {
    const { limiter } = make();
    assert.equal(takeMany(limiter, '192.0.2.1', 2), 2);
    assert.equal(takeMany(limiter, '192.0.2.200', 2), 1);
    assert.equal(takeMany(limiter, '192.0.3.1', 4), 3);
  });

  it('100 ms at 10 a second → one more; long silence → the burst and no more', () => {
    const { limiter, time } = make();
    takeMany(limiter, '192.0.2.1', 3);
    time.nowMs = 99;
    assert.equal(takeMany(limiter, '192.0.2.1', 1), 0);
    time.nowMs = 100;
    assert.equal(takeMany(limiter, '192.0.2.1', 2), 1);
    time.nowMs = 1e9;
    assert.equal(takeMany(limiter, '192.0.2.1', 9), 3);
  });

  it('one prefix more than the table holds → the least recently used is forgotten', () => {
    const { limiter } = make({ prefixesMax: 2 });
    takeMany(limiter, '192.0.1.1', 3);
    takeMany(limiter, '192.0.2.1', 3);
    assert.equal(takeMany(limiter, '192.0.1.1', 1), 0);
    takeMany(limiter, '192.0.3.1', 3);
    assert.equal(takeMany(limiter, '192.0.1.1', 1), 0, 'was used last');
    assert.equal(takeMany(limiter, '192.0.2.1', 1), 1, 'was forgotten');
  });
});

describe('toPrefix', () => {
  const cases = [
    { address: '192.0.2.77', want: '192.0.2' },
    { address: '2001:db8:1:2345::1', want: '2001:db8:1:2300' },
    { address: '2001:db8:1:23ff:1:2:3:4', want: '2001:db8:1:2300' },
    { address: '2001:db8::1', want: '2001:db8:0:0' },
    { address: 'fd00::', want: 'fd00:0:0:0' },
    { address: '::1', want: '0:0:0:0' },
    { address: '::', want: '0:0:0:0' },
    { address: '1:2:3:4:5:6:7::', want: '1:2:3:0' },
  ];
  for (const { address, want } of cases) it(`${address} → ${want}`, () => assert.equal(toPrefix(address), want));
});
