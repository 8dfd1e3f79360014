import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { codeOf, codeSpansOf, documentPaths, linkTargetsOf, readDocument, rowsOf, sectionOf } from './markdown.ts';

const ARCHITECTURE = readDocument('docs/ARCHITECTURE.md');

/**
 * What a code span names in this repository: a path below one of its folders, or a source file below `src/` with the folder
 * left out (`gateway/plane.ts`), as the ADRs write it.
 */
const IN_REPOSITORY = /^(?:src|test|scripts|crds|docs|bin|coredns)\/[\w./*{},-]*$/;
const BELOW_SRC = /^[\w-]+(?:\/[\w-]+)*\/[\w-]+\.ts$/;

function pathsIn(text: string): string[] {
  return codeSpansOf(text).filter((code) => IN_REPOSITORY.test(code) || BELOW_SRC.test(code));
}

function isThere(path: string): boolean {
  return [path, join('src', path)].some((candidate) =>
    /[*{]/.test(path) ? globSync(candidate).length > 0 : existsSync(candidate),
  );
}

/** Numbered steps, each with what is indented below it. */
function stepsOf(text: string): string[] {
  return text.split(/^(?=\d+\. )/m).filter((part) => /^\d+\. /.test(part));
}

describe('documents', () => {
  const paths = documentPaths();

  it('there are documents to look at', () =>
    assert.ok(paths.includes('README.md') && paths.includes('docs/ARCHITECTURE.md')));

  for (const path of paths) {
    it(`${path} → every path in a code span exists`, () => {
      assert.deepEqual(
        pathsIn(readDocument(path)).filter((found) => !isThere(found)),
        [],
      );
    });

    it(`${path} → every link to a file leads to one`, () => {
      const targets = linkTargetsOf(readDocument(path)).map((target) => normalize(join(dirname(path), target)));
      assert.deepEqual(
        targets.filter((target) => !existsSync(target)),
        [],
      );
    });
  }
});

describe('docs/ARCHITECTURE.md', () => {
  it('the code map → every folder of src/, once, and no other', () => {
    const mapped = rowsOf(sectionOf(ARCHITECTURE, 'Code map').text).map(({ folder = '' }) => codeOf(folder));
    const folders = globSync('src/**/', { exclude: ['node_modules'] }).map((folder) => `${folder.replace(/\/$/, '')}/`);
    assert.deepEqual(mapped.sort(), folders.filter((folder) => folder !== 'src/').sort());
  });

  for (const title of ['The life of an export', 'The life of a connection', 'The life of a query']) {
    it(`${title} → numbered steps, each with the file that does it`, () => {
      const steps = stepsOf(sectionOf(ARCHITECTURE, title).text);
      assert.ok(steps.length >= 5, `${steps.length} steps`);
      assert.deepEqual(
        steps.filter((step) => !pathsIn(step).some((path) => path.startsWith('src/'))),
        [],
      );
    });
  }

  it('every invariant → a file that holds it and a test that shows it', () => {
    const rows = rowsOf(sectionOf(ARCHITECTURE, 'Invariants').text);
    assert.equal(rows.length, 9);
    for (const { invariant = '', 'held by': holders = '', 'shown by': tests = '' } of rows) {
      assert.ok(pathsIn(holders).length > 0, invariant);
      assert.ok(
        pathsIn(tests).some((path) => path.startsWith('test/')),
        invariant,
      );
    }
  });

  it('every boundary → the parser that guards it', () => {
    const rows = rowsOf(sectionOf(ARCHITECTURE, 'Boundaries').text);
    assert.ok(rows.length > 0);
    for (const { input = '', 'parsed by': parser = '' } of rows) assert.ok(pathsIn(parser).length > 0, input);
  });
});
