import assert from 'node:assert/strict';
import { CROWDED_STREAMS, SESSIONS_BY_LOAD_MAX } from '#src/gateway/limits.ts';
import { demandOf, isLoaded, type Demand, type SessionLoad } from '#src/gateway/wanted-sessions.ts';

const FREE: SessionLoad = { busy: false, full: false, streams: 3 };
const BUSY: SessionLoad = { ...FREE, busy: true };
const CROWDED: SessionLoad = { ...FREE, streams: CROWDED_STREAMS };
const timings = { furtherAfterMs: 2_000, fewerAfterMs: 60_000 };

/** What is wanted after looks at these loads, a second apart. */
function wantedAfter(...looks: (readonly SessionLoad[])[]): number | undefined {
  let demand: Demand | undefined;
  looks.forEach((loads, second) => (demand = demandOf({ loads, before: demand, nowMs: second * 1_000, timings })));
  return demand?.wanted;
}

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}

describe('isLoaded', () => {
  for (const [what, load, expected] of [
    ['it carries bulk', BUSY, true],
    ['a few streams', FREE, false],
    ['one stream less than crowded', { ...FREE, streams: CROWDED_STREAMS - 1 }, false],
    ['crowded', CROWDED, true],
    ['as many streams as its peer takes', { ...FREE, full: true }, true],
  ] as const) {
    it(`${what} → ${expected}`, () => assert.equal(isLoaded(load), expected));
  }
});

describe('demandOf', () => {
  for (const [what, looks, wanted] of [
    ['no session', [[]], 0],
    ['one that is idle, for long', times(100, [FREE]), 1],
    ['one that carries bulk, seen the first time', [[BUSY]], 1],
    ['one that carries bulk, not long enough', times(2, [BUSY]), 1],
    ['one that carries bulk for two seconds', times(3, [BUSY]), 2],
    ['one that is crowded for two seconds', times(3, [CROWDED]), 2],
    ['bulk that pauses', [[BUSY], [BUSY], [FREE], [BUSY], [BUSY]], 1],
    ['bulk and one without, for long', times(100, [BUSY, FREE]), 2],
    ['both carry bulk for two seconds', times(3, [BUSY, CROWDED]), 3],
    [`${SESSIONS_BY_LOAD_MAX - 1} carry bulk`, times(9, times(SESSIONS_BY_LOAD_MAX - 1, BUSY)), SESSIONS_BY_LOAD_MAX],
    [`${SESSIONS_BY_LOAD_MAX} carry bulk`, times(9, times(SESSIONS_BY_LOAD_MAX, BUSY)), SESSIONS_BY_LOAD_MAX],
    ['two without load for 59 s', times(60, [FREE, FREE]), 2],
    ['two without load for a minute', times(61, [FREE, FREE]), 1],
    ['one of three carries bulk for a minute', times(61, [FREE, BUSY, FREE]), 2],
    ['load that returns before the minute is over', [...times(50, [FREE, FREE]), [BUSY, FREE], [FREE, FREE]], 2],
    ['what was crowded is idle at once', [...times(50, [BUSY, BUSY]), [FREE, FREE]], 2],
  ] as const) {
    it(`${what} → ${wanted}`, () => assert.equal(wantedAfter(...looks), wanted));
  }

  it('one fewer at a look: those after the first need no further minute', () => {
    let demand: Demand | undefined;
    const look = (loads: readonly SessionLoad[], nowMs: number): number => {
      demand = demandOf({ loads, before: demand, nowMs, timings });
      return demand.wanted;
    };
    assert.deepEqual([look(times(3, FREE), 0), look(times(3, FREE), 60_000), look(times(2, FREE), 60_500)], [3, 2, 1]);
  });
});
