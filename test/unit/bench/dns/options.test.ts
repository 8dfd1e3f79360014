import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import { ALL_FAMILIES } from '#test/bench/dns/keys.ts';
import { parseOptions } from '#test/bench/dns/options.ts';

describe('parseOptions of dns', () => {
  it('nothing → everybody, five rounds of 3 s, 1,000 imports, 20 changes among 10,000', () => {
    assert.deepEqual(parseOptions([]), {
      ...{ against: ALL_FAMILIES, rounds: 5, seconds: 3, warmUpSeconds: 5, imports: 1_000 },
      ...{ changes: 20, changeImports: 10_000, json: false },
    });
  });
  it('some → these', () => {
    const { against, rounds, seconds, imports, json, coredns } = parseOptions(
      '--against nsd,dns2 --rounds 1 --seconds 2 --imports 7 --json --coredns /a'.split(' '),
    );
    assert.deepEqual(
      { against, rounds, seconds, imports, json, coredns },
      { against: ['nsd', 'dns2'], rounds: 1, seconds: 2, imports: 7, json: true, coredns: '/a' },
    );
  });
  it('against none → ours alone', () => assert.deepEqual(parseOptions(['--against', 'none']).against, []));
  it('no rounds → changes alone; no changes → rounds alone', () => {
    assert.equal(parseOptions(['--rounds', '0']).rounds, 0);
    assert.equal(parseOptions(['--changes', '0']).changes, 0);
  });
  it('more imports than changes are made among → none goes away', () => {
    assert.equal(parseOptions(['--imports', '20', '--change-imports', '10']).changeImports, 20);
  });
  it('the greatest numbers → taken', () => {
    const { rounds, imports } = parseOptions(['--rounds', '100', '--imports', '50000']);
    assert.deepEqual({ rounds, imports }, { rounds: 100, imports: 50_000 });
  });

  for (const args of [
    ['--against', 'bind'],
    ['--against', ''],
    ['--against', 'coredns-cache'],
    ['--against', 'toString'],
    ['--rounds', '101'],
    ['--rounds', '-1'],
    ['--seconds', '0'],
    ['--seconds', '61'],
    ['--imports', '0'],
    ['--imports', '50001'],
    ['--changes', '1.5'],
    ['--unknown'],
    ['stray'],
  ]) {
    it(`${args.join(' ')} → ERR_USAGE`, () => {
      assert.throws(
        () => parseOptions(args),
        (error) => error instanceof AppError && error.code === 'ERR_USAGE' && error.fix !== undefined,
      );
    });
  }
});
