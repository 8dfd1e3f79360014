import assert from 'node:assert/strict';
import type { KindName } from '#src/api/kinds.ts';
import {
  collectDeclarations,
  toFileContent,
  toUnreadContent,
  type DeclaredObject,
  type FileContent,
} from '#src/store/directory/declarations.ts';
import type { ManifestFile, ManifestObject } from '#src/store/directory/manifest-types.ts';

function manifest(file: string, name: string, line = 1): ManifestObject {
  const object = { apiVersion: 'v1', kind: 'ServiceExport', metadata: { namespace: 'shop', name } };
  return { object, kind: 'ServiceExport', file, line };
}

function content(path: string, names: readonly string[], more: Partial<ManifestFile> = {}): FileContent {
  const objects = names.map((name) => manifest(path, name));
  return toFileContent(path, { objects, problems: [], rejected: [], complete: true, ...more });
}

function rejected(kind: KindName, name: string): Partial<ManifestFile> {
  return { rejected: [{ kind, key: { namespace: 'shop', name } }] };
}

/** What is declared, as `name file`, after these files with these objects present. */
function declaredBy(contents: readonly FileContent[], present: readonly DeclaredObject[]): string[] {
  const { declared } = collectDeclarations(
    contents,
    Map.groupBy(present, ({ file }) => file),
  );
  return [...declared.values()].map(({ key, file }) => `${key.name} ${file}`).sort();
}

describe('collectDeclarations', () => {
  const present = content('a.yaml', ['db', 'web']).objects;
  const both = ['db a.yaml', 'web a.yaml'];
  const rows: [string, FileContent[], string[]][] = [
    ['both declared', [content('a.yaml', ['db', 'web'])], both],
    ['one left out', [content('a.yaml', ['db'])], ['db a.yaml']],
    ['the file gone', [], []],
    ['the file unread', [toUnreadContent('a.yaml')], both],
    ['another file unread', [toUnreadContent('b.yaml')], []],
    ['one refused', [content('a.yaml', ['db'], rejected('ServiceExport', 'web'))], both],
    ['another kind of that name refused', [content('a.yaml', ['db'], rejected('Service', 'web'))], ['db a.yaml']],
    ['a document too broken to name anything', [content('a.yaml', ['db'], { complete: false })], both],
    ['moved to another file', [content('a.yaml', ['db']), content('b.yaml', ['web'])], ['db a.yaml', 'web b.yaml']],
    ['declared elsewhere while its file is unread', [toUnreadContent('a.yaml'), content('b.yaml', ['web'])], both],
  ];
  for (const [title, contents, expected] of rows) {
    it(`${title} → ${expected.join(', ') || 'nothing'}`, () => {
      assert.deepEqual(declaredBy(contents, present), expected);
    });
  }

  it('one object twice in one file → the first counts, the second is a problem that names both lines', () => {
    const objects = [manifest('a.yaml', 'db', 1), manifest('a.yaml', 'db', 9)];
    const { declared, problems } = collectDeclarations([content('a.yaml', [], { objects })], new Map());
    assert.equal(declared.get('ServiceExport shop/db')?.line, 1);
    assert.deepEqual(
      problems.map(({ line, object }) => [line, object]),
      [[9, 'ServiceExport shop/db']],
    );
    assert.match(problems[0]?.message ?? '', /a\.yaml:1 .*a\.yaml:9/);
  });
});
