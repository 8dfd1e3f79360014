import assert from 'node:assert/strict';
import { formatFabric } from '#src/cli/fabric-status.ts';
import { makeFabricReport, type FabricInput } from '#src/cli/run/fabric-status.ts';
import type { PeerObservation } from '#src/gateway/messages.ts';

const SINCE = '2026-11-21T12:00:00Z';
const nowMs = Date.parse(SINCE) + 90_000;

interface World {
  readonly observation?: Partial<PeerObservation>;
  readonly written?: 'True' | 'False';
  readonly digest?: string;
  readonly alarms?: readonly object[];
  readonly confirmedMs?: number;
}

function makeInput({ observation, written, digest = 'abc', alarms = [], confirmedMs }: World): FabricInput {
  const conditions =
    written === undefined ? [] : [{ type: 'PeerReachable', status: written, lastTransitionTime: SINCE }];
  const conflict = { namespace: 'own', name: 'db', reasons: ['TypeConflict'], loses: true };
  const listOf = (items: readonly unknown[]) => ({ list: () => items });
  const verdict = { peer: 'east', namespace: 'shop', name: 'web', loses: true, message: '' };
  return {
    peer: 'west',
    version: '1.0.0',
    certificateExpires: '2027-01-01T00:00:00.000Z',
    nowMs,
    confirmedMs: () => confirmedMs,
    control: {
      peer: (name) => (observation === undefined ? undefined : { name, sessions: 0, message: '', ...observation }),
    },
    caches: {
      Peer: listOf([{ metadata: { name: 'east' }, status: { conditions: [...conditions, ...alarms] } }]),
      PeerRecords: listOf([
        { spec: { peer: 'east', digest, records: [{}, {}], report: { conflicts: [conflict] } } },
        { spec: { peer: 'east', digest: '', records: [{}] } },
      ]),
      ImportBinding: listOf([
        {
          spec: {
            import: { namespace: 'store', name: 'web' },
            verdicts: [
              { ...verdict, reasons: ['PortConflict'] },
              { ...verdict, name: 'fine', reasons: [] },
              { ...verdict, peer: 'south', reasons: ['PortConflict'] },
            ],
          },
        },
      ]),
    } as unknown as FabricInput['caches'],
  };
}

describe('makeFabricReport', () => {
  it('a peer with a session → since, version, certificate, records of now, conflicts of both sides', () => {
    const certificateExpires = '2026-12-01T00:00:00.000Z';
    const observation = { version: '2.0.0', certificateExpires };
    const [peer] = makeFabricReport(makeInput({ observation, written: 'True' })).peers;
    assert.deepEqual(peer, {
      name: 'east',
      reachable: true,
      since: SINCE,
      reason: '',
      alarms: [],
      message: '',
      version: '2.0.0',
      certificateExpires,
      records: 3,
      recordsAgeSeconds: 0,
      conflicts: ['store/web: east/shop/web PortConflict', 'own/db: TypeConflict there'],
    });
  });

  for (const [agoMs, seconds] of [
    [20_000, 0],
    [20_001, 20],
    [60_000, 60],
  ] as const) {
    it(`a session, and records that were confirmed ${agoMs} ms ago → ${seconds} s old`, () => {
      const input = makeInput({ observation: { version: '1' }, written: 'True', confirmedMs: nowMs - agoMs });
      assert.equal(makeFabricReport(input).peers[0]?.recordsAgeSeconds, seconds);
    });
  }

  it('records are held, and a limit is no longer near → the first is said, below the table too', () => {
    const alarms = [
      { type: 'RecordsHeld', status: 'True', message: '3 records' },
      { type: 'LimitNear', status: 'False', message: '' },
    ];
    const input = makeInput({ observation: { version: '1' }, alarms });
    const report = makeFabricReport(input);
    assert.deepEqual(report.peers[0]?.alarms, ['RecordsHeld: 3 records']);
    assert.match(formatFabric(report, 'text'), /\n\neast: RecordsHeld: 3 records$/);
  });

  const cases: [title: string, world: World, since: string, age: number | null][] = [
    ['lost 90 s ago', { observation: { reason: 'PEER_UNREACHABLE' }, written: 'False' }, SINCE, 90],
    ['lost a moment ago, not written yet', { observation: { reason: 'PEER_UNREACHABLE' }, written: 'True' }, '', 0],
    ['there, not written yet', { observation: { version: '1' }, written: 'False' }, '', 0],
    ['never complete', { observation: { version: '1' }, written: 'True', digest: '' }, SINCE, null],
    ['nothing observed', {}, '', 0],
  ];
  for (const [title, world, since, age] of cases) {
    it(`${title} → since ${JSON.stringify(since)}, age ${age}`, () => {
      const [peer] = makeFabricReport(makeInput(world)).peers;
      assert.deepEqual([peer?.since, peer?.recordsAgeSeconds], [since, age]);
    });
  }
});

describe('formatFabric', () => {
  it('text → one line a peer, with the number of conflicts', () => {
    const report = makeFabricReport(makeInput({ observation: { version: '2.0.0' }, written: 'True' }));
    const lines = formatFabric(report, 'text').split('\n');
    assert.match(lines[2] ?? '', /^NAME +REACHABLE +SINCE +VERSION +CERTIFICATE UNTIL +RECORDS +AGE +CONFLICTS$/);
    assert.match(lines[3] ?? '', /^east +True +2026-11-21T12:00:00Z +2\.0\.0 +- +3 +0s +2$/);
  });
});
