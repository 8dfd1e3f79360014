import assert from 'node:assert/strict';
import type { IPeerRecords } from '#src/api/generated/PeerRecords.ts';
import { EMPTY_LEDGER, recordsOf, type Ledger } from '#src/exchange/ledger.ts';
import { PEER_RECORDS_CHUNK_BYTES } from '#src/exchange/limits.ts';
import { desiredPeerRecords, ledgerOf } from '#src/exchange/peer-records.ts';
import { makeRecord } from './samples.ts';

function ledgerWith(count: number): Ledger {
  const entries = Array.from({ length: count }, (_, index) => {
    const record = makeRecord(`s${String(index).padStart(5, '0')}`);
    return [`shop/${record.name}`, { record, firstSeen: '2026-11-20T12:00:00Z' }] as const;
  });
  return { ...EMPTY_LEDGER, epoch: 'one', digest: 'd'.repeat(64), entries: new Map(entries) };
}

describe('desiredPeerRecords', () => {
  it('no records → one object all the same: what is known is that there are none', () => {
    assert.deepEqual(
      desiredPeerRecords('east', ledgerWith(0)).map(({ metadata }) => metadata.name),
      ['east'],
    );
  });

  it('2,000 records → several objects below the bound, and back to the same ledger in any order', () => {
    const ledger = ledgerWith(2_000);
    const objects = desiredPeerRecords('east', ledger);
    assert.ok(objects.length > 1);
    for (const object of objects)
      assert.ok(JSON.stringify(object.spec?.records).length <= PEER_RECORDS_CHUNK_BYTES * 1.01);
    const back = ledgerOf([...objects].reverse() as IPeerRecords[]);
    assert.deepEqual(
      recordsOf(back)
        .map(({ name }) => name)
        .sort(),
      recordsOf(ledger).map(({ name }) => name),
    );
    assert.equal(back.digest, ledger.digest);
  });

  it('the second object of peer a → no name that a peer could have', () => {
    const [, second] = desiredPeerRecords('a', ledgerWith(2_000));
    assert.equal(second?.metadata.name, 'a.1');
  });
});
