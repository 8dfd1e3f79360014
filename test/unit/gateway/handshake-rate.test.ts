import assert from 'node:assert/strict';
import { makeHandshakeRate, prefixOf, type HandshakeRate, type HandshakeVerdict } from '#src/gateway/handshake-rate.ts';
import {
  HANDSHAKE_BURST_PER_KNOWN_PREFIX_MAX,
  HANDSHAKE_BURST_PER_PREFIX_MAX,
  HANDSHAKE_BURST_UNKNOWN_MAX,
  HANDSHAKE_KNOWN_ADDRESSES_MAX,
  HANDSHAKE_KNOWN_MS,
  HANDSHAKE_PREFIXES_MAX,
  HANDSHAKE_YIELDS_AFTER_MS,
  HANDSHAKES_MAX,
  HANDSHAKES_PER_PREFIX_MAX,
  HANDSHAKES_PER_SECOND_KNOWN_MAX,
  HANDSHAKES_PER_SECOND_MAX,
  HANDSHAKES_PER_SECOND_UNKNOWN_MAX,
  REDIAL_MAX_MS,
} from '#src/gateway/limits.ts';

describe('prefixOf', () => {
  const cases: [string, string][] = [
    ['192.0.2.77', '192.0.2.0/24'],
    ['::ffff:192.0.2.77', '192.0.2.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2/64'],
    ['2001:0DB8:0001:2::9', '2001:db8:1:2/64'],
    ['2001:db8::1', '2001:db8:0:0/64'],
    ['::1', '0:0:0:0/64'],
    ['fe80::1%eth0', 'fe80:0:0:0/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0/64'],
    ['unknown', 'unknown'],
    ['', 'unknown'],
  ];
  for (const [address, prefix] of cases) it(`${address} → ${prefix}`, () => assert.equal(prefixOf(address), prefix));
});

describe('makeHandshakeRate', () => {
  let nowMs: number;
  let rate: HandshakeRate;
  beforeEach(() => {
    nowMs = 0;
    yielded = [];
    rate = makeHandshakeRate({ now: () => nowMs });
  });
  const said = (verdict: HandshakeVerdict): string => (verdict.ok ? 'taken' : verdict.limit);
  /** Prefixes whose handshakes were ended for others, in order. */
  let yielded: string[];
  const admit = (address: string): HandshakeVerdict => rate.admit(address, () => yielded.push(prefixOf(address)));
  const call = (address: string, count: number): string[] => Array.from({ length: count }, () => said(admit(address)));
  /** A handshake that ends at once. */
  function shake(address: string): string {
    const verdict = admit(address);
    if (verdict.ok) verdict.done();
    return said(verdict);
  }

  it('half of the places from one prefix → taken; the next one → refused, and another prefix gets the rest', () => {
    assert.deepEqual(new Set(call('192.0.2.1', HANDSHAKES_PER_PREFIX_MAX)), new Set(['taken']));
    assert.equal(said(admit('192.0.2.250')), 'handshakes_per_prefix');
    assert.deepEqual(new Set(call('198.51.100.1', HANDSHAKES_MAX - HANDSHAKES_PER_PREFIX_MAX)), new Set(['taken']));
    assert.deepEqual([rate.inFlight, yielded], [HANDSHAKES_MAX, []]);
  });

  it('two prefixes hold all places → a third one gets the oldest of the one that holds most; these two get nobody’s', () => {
    call('192.0.2.1', HANDSHAKES_PER_PREFIX_MAX);
    call('198.51.100.1', HANDSHAKES_PER_PREFIX_MAX);
    assert.deepEqual(call('203.0.113.1', 2), ['taken', 'taken']);
    assert.deepEqual(yielded, ['192.0.2.0/24', '198.51.100.0/24']);
    assert.deepEqual([call('192.0.2.1', 1), call('198.51.100.1', 1)], [['handshakes'], ['handshakes']]);
    assert.equal(rate.inFlight, HANDSHAKES_MAX);
  });

  it('as many prefixes as places, one each → the next one waits until the oldest is too old to be honest', () => {
    for (let index = 0; index < HANDSHAKES_MAX; index++) assert.equal(said(admit(`10.0.${index}.1`)), 'taken');
    nowMs = HANDSHAKE_YIELDS_AFTER_MS - 1;
    assert.equal(said(admit('203.0.113.1')), 'handshakes');
    nowMs++;
    assert.equal(said(admit('203.0.113.1')), 'taken');
    assert.deepEqual([yielded, rate.inFlight], [['10.0.0.0/24'], HANDSHAKES_MAX]);
  });

  it('a handshake that has yielded ends → its place is not free twice', () => {
    const first = admit('192.0.2.1');
    call('192.0.2.1', HANDSHAKES_PER_PREFIX_MAX - 1);
    call('198.51.100.1', HANDSHAKES_PER_PREFIX_MAX);
    call('203.0.113.1', 1);
    assert.ok(first.ok);
    first.done();
    assert.equal(rate.inFlight, HANDSHAKES_MAX);
  });

  it('a handshake that ends → its place is free, once', () => {
    const [first] = Array.from({ length: HANDSHAKES_PER_PREFIX_MAX }, () => admit('192.0.2.1'));
    assert.ok(first?.ok);
    first.done();
    first.done();
    assert.equal(rate.inFlight, HANDSHAKES_PER_PREFIX_MAX - 1);
    assert.deepEqual(call('192.0.2.1', 2), ['taken', 'handshakes_per_prefix']);
  });

  it('a burst from one prefix → taken; one more → refused, while another prefix is taken; a second later as many as the rate', () => {
    const burst = Array.from({ length: HANDSHAKE_BURST_PER_PREFIX_MAX }, () => shake('2001:db8::1'));
    assert.deepEqual(new Set(burst), new Set(['taken']));
    assert.equal(shake('2001:db8::2'), 'handshake_rate');
    assert.equal(shake('2001:db8:1::1'), 'taken');
    nowMs = 1_000;
    const later = Array.from({ length: HANDSHAKES_PER_SECOND_MAX + 1 }, () => shake('2001:db8::1'));
    assert.equal(later.filter((verdict) => verdict === 'taken').length, HANDSHAKES_PER_SECOND_MAX);
    assert.equal(later.at(-1), 'handshake_rate');
  });

  it('ten peers behind one address that redial as often as they do → always taken', () => {
    for (; nowMs < 60_000; nowMs += REDIAL_MAX_MS / 2) {
      for (let peer = 0; peer < 10; peer++) assert.equal(shake('192.0.2.1'), 'taken');
    }
  });

  it('200 callers a second out of the same prefix → an honest peer that redials gets in all the same', () => {
    let taken = 0;
    let nextRedialMs = 0;
    // Spread like calls that know nothing of each other; the same in each run.
    for (let seed = 1; nowMs < 60_000; seed = (seed * 48_271) % 0x7fff_ffff) {
      nowMs += (seed / 0x7fff_ffff) * 10;
      if (nowMs < nextRedialMs) shake('192.0.2.66');
      else {
        if (shake('192.0.2.1') === 'taken') taken++;
        nextRedialMs = nowMs + REDIAL_MAX_MS / 2;
      }
    }
    assert.ok(taken >= 1, 'never in a minute');
  });

  it('more prefixes than are remembered → the one that called least recently is forgotten, unless it holds a place', () => {
    assert.equal(said(admit('10.255.0.1')), 'taken');
    for (let index = 0; index < HANDSHAKE_PREFIXES_MAX + 10; index++) {
      nowMs += 1_000 / HANDSHAKES_PER_SECOND_UNKNOWN_MAX;
      assert.equal(shake(`2001:db8:${(index >> 8).toString(16)}:${(index & 255).toString(16)}::1`), 'taken');
      assert.ok(rate.prefixes <= HANDSHAKE_PREFIXES_MAX);
    }
    assert.deepEqual(new Set(call('10.255.0.2', HANDSHAKES_PER_PREFIX_MAX - 1)), new Set(['taken']));
    assert.equal(said(admit('10.255.0.3')), 'handshakes_per_prefix');
  });

  it('strangers out of ever new prefixes → as many as all of them may begin; then refused, and a known peer is not', () => {
    const peer = admit('192.0.2.1');
    assert.ok(peer.ok);
    peer.proved();
    peer.done();
    const stranger = (index: number): string =>
      shake(`2001:db8:${(index >> 8).toString(16)}:${(index & 255).toString(16)}::1`);
    const told = Array.from({ length: HANDSHAKE_BURST_UNKNOWN_MAX }, (_, index) => stranger(index));
    // The peer was a stranger the first time.
    assert.deepEqual([told.indexOf('handshake_rate'), told.length - 1], [told.length - 1, told.length - 1]);
    assert.equal(shake('192.0.2.1'), 'taken');
    nowMs = 1_000;
    const later = Array.from({ length: HANDSHAKES_PER_SECOND_UNKNOWN_MAX + 1 }, (_, index) => stranger(index));
    assert.equal(later.indexOf('handshake_rate'), HANDSHAKES_PER_SECOND_UNKNOWN_MAX);
  });

  describe('an address from which a peer has called', () => {
    /** A handshake that proves a peer. */
    function prove(address: string): string {
      const verdict = admit(address);
      if (!verdict.ok) return verdict.limit;
      verdict.proved();
      verdict.done();
      return 'taken';
    }
    const count = (shaken: () => string, times: number): number =>
      Array.from({ length: times }, shaken).filter((verdict) => verdict === 'taken').length;

    it('a burst of peers → taken; one more → handshake_rate, and it may wait; a second later as many as its rate', () => {
      const most = HANDSHAKE_BURST_PER_KNOWN_PREFIX_MAX;
      prove('192.0.2.1');
      prove('192.0.2.2');
      assert.equal(
        count(() => prove('192.0.2.2'), most + 1),
        most,
      );
      // One rate for all of the neighbourhood.
      const verdict = admit('192.0.2.1');
      assert.ok(!verdict.ok && verdict.mayWait && verdict.limit === 'handshake_rate');
      nowMs = 1_000;
      assert.equal(
        count(() => prove('192.0.2.2'), most),
        HANDSHAKES_PER_SECOND_KNOWN_MAX,
      );
    });

    it('no other address is known by it: a stranger beside it has the rate of strangers, and may not wait', () => {
      prove('192.0.2.1');
      assert.deepEqual([rate.isKnown('192.0.2.1'), rate.isKnown('192.0.2.66')], [true, false]);
      // The first one was a stranger's.
      const most = HANDSHAKE_BURST_PER_PREFIX_MAX - 1;
      assert.equal(
        count(() => shake('192.0.2.66'), most + 1),
        most,
      );
      const verdict = admit('192.0.2.66');
      assert.ok(!verdict.ok && !verdict.mayWait);
      assert.equal(prove('192.0.2.1'), 'taken');
    });

    it('strangers beside it hold all places of the neighbourhood and say nothing → it gets theirs, one after the other', () => {
      prove('192.0.2.1');
      call('192.0.2.66', HANDSHAKES_PER_PREFIX_MAX);
      assert.deepEqual(new Set(call('192.0.2.1', HANDSHAKES_PER_PREFIX_MAX)), new Set(['taken']));
      assert.equal(yielded.length, HANDSHAKES_PER_PREFIX_MAX);
      assert.deepEqual(call('192.0.2.1', 1), ['handshakes_per_prefix']);
      assert.equal(rate.inFlight, HANDSHAKES_PER_PREFIX_MAX);
    });

    it('more prefixes than are remembered call → it is known still', () => {
      prove('192.0.2.1');
      for (let index = 0; index < HANDSHAKE_PREFIXES_MAX + 10; index++) shake(`2001:db8:${index.toString(16)}::1`);
      assert.equal(rate.isKnown('192.0.2.1'), true);
      assert.equal(rate.prefixes, HANDSHAKE_PREFIXES_MAX);
    });

    it('as many of one neighbourhood as are remembered → known; one more → the one that has proved itself least recently is not', () => {
      for (let index = 0; index <= HANDSHAKE_KNOWN_ADDRESSES_MAX; index++) {
        if (index === HANDSHAKE_KNOWN_ADDRESSES_MAX) assert.equal(rate.isKnown('192.0.2.0'), true);
        assert.equal(prove(`192.0.2.${index}`), 'taken');
      }
      assert.deepEqual([rate.isKnown('192.0.2.0'), rate.isKnown('192.0.2.1')], [false, true]);
    });

    it('no other neighbourhood is known by it: nobody may wait there', () => {
      prove('192.0.2.1');
      call('198.51.100.1', HANDSHAKES_PER_PREFIX_MAX);
      const verdict = admit('198.51.100.1');
      assert.ok(!verdict.ok && !verdict.mayWait);
    });

    it('failures as many as a stranger may make → it is known still; one more → it is not', () => {
      prove('192.0.2.1');
      for (let failures = 0; failures < HANDSHAKE_BURST_PER_PREFIX_MAX; failures++) shake('192.0.2.1');
      assert.equal(rate.isKnown('192.0.2.1'), true);
      shake('192.0.2.1');
      assert.equal(rate.isKnown('192.0.2.1'), false);
    });

    it('as long as it is known → known; a millisecond more → not', () => {
      prove('192.0.2.1');
      call('192.0.2.1', HANDSHAKES_PER_PREFIX_MAX);
      nowMs = HANDSHAKE_KNOWN_MS;
      const known = admit('192.0.2.1');
      nowMs++;
      const forgotten = admit('192.0.2.1');
      assert.deepEqual([!known.ok && known.mayWait, !forgotten.ok && forgotten.mayWait], [true, false]);
    });
  });
});
