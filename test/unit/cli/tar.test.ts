import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { makeTar } from '#src/cli/tar.ts';

const entries = [
  { name: 'a/empty.txt', content: Buffer.alloc(0) },
  { name: 'full.txt', content: Buffer.alloc(512, 'x') },
  { name: `${'n'.repeat(96)}.txt`, content: Buffer.from('long name\n') },
];

describe('makeTar', () => {
  it('the system tar reads it → the names and the contents', function () {
    const archive = makeTar(entries, 1_700_000_000);
    assert.equal(archive.length % 512, 0);
    const listed = spawnSync('tar', ['-tf', '-'], { input: archive, encoding: 'utf8' });
    assert.equal(listed.status, 0, listed.stderr);
    assert.deepEqual(
      listed.stdout.trim().split('\n'),
      entries.map(({ name }) => name),
    );
    for (const { name, content } of entries) {
      const { stdout } = spawnSync('tar', ['-xOf', '-', name], { input: archive });
      assert.deepEqual(stdout, content);
    }
  });

  it('a name of 101 characters → refused', () => {
    assert.throws(() => makeTar([{ name: 'n'.repeat(101), content: Buffer.alloc(0) }], 0), RangeError);
  });
});
