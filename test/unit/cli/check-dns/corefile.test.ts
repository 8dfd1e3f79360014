import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseCorefile, parseDirectives, type Corefile, type Directive } from '#src/cli/check-dns/corefile.ts';
import { COREFILE_BYTES_MAX, COREFILE_DEPTH_MAX } from '#src/cli/check-dns/limits.ts';

/** `name arg {inner; inner}`, for comparing. */
function brief({ name, args, block }: Directive): string {
  const inner = block.length === 0 ? '' : ` {${block.map(brief).join('; ')}}`;
  return [name, ...args].join(' ') + inner;
}

function read(text: string): Corefile {
  const parsed = parseCorefile(text);
  assert.ok(!('problem' in parsed), JSON.stringify(parsed));
  return parsed;
}

describe('parseCorefile', () => {
  const rows: [title: string, text: string, expected: string[]][] = [
    ['nothing', '', []],
    ['comments alone', '# a\n  # b {\n', []],
    ['a block', '.:53 {\n errors\n cache 30\n}\n', ['.:53: errors, cache 30']],
    ['several keys', 'a.example b.example:53 {\n whoami\n}', ['a.example b.example:53: whoami']],
    ['keys with commas, over two lines', 'a.example,\nb.example {\n whoami\n}', ['a.example b.example: whoami']],
    ['the brace on the next line', '.\n{\n errors\n}', ['.: errors']],
    ['a plugin with a block', '. {\n forward . 1.1.1.1 {\n  prefer_udp\n }\n}', ['.: forward . 1.1.1.1 {prefer_udp}']],
    ['a block on one line', '. {\n cache { success 9984 5 }\n errors\n}', ['.: cache {success 9984 5}, errors']],
    ['a block in one line', '. { errors }', ['.: errors']],
    ['no braces at all', '.:53\nerrors\ncache 30\n', ['.:53: errors, cache 30']],
    ['a comment behind words', '. { # all\n errors # told\n}', ['.: errors']],
    ['a # within a word', '. {\n log a#b\n}', ['.: log a#b']],
    ['quotes', '. {\n log "a {b} \\"c\\"" {\n  class all\n }\n}', ['.: log a {b} "c" {class all}']],
    ['a quoted brace', '. {\n log "}"\n errors\n}', ['.: log }, errors']],
    ['placeholders', '. {\n forward . {$UPSTREAM} {%OTHER%}\n}', ['.: forward . {$UPSTREAM} {%OTHER%}']],
    ['CRLF', '. {\r\n errors\r\n}\r\n', ['.: errors']],
  ];
  for (const [title, text, expected] of rows) {
    it(`${title} → ${expected.join(' | ') || 'no server'}`, () => {
      const servers = read(text).servers.map(
        ({ keys, directives }) => `${keys.join(' ')}: ${directives.map(brief).join(', ')}`,
      );
      assert.deepEqual(servers, expected);
    });
  }

  it('snippets and imports → apart from the server blocks', () => {
    const { servers, snippets, imports } = read(
      '(common) {\n errors\n}\n. {\n import common\n}\nimport custom/*.server\n',
    );
    assert.equal(servers.length, 1);
    assert.deepEqual(
      [...snippets].map(([name, directives]) => [name, directives.map(brief)]),
      [['common', ['errors']]],
    );
    assert.deepEqual(imports, [{ path: 'custom/*.server', line: 7 }]);
  });

  it('lines → those of the text, also behind quotes over several lines', () => {
    const [server] = read('\n# x\n. {\n log "a\nb"\n\n cache\n}').servers;
    assert.deepEqual([server?.line, ...(server?.directives ?? []).map(({ line }) => line)], [3, 4, 7]);
  });

  const wrong: [title: string, text: string, problem: RegExp][] = [
    ['no closing brace', '. {\n errors\n', /^line 1: its block has no "}"/],
    ['none of an inner block', '. {\n cache {\n success 1\n}', /^line 1: its block has no "}"/],
    ['one too many', '. {\n}\n}\n', /^line 3: "}" where the names of a server block/],
    ['a brace first', '{\n errors\n}', /^line 1: "{" where the names/],
    ['two braces', '. {\n {\n }\n}', /^line 2: "{" without a name/],
    ['a second block without braces', '. {\n}\nexample.org\n', /^line 3: "{" is missing after "example.org"/],
    ['too deep', `. ${'{ a '.repeat(COREFILE_DEPTH_MAX + 1)}`, /blocks within blocks/],
    ['too long', '#'.repeat(COREFILE_BYTES_MAX + 1), /more than 1048576 bytes/],
  ];
  for (const [title, text, problem] of wrong) {
    it(`${title} → said, with the line`, () => {
      const parsed = parseCorefile(text);
      assert.ok('problem' in parsed);
      assert.match(parsed.problem, problem);
    });
  }

  it('as long and as deep as may be → read', () => {
    assert.equal(read('#'.repeat(COREFILE_BYTES_MAX)).servers.length, 0);
    const deep = `. ${'{ a '.repeat(COREFILE_DEPTH_MAX)}${'} '.repeat(COREFILE_DEPTH_MAX)}`;
    assert.equal(read(deep).servers.length, 1);
  });

  const pieces = fc.constantFrom(
    '{',
    '}',
    ' ',
    '\n',
    '"',
    '\\',
    '#',
    ',',
    '.:53',
    'import',
    '(a)',
    'cache',
    '{$A}',
    '\t',
  );
  it('anything → a reading or a problem, never an exception', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.array(pieces).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        for (const parsed of [parseCorefile(text), parseDirectives(text)]) {
          if ('problem' in parsed) assert.match(parsed.problem, /./);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  const word = fc.stringMatching(/^[a-z][a-z0-9.:/_-]{0,8}$/).filter((text) => text !== 'import');
  interface Plain {
    readonly name: string;
    readonly args: readonly string[];
    readonly block: readonly unknown[];
  }
  const directiveOf = (block: fc.Arbitrary<Plain[]>): fc.Arbitrary<Plain> =>
    fc.record({ name: word, args: fc.array(word, { maxLength: 3 }), block });
  const leaf = directiveOf(fc.constant([]));
  const directive = directiveOf(fc.array(directiveOf(fc.array(leaf, { maxLength: 2 })), { maxLength: 2 }));
  const write = ({ name, args, block }: Plain, depth: number): string => {
    const inner = (block as Plain[]).map((each) => write(each, depth + 1)).join('');
    const pad = '  '.repeat(depth);
    return `${pad}${[name, ...args].join(' ')}${block.length === 0 ? '' : ` {\n${inner}${pad}}`}\n`;
  };
  const plain = ({ name, args, block }: Plain): Plain => ({ name, args, block: (block as Plain[]).map(plain) });

  it('what was written → is read again', () => {
    const servers = fc.array(
      fc.tuple(fc.array(word, { minLength: 1, maxLength: 3 }), fc.array(directive, { maxLength: 3 })),
      {
        minLength: 1,
        maxLength: 3,
      },
    );
    fc.assert(
      fc.property(servers, (wanted) => {
        const text = wanted.map(
          ([keys, all]) => `${keys.join(' ')} {\n${all.map((each) => write(each, 1)).join('')}}\n`,
        );
        const found = read(text.join('')).servers.map(({ keys, directives }) => [keys, directives.map(plain)]);
        assert.deepEqual(
          found,
          wanted.map(([keys, all]) => [keys, all.map(plain)]),
        );
      }),
    );
  });
});
