/** The short form of `npm run chaos`: one fault of each sort, always the same ones. */
import assert from 'node:assert/strict';
import { FAULT_SORTS, type Fault } from '#test/chaos/faults.ts';
import { runChaos } from '#test/chaos/run.ts';

/** The sorts that need nothing from each other come two at a time. */
const PLAN: readonly (readonly Fault[])[] = [
  [{ sort: 'kill', peer: 'east', holdMs: 500 }],
  [
    { sort: 'stop', peer: 'south', holdMs: 2_500 },
    { sort: 'half', peer: 'west', cutAt: 700_000, holdMs: 600 },
  ],
  [
    { sort: 'cut', peer: 'west', other: 'south', holdMs: 500 },
    { sort: 'replace', peer: 'east', holdMs: 200 },
  ],
  [
    { sort: 'stall', peer: 'west', other: 'east', holdMs: 2_500 },
    { sort: 'empty', peer: 'west', holdMs: 1_500 },
  ],
  [{ sort: 'recreate', peer: 'west', other: 'south', holdMs: 1_000 }],
  [{ sort: 'kill', peer: 'west', holdMs: 200 }],
];
/** Where a small disk can be mounted, which is root's to do. */
const FULL: readonly Fault[] = [{ sort: 'full', peer: 'west', holdMs: 1_500 }];
/** A fifth of the long form's: other tests of this machine want to run as well. */
const CONNECTIONS_PER_SECOND = 40;

describe('three peers under faults', function () {
  this.timeout(240_000);

  it('one fault of each sort → nothing lost, no byte wrong', async () => {
    const log: string[] = [];
    const done = new Set<string>();
    let plan: (readonly Fault[])[] | undefined;
    let canFillDisk = false;
    const report = await runChaos({
      next(canFill) {
        canFillDisk = canFill;
        plan ??= canFill ? [...PLAN, FULL] : [...PLAN];
        const faults = plan.shift();
        faults?.forEach(({ sort }) => done.add(sort));
        return faults;
      },
      connectionsPerSecond: CONNECTIONS_PER_SECOND,
      say: (line) => void log.push(line),
    });
    const { ok, lost, wrong, connections } = report;
    assert.deepEqual({ ok, lost, wrong }, { ok: true, lost: 0, wrong: 0 }, log.join('\n'));
    assert.deepEqual([...done].sort(), FAULT_SORTS.filter((sort) => canFillDisk || sort !== 'full').sort());
    // It did not hold because nothing passed.
    assert.ok(connections.done > 200, JSON.stringify(connections));
  });
});
