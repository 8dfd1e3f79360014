import assert from 'node:assert/strict';
import { UsageError } from '#test/conformance/kubeconfig.ts';
import { parseOptions } from '#test/conformance/options.ts';

const IDS = ['C-R01', 'C-R02', 'C-O04a'];
const parse = (...argv: string[]) => parseOptions(argv, IDS);

describe('parseOptions', () => {
  it('nothing → every default', () => {
    assert.deepEqual(parse(), {
      contexts: [],
      kubeconfig: undefined,
      json: false,
      suite: undefined,
      focus: [],
      labelFilter: undefined,
      parallel: 1,
      expectFailures: undefined,
      implementation: { organization: '', project: '', version: '', url: '' },
      dnsDomain: 'clusterset.local',
      verifyManagedBy: true,
      help: false,
    });
  });

  it('lists → split, blanks dropped, ids in their own spelling', () => {
    const options = parse('--contexts', 'a, b,', '--focus', 'c-r01,C-O04A');
    assert.deepEqual(options.contexts, ['a', 'b']);
    assert.deepEqual(options.focus, ['C-R01', 'C-O04a']);
  });

  it('a DNS domain with capitals and a final dot → as it is compared', () => {
    assert.equal(parse('--dns-domain', 'Fleet.Example.').dnsDomain, 'fleet.example');
  });

  it('the flags of the report → kept', () => {
    const options = parse('--organization', 'o', '--project=p', '--version', 'v', '--url', 'u');
    assert.deepEqual(options.implementation, { organization: 'o', project: 'p', version: 'v', url: 'u' });
    assert.equal(parse('--skip-verify-eps-managed-by').verifyManagedBy, false);
  });

  it('the limits of numbers → 1 and the maximum are taken', () => {
    assert.equal(parse('--parallel', '8').parallel, 8);
    assert.equal(parse('--expect-failures', '3').expectFailures, 3);
  });

  const refused: string[][] = [
    ['--nonsense'],
    ['positional'],
    ['--contexts'],
    ['--contexts', 'a,a'],
    ['--contexts', Array.from({ length: 101 }, (_, index) => `c${index}`).join()],
    ['--focus', 'C-R99'],
    ['--focus', ','],
    ['--label-filter', '(DNS'],
    ['--parallel', '0'],
    ['--parallel', '9'],
    ['--parallel', '1.5'],
    ['--expect-failures', '4'],
    ['--dns-domain', 'a;reboot'],
    ['--dns-domain', '-a.b'],
    ['--dns-domain', ''],
    ['--dns-domain', `${'a'.repeat(64)}.b`],
    ['--suite', 'x', '--focus', 'C-R01'],
    ['--suite', 'x', '--parallel', '2'],
    ['--suite', 'x', '--expect-failures', '1'],
  ];
  for (const argv of refused) {
    it(`${argv.join(' ').slice(0, 40)} → UsageError`, () => assert.throws(() => parse(...argv), UsageError));
  }
});
