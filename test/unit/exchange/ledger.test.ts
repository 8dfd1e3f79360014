import assert from 'node:assert/strict';
import { digestOf, hashOf } from '#src/exchange/digest.ts';
import { beginStream, EMPTY_LEDGER, expire, haveOf, receive, recordsOf, type Ledger } from '#src/exchange/ledger.ts';
import { ABSENCE_GRACE_MS, RECORDS_PER_PEER_MAX, WITHDRAWAL_QUIET_MS } from '#src/exchange/limits.ts';
import { nextDueMs } from '#src/exchange/losses.ts';
import type { ExporterMessage } from '#src/exchange/messages.ts';
import { makeRecord } from './samples.ts';

const T0 = Date.parse('2026-11-20T12:00:00Z');
const db = makeRecord('db');
const web = makeRecord('web');

function fold(ledger: Ledger, messages: readonly ExporterMessage[], nowMs = T0): Ledger {
  return messages.reduce((current, message) => {
    const step = receive(current, message, nowMs);
    assert.ok(step.ok, JSON.stringify(step));
    return step.ledger;
  }, ledger);
}

function digestOfRecords(records: readonly (typeof db)[]): string {
  return digestOf(records.map((record) => ({ ...record, hash: hashOf(record) })));
}

function snapshotOf(...records: (typeof db)[]): ExporterMessage[] {
  const messages: ExporterMessage[] = records.map((record) => ({ op: 'record', record }));
  return [...messages, { op: 'synced', digest: digestOfRecords(records), epoch: 'one' }];
}

function names(ledger: Ledger): string[] {
  return recordsOf(ledger)
    .map(({ name }) => name)
    .sort();
}

describe('receive', () => {
  const both = fold(beginStream(EMPTY_LEDGER), snapshotOf(db, web));

  it('a complete snapshot → its records, epoch and digest', () => {
    assert.deepEqual(names(both), ['db', 'web']);
    assert.equal(both.epoch, 'one');
    assert.equal(haveOf(both), digestOfRecords([db, web]));
  });

  it('a snapshot that breaks off → nothing changes (DESIGN §3.4)', () => {
    const broken = fold(beginStream(both), [{ op: 'record', record: db }]);
    assert.deepEqual(names(broken), ['db', 'web']);
  });

  it('absent from a later snapshot → stays for the grace time, then goes (EXP-22)', () => {
    const later = fold(beginStream(both), snapshotOf(db), T0 + 1_000);
    assert.deepEqual(names(later), ['db', 'web']);
    assert.equal(nextDueMs(later.losses), T0 + 1_000 + ABSENCE_GRACE_MS);
    assert.deepEqual(names(expire(later, T0 + 1_000 + ABSENCE_GRACE_MS - 1)), ['db', 'web']);
    assert.deepEqual(names(expire(later, T0 + 1_000 + ABSENCE_GRACE_MS)), ['db']);
  });

  it('absent and then named again within the grace time → stays for good', () => {
    const away = fold(beginStream(both), snapshotOf(db), T0);
    const back = fold(beginStream(away), snapshotOf(db, web), T0 + 2_000);
    assert.equal(nextDueMs(back.losses), undefined);
    assert.deepEqual(names(expire(back, T0 + 60_000)), ['db', 'web']);
  });

  it('unchanged, without having been told a digest → the stream ends (a snapshot was asked for)', () => {
    for (const ledger of [EMPTY_LEDGER, fold(beginStream(both), snapshotOf(db)), both]) {
      const begun = ledger === both ? ledger : beginStream(ledger);
      assert.equal(receive(begun, { op: 'unchanged' }, T0).ok, false);
    }
    assert.equal(receive(beginStream(both), { op: 'unchanged' }, T0).ok, true);
  });

  it('withdrawn → goes when no other withdrawal has followed for a moment', () => {
    const withdrawn = fold(both, [{ op: 'withdrawn', namespace: 'shop', name: 'web' }]);
    assert.equal(nextDueMs(withdrawn.losses), T0 + WITHDRAWAL_QUIET_MS);
    assert.deepEqual(names(expire(withdrawn, T0 + WITHDRAWAL_QUIET_MS - 1)), ['db', 'web']);
    assert.deepEqual(names(expire(withdrawn, T0 + WITHDRAWAL_QUIET_MS)), ['db']);
  });

  it('withdrawn, of what was never said → nothing changes', () => {
    assert.equal(fold(both, [{ op: 'withdrawn', namespace: 'shop', name: 'other' }]), both);
  });

  it('the same export again → keeps the time it was first seen; a new uid → a new time', () => {
    const changed = fold(both, [{ op: 'record', record: { ...db, readyEndpoints: 5 } }], T0 + 60_000);
    assert.equal(changed.entries.get('shop/db')?.firstSeen, '2026-11-20T12:00:00Z');
    const recreated = fold(both, [{ op: 'record', record: { ...db, uid: 'another' } }], T0 + 60_000);
    assert.equal(recreated.entries.get('shop/db')?.firstSeen, '2026-11-20T12:01:00Z');
  });

  const refused: { name: string; ledger: Ledger; message: ExporterMessage; problem: RegExp }[] = [
    {
      name: 'a digest that is not the snapshot’s',
      ledger: beginStream(EMPTY_LEDGER),
      message: { op: 'synced', digest: 'f'.repeat(64), epoch: 'one' },
      problem: /digest/,
    },
    {
      name: 'synced without a snapshot',
      ledger: both,
      message: { op: 'synced', digest: 'f'.repeat(64), epoch: 'one' },
      problem: /without/,
    },
    {
      name: 'withdrawn inside a snapshot',
      ledger: beginStream(both),
      message: { op: 'withdrawn', namespace: 'shop', name: 'db' },
      problem: /inside/,
    },
    {
      name: 'a heart beat with another digest',
      ledger: both,
      message: { op: 'digest', digest: 'f'.repeat(64) },
      problem: /digest/,
    },
  ];
  for (const { name, ledger, message, problem } of refused) {
    it(`${name} → the stream ends, what there was stays`, () => {
      const step = receive(ledger, message, T0);
      assert.ok(!step.ok && problem.test(step.problem));
    });
  }

  it(`${RECORDS_PER_PEER_MAX} records → taken; one more → the stream ends`, () => {
    let ledger = beginStream(EMPTY_LEDGER);
    for (let index = 0; index < RECORDS_PER_PEER_MAX; index++)
      ledger = fold(ledger, [{ op: 'record', record: makeRecord(`s${index}`) }]);
    assert.equal(receive(ledger, { op: 'record', record: makeRecord('one-more') }, T0).ok, false);
  });
});

describe('haveOf', () => {
  it('while a record is absent → null, so that the peer says everything again', () => {
    const both = fold(beginStream(EMPTY_LEDGER), snapshotOf(db, web));
    assert.equal(haveOf(fold(beginStream(both), snapshotOf(db))), null);
  });
});
