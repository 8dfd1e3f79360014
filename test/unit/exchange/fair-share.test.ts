import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ExportRecord } from '#src/api/record.ts';
import { shareFairly } from '#src/exchange/fair-share.ts';
import { bytesOf } from '#src/exchange/ledger.ts';
import { NAMESPACES_PER_PEER_MAX, RECORDS_BYTES_PER_PEER_MAX, RECORDS_PER_PEER_MAX } from '#src/exchange/limits.ts';
import { makeRecord } from './samples.ts';

function makeRecords(namespace: string, count: number, changes: Partial<ExportRecord> = {}): ExportRecord[] {
  return Array.from({ length: count }, (_, index) => makeRecord(`x${index}`, { namespace, ...changes }));
}

function countByNamespace(records: readonly ExportRecord[]): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(records, ({ namespace }) => namespace)].map(([name, { length }]) => [name, length]),
  );
}

const LONG = { labels: { long: 'x'.repeat(15_000) } };

describe('shareFairly', () => {
  it('as many as a peer takes → all of them, as they came', () => {
    const records = makeRecords('shop', RECORDS_PER_PEER_MAX);
    assert.deepEqual(shareFairly(records), { told: records, leftOut: 0 });
  });

  it('one namespace with far more than the bound → the others keep all, it gets what is left, its oldest', () => {
    const flood = makeRecords('flood', RECORDS_PER_PEER_MAX).map((record, index) => ({
      ...record,
      createdAt: `2026-11-20T10:00:${index < 5_000 ? '01' : '00'}Z`,
    }));
    const { told, leftOut } = shareFairly([...flood, ...makeRecords('shop', 3_000), ...makeRecords('store', 20)]);
    assert.deepEqual(countByNamespace(told), { flood: RECORDS_PER_PEER_MAX - 3_020, shop: 3_000, store: 20 });
    assert.equal(leftOut, 3_020);
    assert.equal(told.filter(({ createdAt }) => createdAt.endsWith('00Z')).length, 5_000 + 3_020);
  });

  it('long records of one namespace → its bytes count, and another keeps all of its short ones', () => {
    const { told } = shareFairly([...makeRecords('flood', 1_500, LONG), ...makeRecords('shop', 1_000)]);
    const counts = countByNamespace(told);
    assert.equal(counts['shop'], 1_000);
    assert.ok((counts['flood'] ?? 0) > 1_000, JSON.stringify(counts));
    assert.ok(told.reduce((sum, record) => sum + bytesOf(record), 0) <= RECORDS_BYTES_PER_PEER_MAX);
  });

  it('too many namespaces → those that have exported longest', () => {
    const old = Array.from({ length: NAMESPACES_PER_PEER_MAX }, (_, index) =>
      makeRecord('db', { namespace: `n${index}` }),
    );
    const late = makeRecords('a-late-one', 5, { createdAt: '2026-11-21T10:00:00Z' });
    assert.deepEqual(shareFairly([...late, ...old]), { told: old, leftOut: 5 });
  });

  it('a further export of a namespace that has more than its part → nobody else is told less', () => {
    const before = [...makeRecords('flood', RECORDS_PER_PEER_MAX), ...makeRecords('shop', 4_000)];
    const more = [...before, makeRecord('one-more', { namespace: 'flood', createdAt: '2026-11-21T10:00:00Z' })];
    assert.deepEqual(shareFairly(more).told, shareFairly(before).told);
  });

  it('whatever is exported, in any order → within the bounds, and the same', () => {
    const amounts = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(300), fc.nat(14_000)), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(amounts, (groups) => {
        const records = groups.flatMap(([namespace, count, length], group) =>
          makeRecords(namespace, count, { labels: { long: 'x'.repeat(length) } }).map((record) => ({
            ...record,
            name: `${record.name}-${group}`,
          })),
        );
        const { told, leftOut } = shareFairly(records);
        assert.equal(told.length + leftOut, records.length);
        assert.ok(told.reduce((sum, record) => sum + bytesOf(record), 0) <= RECORDS_BYTES_PER_PEER_MAX);
        assert.deepEqual(new Set(shareFairly(records.toReversed()).told), new Set(told));
      }),
      { numRuns: 10 },
    );
  });
});
