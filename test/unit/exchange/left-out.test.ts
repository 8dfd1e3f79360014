import assert from 'node:assert/strict';
import { makeLeftOut } from '#src/exchange/left-out.ts';
import { makeLogger } from '#src/runtime/log.ts';
import { SILENT_METRICS } from './samples.ts';

describe('makeLeftOut', () => {
  it('more and more exports are left out, then none → said when it begins and when it ends, and no more', () => {
    const lines: string[] = [];
    const told: [string, number][] = [];
    const leftOut = makeLeftOut({
      logger: makeLogger({ level: 'info', destination: { write: (line: string) => void lines.push(line) } }),
      metrics: { ...SILENT_METRICS, onLeftOut: (...args) => void told.push(args) },
    });
    for (const exports of [0, 3, 5, 5, 0, 0]) leftOut.tell('west', exports);
    assert.deepEqual(told, [
      ['west', 3],
      ['west', 0],
    ]);
    assert.equal(lines.length, 2, lines.join('\n'));
  });
});
