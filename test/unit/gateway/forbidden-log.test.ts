import assert from 'node:assert/strict';
import { makeForbiddenLog, type ForbiddenLog } from '#src/gateway/forbidden-log.ts';
import { makeLogger } from '#src/runtime/log.ts';
import { waitFor } from '#test/support/wait.ts';

const DELAY_MS = 20;

describe('makeForbiddenLog', () => {
  let lines: { export: string; cause: string; reason: string }[];
  let log: ForbiddenLog;

  beforeEach(() => {
    lines = [];
    const destination = { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]) };
    log = makeForbiddenLog(makeLogger({ level: 'info', destination }), DELAY_MS);
  });

  afterEach(() => log.close());

  it('endpoints that stay left out → told once, and again when others are', async () => {
    log.see(new Map([['shop/db', 'first']]));
    log.see(new Map([['shop/db', 'first']]));
    await waitFor('a line', () => lines.length === 1);
    assert.partialDeepStrictEqual(lines[0], { export: 'shop/db', reason: 'TARGET_FORBIDDEN', cause: 'first' });
    log.see(new Map([['shop/db', 'first']]));
    log.see(
      new Map([
        ['shop/db', 'second'],
        ['shop/web', 'other'],
      ]),
    );
    await waitFor('two more', () => lines.length === 3);
    assert.deepEqual(
      lines.map(({ cause }) => cause),
      ['first', 'second', 'other'],
    );
  });

  it('over before the look → not told; back after it was told → told again', async () => {
    log.see(new Map([['shop/db', 'passing']]));
    log.see(new Map([['shop/web', 'stays']]));
    await waitFor('a line', () => lines.length === 1);
    assert.equal(lines[0]?.cause, 'stays');
    log.see(new Map([['shop/db', 'another']]));
    await waitFor('a second', () => lines.length === 2);
    log.see(new Map([['shop/web', 'stays']]));
    await waitFor('a third', () => lines.length === 3);
    assert.equal(lines[2]?.cause, 'stays');
  });
});
