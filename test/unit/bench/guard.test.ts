import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import { parseGuardOptions } from '#test/bench/gateway/guard.ts';

describe('parseGuardOptions', () => {
  it('nothing → three rounds, and a limit', () => {
    const { limit, rounds } = parseGuardOptions([]);
    assert.equal(rounds, 3);
    assert.ok(limit > 0);
  });
  it('some → these', () => {
    assert.deepEqual(parseGuardOptions(['--limit', '0.85', '--rounds', '20']), { limit: 0.85, rounds: 20 });
  });
  for (const args of [
    ['--limit', '0'],
    ['--limit', ''],
    ['--limit', '1e1'],
    ['--rounds', '0'],
    ['--rounds', '21'],
    ['--unknown'],
    ['stray'],
  ]) {
    it(`${args.join(' ')} → ERR_USAGE`, () => {
      assert.throws(
        () => parseGuardOptions(args),
        (error) => error instanceof AppError && error.code === 'ERR_USAGE' && error.fix !== undefined,
      );
    });
  }
});
