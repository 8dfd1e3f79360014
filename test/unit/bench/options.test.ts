import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import { ALL_FAMILIES, ALL_KEYS } from '#test/bench/gateway/keys.ts';
import { parseOptions } from '#test/bench/gateway/options.ts';

describe('parseOptions', () => {
  it('nothing → everybody, everything, five rounds', () => {
    const { against, only, rounds, json, envoy, haproxies, idleTunnels } = parseOptions([], {});
    assert.deepEqual({ against, only }, { against: ALL_FAMILIES, only: ALL_KEYS });
    assert.deepEqual({ rounds, json, idleTunnels }, { rounds: 5, json: false, idleTunnels: 3_000 });
    assert.deepEqual({ envoy, haproxies }, { envoy: 'envoy', haproxies: ['haproxy'] });
  });
  it('nothing → pairs are warmed up, and have no workers', () => {
    const { warmUpTurns, workers } = parseOptions([], {});
    assert.deepEqual({ warmUpTurns, workers }, { warmUpTurns: 6, workers: 0 });
  });
  it('workers, and no time to warm up → taken', () => {
    const { warmUpTurns, workers } = parseOptions(['--workers', '64', '--warm-up', '0'], {});
    assert.deepEqual({ warmUpTurns, workers }, { warmUpTurns: 0, workers: 64 });
  });
  it('some → these', () => {
    const { against, only, rounds, haproxies } = parseOptions(
      ['--against', 'pipe,envoy', '--only', 'cpu_f1', '--rounds', '1', '--haproxy', 'a', '--haproxy', 'b'],
      {},
    );
    assert.deepEqual(against, ['pipe', 'envoy']);
    assert.deepEqual(only, ['cpu_f1']);
    assert.equal(rounds, 1);
    assert.deepEqual(haproxies, ['haproxy', 'a', 'b']);
  });
  it('against none → ours alone', () => assert.deepEqual(parseOptions(['--against', 'none'], {}).against, []));
  it('ENVOY in the environment → that one; the flag comes before it', () => {
    assert.equal(parseOptions([], { ENVOY: '/a' }).envoy, '/a');
    assert.equal(parseOptions(['--envoy', '/b'], { ENVOY: '/a' }).envoy, '/b');
  });
  it('the greatest number → taken', () => assert.equal(parseOptions(['--rounds', '100'], {}).rounds, 100));

  for (const args of [
    ['--against', 'nginx'],
    ['--against', ''],
    ['--against', 'toString'],
    ['--only', 'cpu'],
    ['--rounds', '0'],
    ['--rounds', '101'],
    ['--rounds', '1.5'],
    ['--rounds', '1e1'],
    ['--idle', '7001'],
    ['--workers', '65'],
    ['--warm-up', '61'],
    ['--warm-up', ''],
    ['--unknown'],
    ['stray'],
  ]) {
    it(`${args.join(' ')} → ERR_USAGE`, () => {
      assert.throws(
        () => parseOptions(args, {}),
        (error) => error instanceof AppError && error.code === 'ERR_USAGE' && error.fix !== undefined,
      );
    });
  }
});
