import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { toTar, type TarEntry } from '../../../scripts/image/tar.ts';

const bytes = (entries: readonly TarEntry[]): Buffer => Buffer.concat(toTar(entries));
const text = (content: string): Uint8Array => Buffer.from(content);
const tar = (archive: Buffer, ...args: readonly string[]): string =>
  execFileSync('tar', args, { input: archive, encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } });

describe('toTar', () => {
  it('files and folders → what tar lists: modes, sizes, owner 0, time 0', () => {
    const archive = bytes([
      { path: 'bin/tool', mode: 0o555, content: text('tool') },
      { path: 'tmp', mode: 0o1777 },
    ]);
    const lines = tar(archive, '--list', '--verbose', '--numeric-owner').trim().split('\n');
    assert.deepEqual(
      lines.map((line) => line.replace(/\s+/g, ' ')),
      ['-r-xr-xr-x 0/0 4 1970-01-01 00:00 bin/tool', 'drwxrwxrwt 0/0 0 1970-01-01 00:00 tmp/'],
    );
  });

  for (const size of [0, 1, 511, 512, 513]) {
    it(`a file of ${size} bytes → read back as it was, in whole blocks`, () => {
      const content = 'x'.repeat(size);
      const archive = bytes([{ path: 'file', mode: 0o444, content: text(content) }]);
      assert.equal(archive.length % 512, 0);
      assert.equal(tar(archive, '--extract', '--to-stdout', 'file'), content);
    });
  }

  it('another order → the same bytes', () => {
    const entries: TarEntry[] = ['b', 'a', 'c'].map((path) => ({ path, mode: 0o444, content: text(path) }));
    assert.deepEqual(bytes(entries), bytes(entries.toReversed()));
  });

  it('a path of 100 bytes → as a name; longer → cut at a slash; longer than a header → refused', () => {
    const folder = 'f'.repeat(99);
    for (const path of ['n'.repeat(100), `${folder}/${'n'.repeat(100)}`, `${'p'.repeat(155)}/${'n'.repeat(100)}`]) {
      assert.equal(tar(bytes([{ path, mode: 0o444, content: text('') }]), '--list').trim(), path);
    }
    for (const path of ['n'.repeat(101), `${'p'.repeat(156)}/${'n'.repeat(100)}`]) {
      assert.throws(() => bytes([{ path, mode: 0o444, content: text('') }]), RangeError);
    }
  });
});
