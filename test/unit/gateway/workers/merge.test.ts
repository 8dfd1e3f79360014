import assert from 'node:assert/strict';
import type { ImportBindingStatusListener } from '#src/api/generated/ImportBinding.ts';
import { FORESEEN_TOLD_MAX } from '#src/gateway/limits.ts';
import type {
  ConnectionSubject,
  Foresight,
  ImportObservation,
  LimitsReport,
  PeerObservation,
} from '#src/gateway/messages.ts';
import { mergeForesights, mergeImports, mergeLimits, mergePeers } from '#src/gateway/workers/merge.ts';

const AWAY: PeerObservation = { name: 'east', sessions: 0, reason: 'PEER_UNREACHABLE', message: 'refused' };
const HERE: PeerObservation = { name: 'east', sessions: 2, version: '1.0.0', epochs: ['b'], message: '' };

describe('mergePeers', () => {
  const cases: readonly { name: string; seen: [PeerObservation, ...PeerObservation[]]; want: PeerObservation }[] = [
    { name: 'one worker', seen: [HERE], want: HERE },
    { name: 'one of two reaches it', seen: [AWAY, HERE], want: HERE },
    { name: 'nobody reaches it', seen: [AWAY, { ...AWAY, message: 'later' }], want: { ...AWAY, message: 'later' } },
    {
      name: 'two installations claim the name, one in each worker',
      seen: [HERE, { ...HERE, sessions: 1, epochs: ['a', 'b'] }],
      want: { ...HERE, sessions: 3, epochs: ['a', 'b'] },
    },
    {
      name: 'a session that drains is counted, and its worker reaches nobody',
      seen: [{ ...AWAY, sessions: 1 }, HERE],
      want: { ...HERE, sessions: 3 },
    },
  ];
  for (const { name, seen, want } of cases) {
    it(`${name} → ${want.version === undefined ? 'unreachable' : 'reachable'}, ${want.sessions} sessions`, () => {
      assert.deepEqual(mergePeers(seen), want);
    });
  }
});

describe('mergeImports', () => {
  const key = { namespace: 'store', name: 'db' };
  const source = { peer: 'east', namespace: 'shop', name: 'db' };
  const listener = (state: ImportBindingStatusListener['state'], port = 80): ImportBindingStatusListener => ({
    address: '127.1.1.1',
    port,
    state,
  });
  const seen = (
    listeners: readonly ImportBindingStatusListener[],
    sources: ImportObservation['sources'] = [],
  ): ImportObservation => ({ key, listeners, sources });

  for (const [states, want] of [
    [['Closed', 'Listening'], 'Listening'],
    [['Listening', 'Failed'], 'Listening'],
    [['Failed', 'Closed'], 'Failed'],
    [['Closed', 'Closed'], 'Closed'],
  ] as const) {
    it(`workers say ${states.join(' and ')} → ${want}`, () => {
      const [a, b] = states;
      assert.deepEqual(mergeImports([seen([listener(a)]), seen([listener(b)])]).listeners, [listener(want)]);
    });
  }

  it('a source that one worker can use → usable, without a reason', () => {
    const away = { ...source, usable: false, reason: 'PEER_UNREACHABLE' } as const;
    const here = { ...source, usable: true };
    assert.deepEqual(mergeImports([seen([], [here]), seen([], [away])]).sources, [here]);
    assert.deepEqual(mergeImports([seen([], [away]), seen([], [away])]).sources, [away]);
  });

  it('the last worker knows of a newer snapshot → its listeners and sources are those that there are', () => {
    const newer = seen([listener('Closed', 81)], [{ ...source, name: 'new', usable: false }]);
    assert.deepEqual(mergeImports([seen([listener('Listening')], [{ ...source, usable: true }]), newer]), newer);
  });
});

describe('mergeLimits', () => {
  const report = (ratio: number, refused: number, bytes: number): LimitsReport => ({
    usages: [
      { limit: 'streams', peer: 'east', ratio, refused },
      { limit: 'pings', peer: 'east', ratio, refused },
    ],
    bufferedBytes: [['east', bytes]],
    bufferedBytesTotal: bytes + 1,
  });

  it('two workers → memory and what they share together, else the nearest to its bound; refused is what the one that reports has', () => {
    assert.deepEqual(mergeLimits(report(0.25, 2, 100), [report(0.5, 7, 10)]), {
      usages: [
        { limit: 'streams', peer: 'east', ratio: 0.75, refused: 2 },
        { limit: 'pings', peer: 'east', ratio: 0.5, refused: 2 },
      ],
      bufferedBytes: [['east', 110]],
      bufferedBytesTotal: 112,
    });
  });

  it('a limit that only another worker uses → told, with nothing refused', () => {
    const { usages } = mergeLimits({ usages: [], bufferedBytes: [], bufferedBytesTotal: 0 }, [report(0.5, 7, 10)]);
    assert.deepEqual(usages[0], { limit: 'streams', peer: 'east', ratio: 0.5, refused: 0 });
  });
});

describe('mergeForesights', () => {
  const subject: ConnectionSubject = { connection: 'c', direction: 'egress', object: 'store/db', peer: 'east' };
  const cut = { ...subject, reason: 'POLICY_CHANGED', message: '' } as const;
  const answer = (cuts: number): Foresight => ({
    open: 3,
    cuts: Array.from({ length: cuts }, () => cut),
    cutsTotal: cuts,
    unasked: 1,
    admissions: [subject],
  });

  it('two workers → counted together; no more are told than of one', () => {
    const { cuts, ...counts } = mergeForesights([answer(FORESEEN_TOLD_MAX), answer(1)]);
    assert.equal(cuts.length, FORESEEN_TOLD_MAX);
    assert.deepEqual(counts, { open: 6, cutsTotal: FORESEEN_TOLD_MAX + 1, unasked: 2, admissions: [subject, subject] });
  });
});
