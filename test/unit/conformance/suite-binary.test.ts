import assert from 'node:assert/strict';
import { parseOptions } from '#test/conformance/options.ts';
import { suiteArguments } from '#test/conformance/suite-binary.ts';

const options = (...argv: string[]) => parseOptions(['--suite', 'x', ...argv], ['C-R01']);

describe('suiteArguments', () => {
  it('one file → named; nothing that was not given', () => {
    const target = { files: ['/k'], contexts: ['a', 'b'] };
    assert.deepEqual(suiteArguments(options(), target), [
      '-contexts',
      'a,b',
      '-kubeconfig',
      '/k',
      '-dns-domain',
      'clusterset.local',
    ]);
  });

  it('several files → by the environment; every flag that the binary knows', () => {
    const target = { files: ['/k', '/l'], contexts: ['a'] };
    const given = options('--label-filter', 'Required', '--project', 'p', '--skip-verify-eps-managed-by');
    assert.deepEqual(suiteArguments(given, target), [
      ...['-contexts', 'a', '-dns-domain', 'clusterset.local', '-project', 'p'],
      ...['-ginkgo.label-filter', 'Required', '-skip-verify-eps-managed-by'],
    ]);
  });
});
