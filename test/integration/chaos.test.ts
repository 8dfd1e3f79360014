/** The short form of `npm run chaos`: one fault of each sort, always the same ones. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FAULT_SORTS, type Fault } from '#test/chaos/faults.ts';
import { runChaos, type Able } from '#test/chaos/run.ts';
import { findFaketime, makeWrongClock } from '#test/chaos/wrong-clock.ts';
import { isCi } from '#test/support/tools.ts';

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
/** Where Debian's libfaketime is, which CI must have. */
const CLOCK: readonly Fault[] = [
  { sort: 'clock', peer: 'west', offsetSeconds: 120, holdMs: 3_000 },
  { sort: 'clock', peer: 'east', offsetSeconds: -120, holdMs: 3_000 },
];
/** A fifth of the long form's: other tests of this machine want to run as well. */
const CONNECTIONS_PER_SECOND = 40;

describe('makeWrongClock', function () {
  this.timeout(20_000);

  it('set two minutes off → the process sees it', async () => {
    const library = findFaketime();
    if (library === undefined) {
      assert.ok(!isCi(), 'libfaketime is not installed, which CI must have');
      return this.ctx.skip();
    }
    const folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-clock-'));
    try {
      const clock = makeWrongClock({ library, file: join(folder, 'offset') });
      clock.set(-120);
      const env = { ...process.env, ...clock.environment };
      const told = execFileSync(process.execPath, ['-p', 'Date.now()'], { env, encoding: 'utf8' });
      const offSeconds = (Number(told) - Date.now()) / 1000;
      assert.ok(offSeconds < -115 && offSeconds > -135, `${offSeconds} s`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('three peers under faults', function () {
  this.timeout(240_000);

  it('one fault of each sort → nothing lost, no byte wrong', async () => {
    const log: string[] = [];
    const done = new Set<string>();
    let plan: (readonly Fault[])[] | undefined;
    let able: Able | undefined;
    const report = await runChaos({
      next(now) {
        able = now;
        plan ??= [...PLAN, ...(now.fillDisk ? [FULL] : []), ...(now.setClock ? [CLOCK] : [])];
        const faults = plan.shift();
        faults?.forEach(({ sort }) => done.add(sort));
        return faults;
      },
      connectionsPerSecond: CONNECTIONS_PER_SECOND,
      say: (line) => void log.push(line),
    });
    const { ok, lost, wrong, connections } = report;
    assert.deepEqual({ ok, lost, wrong }, { ok: true, lost: 0, wrong: 0 }, log.join('\n'));
    const left = [...(able?.fillDisk === true ? [] : ['full']), ...(able?.setClock === true ? [] : ['clock'])];
    assert.deepEqual([...done].sort(), FAULT_SORTS.filter((sort) => !left.includes(sort)).sort());
    assert.ok(!isCi() || !left.includes('clock'), 'libfaketime is not installed, which CI must have');
    // It did not hold because nothing passed.
    assert.ok(connections.done > 200, JSON.stringify(connections));
  });
});
