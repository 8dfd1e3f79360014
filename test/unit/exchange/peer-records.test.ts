import assert from 'node:assert/strict';
import type { IPeerRecords } from '#src/api/generated/PeerRecords.ts';
import { EMPTY_LEDGER, recordsOf, type Ledger } from '#src/exchange/ledger.ts';
import { PEER_RECORDS_CHUNK_BYTES } from '#src/exchange/limits.ts';
import { ledgerOf, placementOf, planPeerRecords } from '#src/exchange/peer-records.ts';
import { makeRecord } from './samples.ts';

interface LedgerChanges {
  readonly first?: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

const NOWHERE = new Map<string, number>();

/** Records `s00000` and on; `annotations` makes them longer. */
function ledgerWith(count: number, { first = 0, annotations = {} }: LedgerChanges = {}): Ledger {
  const entries = Array.from({ length: count }, (_, index) => {
    const record = { ...makeRecord(`s${String(first + index).padStart(5, '0')}`), annotations };
    return [`shop/${record.name}`, { record, firstSeen: '2026-11-20T12:00:00Z' }] as const;
  });
  return { ...EMPTY_LEDGER, epoch: 'one', digest: 'd'.repeat(64), entries: new Map(entries) };
}

describe('planPeerRecords', () => {
  it('no records → one object all the same: what is known is that there are none', () => {
    assert.deepEqual(
      planPeerRecords('east', ledgerWith(0), NOWHERE).objects.map(({ metadata }) => metadata.name),
      ['east'],
    );
  });

  it('2,000 records → several objects below the bound, and back to the same ledger in any order', () => {
    const ledger = ledgerWith(2_000);
    const { objects } = planPeerRecords('east', ledger, NOWHERE);
    assert.ok(objects.length > 1);
    for (const object of objects)
      assert.ok(JSON.stringify(object.spec?.records).length <= PEER_RECORDS_CHUNK_BYTES * 1.01);
    const back = ledgerOf([...objects].reverse());
    assert.deepEqual(
      recordsOf(back)
        .map(({ name }) => name)
        .sort(),
      recordsOf(ledger).map(({ name }) => name),
    );
    assert.equal(back.digest, ledger.digest);
  });

  it('the second object of peer a → no name that a peer could have', () => {
    const [, second] = planPeerRecords('a', ledgerWith(2_000), NOWHERE).objects;
    assert.equal(second?.metadata.name, 'a.1');
  });

  it('a record more, before all others in order → one object changes, and every other record stays where it is', () => {
    const before = planPeerRecords('east', ledgerWith(2_000, { first: 1 }), NOWHERE);
    const after = planPeerRecords('east', ledgerWith(2_001), before.placement);
    const texts = (plan: typeof before) => new Set(plan.objects.map((object) => JSON.stringify(object)));
    assert.equal([...texts(after)].filter((text) => !texts(before).has(text)).length, 1);
    for (const [key, index] of before.placement) assert.equal(after.placement.get(key), index, key);
  });

  it('records that grow out of their object → at no moment between two writes is one in none', () => {
    const before = planPeerRecords('east', ledgerWith(2_000), NOWHERE);
    const after = planPeerRecords('east', ledgerWith(2_000, { annotations: { a: 'x'.repeat(100) } }), before.placement);
    assert.ok(after.objects.length > before.objects.length);
    const stored = new Map(before.objects.map((object) => [object.metadata.name ?? '', object as IPeerRecords]));
    for (const object of after.objects) {
      stored.set(object.metadata.name ?? '', object);
      assert.equal(ledgerOf([...stored.values()]).entries.size, 2_000, object.metadata.name ?? '');
    }
    for (const { spec } of after.objects) assert.ok(JSON.stringify(spec).length < PEER_RECORDS_CHUNK_BYTES * 1.01);
  });

  it('most records are withdrawn → objects without any are none', () => {
    const before = planPeerRecords('east', ledgerWith(2_000), NOWHERE);
    const { objects } = planPeerRecords('east', ledgerWith(1, { first: 1_999 }), before.placement);
    const last = before.objects.at(-1)?.metadata.name;
    assert.notEqual(last, 'east');
    assert.deepEqual(
      objects.map(({ metadata, spec }) => [metadata.name, spec?.records.length]),
      [
        ['east', 0],
        [last, 1],
      ],
    );
  });
});

describe('placementOf', () => {
  it('the objects of a plan, in any order → the placement of the plan', () => {
    const { objects, placement } = planPeerRecords('east', ledgerWith(2_000), NOWHERE);
    assert.deepEqual([...placementOf([...objects].reverse() as IPeerRecords[])].sort(), [...placement].sort());
  });

  it('a record in two objects, as in the middle of a move → in the first', () => {
    const { objects } = planPeerRecords('east', ledgerWith(1), NOWHERE);
    const second = { ...objects[0], metadata: { name: 'east.1' } } as IPeerRecords;
    assert.deepEqual([...placementOf([second, objects[0] as IPeerRecords])], [['shop/s00000', 0]]);
  });
});
