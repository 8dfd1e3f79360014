import assert from 'node:assert/strict';
import { desiredPeerConditions, type PeerConditionsInput } from '#src/exchange/peer-conditions.ts';

const fine: PeerConditionsInput = {
  peer: 'east',
  hold: undefined,
  duplicates: [],
  usage: { records: 0.79, records_lost: 0, record_bytes: 0, namespaces: 0 },
  present: undefined,
  observedGeneration: 3,
};
const hold = { since: '2026-11-20T12:00:00Z', until: '2026-11-20T12:05:00Z', records: 12 };

describe('desiredPeerConditions', () => {
  it('a peer that is fine and was so → nothing', () => {
    assert.deepEqual(desiredPeerConditions(fine), []);
  });

  it('records are held → how many, since when, until when, and both ways to confirm', () => {
    const [condition, ...rest] = desiredPeerConditions({ ...fine, hold });
    assert.deepEqual(rest, []);
    assert.deepEqual(
      [condition?.type, condition?.status, condition?.reason, condition?.observedGeneration],
      ['RecordsHeld', 'True', 'MassLoss', 3],
    );
    for (const part of [
      /^12 records/,
      /since 2026-11-20T12:00:00Z and until 2026-11-20T12:05:00Z/,
      /accept-loss east/,
      /mcs\.clusterlink\.net\/accept-loss=2026-11-20T12:00:00Z/,
    ]) {
      assert.match(condition?.message ?? '', part);
    }
  });

  it('two installations → both are named', () => {
    const [condition] = desiredPeerConditions({ ...fine, duplicates: ['a1', 'b2'] });
    assert.deepEqual([condition?.type, condition?.reason], ['DuplicatePeer', 'TwoInstallations']);
    assert.match(condition?.message ?? '', /a1 and b2/);
  });

  for (const [ratio, reason] of [
    [0.79, undefined],
    [0.8, 'LimitNear'],
    [0.999, 'LimitNear'],
    [1, 'LimitReached'],
  ] as const) {
    it(`${ratio} of a bound is used → ${reason ?? 'nothing'}`, () => {
      const [condition] = desiredPeerConditions({ ...fine, usage: { ...fine.usage, namespaces: ratio } });
      assert.equal(condition?.reason, reason);
    });
  }

  it('a few records more or less → the message is the same', () => {
    const messages = [0.81, 0.85, 0.89].map(
      (records) => desiredPeerConditions({ ...fine, usage: { ...fine.usage, records } })[0]?.message,
    );
    assert.equal(new Set(messages).size, 1);
  });

  it('what was wrong is right again → said so', () => {
    const present = ['RecordsHeld', 'PeerReachable'].map((type) => ({
      ...{ type, status: 'True' as const, reason: 'Old', message: 'old' },
      lastTransitionTime: '2026-11-20T12:00:00Z',
    }));
    assert.deepEqual(
      desiredPeerConditions({ ...fine, present }).map(({ type, status, reason }) => [type, status, reason]),
      [['RecordsHeld', 'False', 'NothingHeld']],
    );
  });
});
