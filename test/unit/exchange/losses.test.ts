import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ExportRecord } from '#src/api/record.ts';
import { digestOf, hashOf } from '#src/exchange/digest.ts';
import { acceptLoss, beginStream, EMPTY_LEDGER, expire, haveOf, receive, type Ledger } from '#src/exchange/ledger.ts';
import { ABSENCE_GRACE_MS, WITHDRAWAL_QUIET_MS } from '#src/exchange/limits.ts';
import { holdOf, nextDueMs } from '#src/exchange/losses.ts';
import type { ExporterMessage } from '#src/exchange/messages.ts';
import { ledgerOf, planPeerRecords } from '#src/exchange/peer-records.ts';
import { LOSS_HOLD_MS } from '#src/runtime/limits.ts';
import { makeRecord } from './samples.ts';

const T0 = Date.parse('2026-11-20T12:00:00Z');
const FIRST_SEEN = '2026-11-20T12:00:00Z';
/** A snapshot leaves things out at noon: this is when they count as lost. */
const HELD_SINCE = '2026-11-20T12:00:05Z';
const HELD_MS = T0 + ABSENCE_GRACE_MS;

const many = (count: number, from = 0): ExportRecord[] =>
  Array.from({ length: count }, (_, index) => makeRecord(`s${String(from + index).padStart(3, '0')}`));

function fold(ledger: Ledger, messages: readonly ExporterMessage[], nowMs = T0): Ledger {
  return messages.reduce((current, message) => {
    const step = receive(current, message, nowMs);
    assert.ok(step.ok, JSON.stringify(step));
    return step.ledger;
  }, ledger);
}

function say(ledger: Ledger, records: readonly ExportRecord[], nowMs = T0, epoch = 'one'): Ledger {
  const digest = digestOf(records.map((record) => ({ ...record, hash: hashOf(record) })));
  const messages: ExporterMessage[] = records.map((record) => ({ op: 'record', record }));
  return fold(beginStream(ledger), [...messages, { op: 'synced', digest, epoch }], nowMs);
}

/** One record after the other is taken back, all at one time. */
function withdraw(ledger: Ledger, records: readonly ExportRecord[], nowMs = T0): Ledger {
  return fold(
    ledger,
    records.map(({ namespace, name }) => ({ op: 'withdrawn', namespace, name })),
    nowMs,
  );
}

/** Time goes on, and whatever is due happens. */
function wait(ledger: Ledger, fromMs: number, toMs: number): Ledger {
  let current = ledger;
  let nowMs = fromMs;
  for (;;) {
    const dueMs = nextDueMs(current.losses);
    if (dueMs === undefined || dueMs > toMs) return current;
    nowMs = Math.max(nowMs, dueMs);
    current = expire(current, nowMs);
  }
}

/** The process ends and another begins with what was written. */
function restart(ledger: Ledger): Ledger {
  return ledgerOf(planPeerRecords('east', ledger, new Map()).objects);
}

const count = (ledger: Ledger): number => ledger.entries.size;
const held = (ledger: Ledger): number => holdOf(ledger.losses)?.records ?? 0;

describe('receive, when much goes at once', () => {
  for (const { total, lost, outcome } of [
    { total: 1, lost: 1, outcome: 'gone' },
    { total: 2, lost: 2, outcome: 'gone' },
    { total: 3, lost: 3, outcome: 'held' },
    { total: 4, lost: 3, outcome: 'gone' },
    { total: 2, lost: 1, outcome: 'gone' },
    { total: 20, lost: 10, outcome: 'gone' },
    { total: 21, lost: 11, outcome: 'held' },
    { total: 22, lost: 11, outcome: 'gone' },
    { total: 300, lost: 151, outcome: 'held' },
    { total: 300, lost: 150, outcome: 'gone' },
  ]) {
    const records = many(total);
    const kept = outcome === 'held' ? total : total - lost;
    it(`a snapshot without ${lost} of ${total} records → ${outcome}`, () => {
      const ledger = say(say(EMPTY_LEDGER, records), records.slice(lost));
      const later = wait(ledger, T0, HELD_MS + LOSS_HOLD_MS - 1);
      assert.equal(count(later), kept);
      assert.equal(held(later), outcome === 'held' ? lost : 0);
      assert.equal(count(wait(later, T0, HELD_MS + LOSS_HOLD_MS)), total - lost);
    });

    it(`${lost} of ${total} withdrawn one by one, at once → ${outcome}`, () => {
      const ledger = withdraw(say(EMPTY_LEDGER, records), records.slice(0, lost));
      const later = wait(ledger, T0, T0 + LOSS_HOLD_MS - 1);
      assert.equal(count(later), kept);
      assert.equal(held(later), outcome === 'held' ? lost : 0);
    });
  }

  it('withdrawals that are further apart than the window → each goes', () => {
    const records = many(20);
    let ledger = say(EMPTY_LEDGER, records);
    let nowMs = T0;
    for (const record of records) {
      nowMs += ABSENCE_GRACE_MS + 1;
      ledger = wait(withdraw(ledger, [record], nowMs), nowMs, nowMs + ABSENCE_GRACE_MS);
    }
    assert.equal(count(ledger), 0);
  });

  for (const { apartMs, outcome } of [
    { apartMs: WITHDRAWAL_QUIET_MS, outcome: 'held' },
    { apartMs: WITHDRAWAL_QUIET_MS + 1, outcome: 'gone' },
    { apartMs: 3_000, outcome: 'gone' },
  ]) {
    it(`the last three withdrawn, the third ${apartMs} ms after the others → ${outcome}`, () => {
      const records = many(3);
      const lateMs = T0 + apartMs;
      const one = wait(withdraw(say(EMPTY_LEDGER, records), records.slice(0, 2)), T0, lateMs - 1);
      const later = wait(withdraw(one, records.slice(2), lateMs), lateMs, lateMs + ABSENCE_GRACE_MS);
      assert.deepEqual([count(later), held(later)], outcome === 'held' ? [3, 3] : [0, 0]);
    });
  }

  it('one taken back, the next made and taken back by itself some seconds later → each goes', () => {
    const [first, second] = many(2);
    assert.ok(first !== undefined && second !== undefined);
    let ledger = withdraw(say(EMPTY_LEDGER, [first]), [first]);
    ledger = fold(ledger, [{ op: 'record', record: second }], T0 + 300);
    ledger = withdraw(wait(ledger, T0, T0 + 3_000), [second], T0 + 3_000);
    assert.equal(count(wait(ledger, T0 + 3_000, T0 + 10_000)), 0);
  });

  it('the first ones have gone when it shows that there are many → they come back and are held with the others', () => {
    const records = many(21);
    let ledger = withdraw(say(EMPTY_LEDGER, records), records.slice(0, 6));
    ledger = wait(ledger, T0, T0 + WITHDRAWAL_QUIET_MS);
    assert.equal(count(ledger), 15);
    ledger = withdraw(ledger, records.slice(6, 11), T0 + ABSENCE_GRACE_MS);
    ledger = wait(ledger, T0 + ABSENCE_GRACE_MS, T0 + ABSENCE_GRACE_MS + WITHDRAWAL_QUIET_MS);
    assert.deepEqual([count(ledger), held(ledger)], [21, 11]);
    assert.equal(ledger.entries.get('shop/s000')?.firstSeen, FIRST_SEEN);
    const apart = wait(withdraw(say(EMPTY_LEDGER, records), records.slice(0, 6)), T0, T0 + 2_000);
    const late = T0 + ABSENCE_GRACE_MS + 1;
    assert.equal(count(wait(withdraw(apart, records.slice(6, 11), late), late, late + 10_000)), 10);
  });

  it('some of what is held comes back → these are as they were, the others stay held', () => {
    const records = many(12);
    const ledger = wait(say(say(EMPTY_LEDGER, records), []), T0, HELD_MS);
    const [first] = records;
    const back = fold(ledger, [{ op: 'record', record: first ?? makeRecord('x') }], T0 + 60_000);
    assert.deepEqual([count(back), held(back)], [12, 11]);
    assert.equal(count(wait(back, T0, HELD_MS + LOSS_HOLD_MS)), 1);
  });

  it('a few more go while others are held → these go', () => {
    const records = many(40);
    const ledger = wait(say(say(EMPTY_LEDGER, records), records.slice(30), T0), T0, HELD_MS);
    const later = withdraw(ledger, records.slice(30, 32), T0 + 60_000);
    assert.equal(count(wait(later, T0 + 60_000, T0 + 70_000)), 38);
  });

  describe('a few were all there was', () => {
    const few = many(3);
    const isHeld = wait(withdraw(say(EMPTY_LEDGER, few), few), T0, T0 + 10_000);
    const NEW = many(1, 500);
    const LATER_MS = T0 + 20_000;
    const name = (ledger: Ledger, records: readonly ExportRecord[]) =>
      fold(
        ledger,
        records.map((record) => ({ op: 'record', record })),
        LATER_MS,
      );

    it('the peer names another one → it has not lost its state, and what it took back goes', () => {
      assert.equal(held(isHeld), 3);
      const ledger = name(isHeld, NEW);
      assert.deepEqual([[...ledger.entries.keys()], ledger.losses.size], [['shop/s500'], 0]);
      assert.deepEqual([ledger.bytes, [...ledger.namespaces]], [name(EMPTY_LEDGER, NEW).bytes, [['shop', 1]]]);
    });

    it('another one, as the only one of a new stream → the same', () => {
      const ledger = say(isHeld, NEW, LATER_MS);
      assert.deepEqual([[...ledger.entries.keys()], ledger.losses.size], [['shop/s500'], 0]);
    });

    for (const { title, ledger, lost } of [
      { title: 'one of them comes back', ledger: name(isHeld, few.slice(0, 1)), lost: 2 },
      {
        title: 'one of them comes back, and then another',
        ledger: name(isHeld, [...few.slice(0, 1), ...NEW]),
        lost: 2,
      },
      { title: 'both in one snapshot', ledger: say(isHeld, [...few.slice(0, 1), ...NEW], LATER_MS), lost: 2 },
      { title: 'an empty snapshot', ledger: say(isHeld, [], LATER_MS), lost: 3 },
      { title: 'another one after a restart of ours', ledger: name(restart(isHeld), NEW), lost: 3 },
      {
        title: 'a snapshot had left them out',
        ledger: name(wait(say(say(EMPTY_LEDGER, few), []), T0, HELD_MS), NEW),
        lost: 3,
      },
      { title: 'the peer was made again', ledger: name(say(isHeld, [], LATER_MS, 'two'), NEW), lost: 3 },
      {
        title: 'they were many',
        ledger: name(wait(withdraw(say(EMPTY_LEDGER, many(11)), many(11)), T0, T0 + 10_000), NEW),
        lost: 11,
      },
    ]) {
      it(`${title} → the others stay held`, () => assert.equal(held(ledger), lost));
    }
  });

  it('nothing that is told is compared while something is held', () => {
    const ledger = say(say(EMPTY_LEDGER, many(12)), []);
    assert.equal(haveOf(ledger), null);
    assert.ok(receive(ledger, { op: 'digest', digest: 'f'.repeat(64) }, T0).ok);
    assert.equal(receive(beginStream(ledger), { op: 'unchanged' }, T0).ok, false);
  });

  it('no ready endpoints → no loss', () => {
    const records = many(12);
    const empty = records.map((record) => ({ ...record, readyEndpoints: 0 }));
    assert.equal(say(say(EMPTY_LEDGER, records), empty).losses.size, 0);
  });

  it('a peer that was made again and misses one record → held, and the others keep the time they were first seen', () => {
    const records = many(5);
    const again = records.slice(1).map((record) => ({ ...record, uid: `${record.uid}-again` }));
    const ledger = say(say(EMPTY_LEDGER, records), again, T0 + 60_000, 'two');
    assert.deepEqual([count(ledger), held(ledger)], [5, 1]);
    for (const { firstSeen } of ledger.entries.values()) assert.equal(firstSeen, FIRST_SEEN);
    assert.equal(ledger.entries.get('shop/s001')?.record.uid, 'uid-s001-again');
  });

  it('a clock that is set back by an hour → held for no longer than it would have been', () => {
    const ledger = wait(say(say(EMPTY_LEDGER, many(12)), []), T0, HELD_MS);
    assert.equal(held(ledger), 12);
    const backMs = T0 - 3_600_000;
    assert.equal(count(wait(expire(ledger, backMs), backMs, backMs + LOSS_HOLD_MS)), 0);
  });

  it('a loss and then the records again, with restarts anywhere in between → as if nothing had happened', () => {
    const step = fc.record({
      restart: fc.boolean(),
      lost: fc.integer({ min: 0, max: 30 }),
      waitMs: fc.integer({ min: 0, max: 9_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), fc.boolean(), (steps, inOneGo) => {
        const records = many(30);
        const never = say(EMPTY_LEDGER, records);
        let ledger = never;
        let nowMs = T0;
        for (const { restart: restarts, waitMs } of steps) {
          // Always a mass: everything.
          ledger = inOneGo ? say(ledger, [], nowMs) : withdraw(ledger, records, nowMs);
          if (restarts) ledger = restart(ledger);
          ledger = wait(ledger, nowMs, nowMs + waitMs);
          nowMs += waitMs;
          assert.equal(count(ledger), 30);
        }
        const back = say(ledger, records, nowMs);
        assert.deepEqual([...back.entries].sort(), [...never.entries].sort());
        assert.deepEqual([back.losses.size, back.bytes], [0, never.bytes]);
      }),
      { numRuns: 50 },
    );
  });

  it('a restart while records are held → the same hold, until the same time', () => {
    const ledger = wait(say(say(EMPTY_LEDGER, many(12)), many(1), T0 + 4_321), T0, T0 + 9_321);
    assert.equal(held(ledger), 11);
    const back = restart(ledger);
    assert.deepEqual(holdOf(back.losses), holdOf(ledger.losses));
    assert.deepEqual([count(back), nextDueMs(back.losses)], [12, nextDueMs(ledger.losses)]);
  });
});

describe('acceptLoss', () => {
  const records = many(12);
  const ledger = wait(say(say(EMPTY_LEDGER, records), records.slice(0, 1)), T0, HELD_MS);

  it('the hold as it was shown → what is held goes at once, the rest stays', () => {
    assert.equal(holdOf(ledger.losses)?.since, HELD_SINCE);
    const accepted = acceptLoss(ledger, HELD_SINCE);
    assert.deepEqual([count(accepted), accepted.losses.size], [1, 0]);
  });

  for (const since of ['2026-11-20T12:00:04Z', '2026-11-20T12:00:06Z', '2099-01-01T00:00:00Z', '', 'all']) {
    it(`${JSON.stringify(since)}, which names no hold → nothing changes`, () => {
      assert.equal(acceptLoss(ledger, since), ledger);
    });
  }

  it('a later hold → stays', () => {
    const grown = fold(
      ledger,
      many(30, 100).map((record) => ({ op: 'record', record })),
      T0 + 60_000,
    );
    const again = wait(withdraw(grown, many(30, 100), T0 + 61_000), T0 + 61_000, T0 + 63_000);
    assert.equal(held(again), 41);
    assert.equal(held(acceptLoss(again, HELD_SINCE)), 30);
    assert.equal(held(acceptLoss(again, holdOf(again.losses)?.since ?? '')), 0);
  });
});
