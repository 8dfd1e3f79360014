import assert from 'node:assert/strict';
import type { ExportRecord } from '#src/api/record.ts';
import { digestOf, hashOf } from '#src/exchange/digest.ts';
import {
  beginStream,
  bytesOf,
  EMPTY_LEDGER,
  receive,
  usageOf,
  type Ledger,
  type LedgerStep,
} from '#src/exchange/ledger.ts';
import {
  NAMESPACES_PER_PEER_MAX,
  RECORDS_BYTES_PER_PEER_MAX,
  RECORDS_LOST_MAX,
  RECORDS_PER_PEER_MAX,
} from '#src/exchange/limits.ts';
import { makeRecord } from './samples.ts';

const T0 = Date.parse('2026-11-20T12:00:00Z');

/** A whole snapshot; the first step that is refused ends it. */
function say(ledger: Ledger, records: readonly ExportRecord[]): LedgerStep {
  let current = beginStream(ledger);
  for (const record of records) {
    const step = receive(current, { op: 'record', record, hash: hashOf(record) }, T0);
    if (!step.ok) return step;
    current = step.ledger;
  }
  const digest = digestOf(records.map((record) => ({ ...record, hash: hashOf(record) })));
  return receive(current, { op: 'synced', digest, epoch: 'one' }, T0);
}

function taken(step: LedgerStep): Ledger {
  assert.ok(step.ok, JSON.stringify(step));
  return step.ledger;
}

const limitOf = (step: LedgerStep) => (step.ok ? 'taken' : step.limit);
const numbered = (count: number, prefix = 's', changes: Partial<ExportRecord> = {}): ExportRecord[] =>
  Array.from({ length: count }, (_, index) => makeRecord(`${prefix}${index}`, changes));

describe('receive, at the bounds of one peer', () => {
  it(`${NAMESPACES_PER_PEER_MAX} namespaces → taken; one more → refused, in a snapshot and alone`, () => {
    const records = Array.from({ length: NAMESPACES_PER_PEER_MAX }, (_, index) =>
      makeRecord('db', { namespace: `n${index}` }),
    );
    const full = taken(say(EMPTY_LEDGER, records));
    const more = makeRecord('db', { namespace: 'one-more' });
    assert.equal(limitOf(say(EMPTY_LEDGER, [...records, more])), 'namespaces');
    assert.equal(limitOf(receive(full, { op: 'record', record: more }, T0)), 'namespaces');
    assert.equal(limitOf(receive(full, { op: 'record', record: makeRecord('web', { namespace: 'n0' }) }, T0)), 'taken');
    assert.equal(usageOf(full).namespaces, 1);
  });

  it(`${RECORDS_BYTES_PER_PEER_MAX} bytes of records → taken; one more byte → refused`, () => {
    const long = (index: number, chars: number) =>
      makeRecord(`s${String(index).padStart(5, '0')}`, { annotations: { a: 'x'.repeat(chars) } });
    const size = bytesOf(long(0, 0));
    const perRecord = 15_000 + size;
    const whole = Math.floor(RECORDS_BYTES_PER_PEER_MAX / perRecord) - 1;
    const records = Array.from({ length: whole }, (_, index) => long(index, 15_000));
    const rest = RECORDS_BYTES_PER_PEER_MAX - whole * perRecord - size;
    const full = taken(say(EMPTY_LEDGER, [...records, long(whole, rest)]));
    assert.equal(full.bytes, RECORDS_BYTES_PER_PEER_MAX);
    assert.equal(limitOf(say(EMPTY_LEDGER, [...records, long(whole, rest + 1)])), 'record_bytes');
    assert.equal(limitOf(receive(full, { op: 'record', record: long(whole, rest + 1) }, T0)), 'record_bytes');
    const shorter = taken(receive(full, { op: 'record', record: long(whole, 0) }, T0));
    assert.equal(shorter.bytes, RECORDS_BYTES_PER_PEER_MAX - rest);
  });

  it(`${RECORDS_LOST_MAX} records that are missing → held; a snapshot that would make it more → refused, all stays`, () => {
    const first = taken(say(EMPTY_LEDGER, numbered(RECORDS_PER_PEER_MAX)));
    const second = taken(say(first, numbered(RECORDS_PER_PEER_MAX, 't')));
    assert.deepEqual([second.entries.size, second.losses.size], [2 * RECORDS_PER_PEER_MAX, RECORDS_LOST_MAX]);
    assert.equal(limitOf(say(second, numbered(RECORDS_PER_PEER_MAX - 1, 't'))), 'records_lost');
    assert.equal(limitOf(say(second, numbered(RECORDS_PER_PEER_MAX, 't'))), 'taken');
    assert.equal(usageOf(second).records, 1);
  }).timeout(20_000);
});
