/** Runs before every other test: on another Node the rest would prove nothing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

describe('the Node that runs this', () => {
  it('is the one that the package brings', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      optionalDependencies: Record<string, string>;
    };
    assert.equal(process.versions.node, manifest.optionalDependencies[`node-linux-${process.arch}`]);
  });
});
