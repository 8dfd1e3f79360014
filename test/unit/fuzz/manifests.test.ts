/** Manifests that are almost right: a slip of the hand, a file that is half written, a hostile text. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { parseManifestFile } from '#src/store/directory/manifest.ts';
import { exportManifest, peerManifest, policyManifest, ruleManifest } from '#test/support/standalone.ts';
import { mutated } from './mutations.ts';

const SAMPLES = [
  exportManifest('web', 80, 8_080),
  `${ruleManifest()}---\n${stringify(policyManifest('store'))}`,
  peerManifest({ name: 'east', gatewayPort: 4_443 }),
  JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [policyManifest('a'), policyManifest('b')] }),
].map((text) => Buffer.from(text));

const parse = (text: string): ReturnType<typeof parseManifestFile> => parseManifestFile({ path: 'x.yaml', text });

describe('fuzz: parseManifestFile', () => {
  it('a manifest with something wrong → never throws; what is not taken has a place, a reason and a remedy', () => {
    fc.assert(
      fc.property(mutated(fc.constantFrom(...SAMPLES)), (bytes) => {
        const text = bytes.toString();
        const { objects, problems, rejected, complete } = parse(text);
        const lines = text.split(/\r\n|\n|\r/).length;
        for (const { line, column, message, fix, field = '', object = '' } of problems) {
          assert.ok(line >= 1 && line <= lines && column >= 1, `${line}:${column} of ${lines} lines`);
          assert.ok(message !== '' && fix !== '');
          assert.doesNotMatch(message + fix + field + object, /[\p{Cc}\p{Cf}\u2028\u2029]/u);
        }
        for (const { object } of objects) assert.ok(object.metadata?.name);
        if (!complete || rejected.length > 0) assert.ok(problems.some(({ severity }) => severity === 'error'));
        assert.deepEqual(parse(text), { objects, problems, rejected, complete });
      }),
      { numRuns: 300 },
    );
  });

  it('any beginning of a file in braces → not complete, so that nothing which it declared before goes', () => {
    const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [policyManifest('a'), policyManifest('b')] });
    for (let end = 1; end < text.length; end++)
      assert.equal(parse(text.slice(0, end)).complete, false, text.slice(0, end));
    assert.equal(parse(text).complete, true);
  });

  // Each is a known way to make a reader of YAML slow; linear ones take a few milliseconds.
  const SIZE = 5_000;
  const costly: readonly { readonly name: string; readonly text: string }[] = [
    { name: 'brackets that open', text: '['.repeat(SIZE) },
    { name: 'keys without a value', text: '? '.repeat(SIZE) },
    { name: 'quotes that do not close', text: '"a'.repeat(SIZE) },
    { name: 'many equal keys', text: 'a: 1\n'.repeat(SIZE) },
    { name: 'anchors', text: Array.from({ length: SIZE / 10 }, (_, index) => `- &a${index} x\n`).join('') },
    {
      name: 'aliases of aliases',
      text: Array.from(
        { length: 30 },
        (_, i) =>
          `a${i}: &a${i} [${
            i === 0
              ? '1'
              : Array(9)
                  .fill(`*a${i - 1}`)
                  .join()
          }]\n`,
      ).join(''),
    },
    { name: 'spaces', text: `a:${' '.repeat(SIZE)}b` },
    { name: 'documents', text: '---\n'.repeat(SIZE) },
    { name: 'comments', text: '#\n'.repeat(SIZE) },
    { name: 'tags', text: '!a '.repeat(SIZE) },
  ];
  for (const { name, text } of costly) {
    it(`${name} → read within the time of a scan, and nothing taken`, () => {
      const before = process.cpuUsage();
      assert.deepEqual(parse(text).objects, []);
      // Of the processor, not of the clock: the machine may have other work in between.
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 2_000_000, `${(user + system) / 1_000} ms`);
    });
  }
});
