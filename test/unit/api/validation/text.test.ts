import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isAddress, isDnsName, isPort } from '#src/api/validation/addresses.ts';
import { didYouMean } from '#src/api/validation/did-you-mean.ts';
import { formatPath } from '#src/api/validation/finding.ts';
import { annotationProblems, keyProblem, valueProblem } from '#src/api/validation/labels.ts';
import { ANNOTATIONS_BYTES_MAX, QUOTED_CHARS_MAX } from '#src/api/validation/limits.ts';
import { quote } from '#src/api/validation/quote.ts';
import { isTimestamp } from '#src/api/validation/timestamp.ts';

describe('quote', () => {
  const rows: [unknown, string][] = [
    ['db', '"db"'],
    ['say "hi"', `"say 'hi'"`],
    ['a\nb\u0007', '"a\\u{a}b\\u{7}"'],
    ['\u202Egnp', '"\\u{202e}gnp"'],
    [7, '7'],
    [null, 'null'],
    [undefined, 'absent'],
    [[], 'an empty list'],
    [[1], 'a list'],
    [{ a: 1 }, 'a map'],
    ['x'.repeat(58), `"${'x'.repeat(58)}"`],
    ['x'.repeat(59), `"${'x'.repeat(55)}..."`],
    ['x'.repeat(1_000_000), `"${'x'.repeat(55)}..."`],
  ];
  for (const [value, expected] of rows) {
    it(`${JSON.stringify(value)?.slice(0, 70)} → ${expected}`, () => assert.equal(quote(value), expected));
  }

  it('any text → at most QUOTED_CHARS_MAX characters, none of which moves a cursor', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        assert.ok(quote(text).length <= QUOTED_CHARS_MAX);
        assert.doesNotMatch(quote(text), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

describe('didYouMean', () => {
  const rows: [word: string, candidates: string[], expected: string | undefined][] = [
    ['prots', ['ports', 'type'], 'ports'],
    ['Allow', ['allow', 'deny'], 'allow'],
    ['ALLOW', ['allow', 'deny'], undefined],
    ['tcp', ['UDP', 'TCP'], 'TCP'],
    ['Pod', ['Peer'], undefined],
    ['x', ['ports'], undefined],
    ['matchLabel', ['matchLabels', 'matchExpressions'], 'matchLabels'],
    ['', ['a'], undefined],
    ['y'.repeat(81), ['y'.repeat(80)], undefined],
  ];
  for (const [word, candidates, expected] of rows) {
    it(`"${word.slice(0, 20)}" of ${candidates.join(', ').slice(0, 40)} → ${expected}`, () => {
      assert.equal(didYouMean(word, candidates), expected);
    });
  }
});

describe('formatPath', () => {
  const rows: [string[], string][] = [
    [[], ''],
    [['spec', 'ports', '0', 'port'], 'spec.ports[0].port'],
    [['metadata', 'annotations', 'a.example/b'], 'metadata.annotations["a.example/b"]'],
    [['spec', 'a\n"b'], `spec["a\\u{a}'b"]`],
  ];
  for (const [path, expected] of rows)
    it(`${JSON.stringify(path)} → ${expected}`, () => assert.equal(formatPath(path), expected));
});

describe('isTimestamp', () => {
  const good = [
    '2026-11-20T10:00:00Z',
    '2024-02-29T23:59:60Z',
    '2026-11-20T10:00:00.123456789+05:30',
    '2000-02-29T00:00:00Z',
  ];
  const bad = [
    '',
    '2026-11-20',
    '2026-02-29T10:00:00Z',
    '1900-02-29T10:00:00Z',
    '2026-13-01T10:00:00Z',
    '2026-11-31T10:00:00Z',
  ];
  bad.push(
    '2026-11-20t10:00:00z',
    '2026-11-20T24:00:00Z',
    '2026-11-20T10:00:00',
    '2026-11-20T10:00:00Z\n',
    '02026-11-20T10:00:00Z',
  );
  for (const text of good) it(`${text} → a time`, () => assert.equal(isTimestamp(text), true));
  for (const text of bad) it(`${JSON.stringify(text)} → none`, () => assert.equal(isTimestamp(text), false));
});

describe('isDnsName, isAddress, isPort', () => {
  for (const text of ['db', 'gw2.west.example', 'DB.Example', 'a'.repeat(63)]) {
    it(`${text.slice(0, 20)} → a DNS name`, () => assert.ok(isDnsName(text)));
  }
  for (const text of [
    '',
    'a.',
    '.a',
    'a..b',
    '-a',
    'a_b',
    'a'.repeat(64),
    '127.1',
    '0x7f.1',
    '0x7f',
    '1',
    'a b',
    'a\n',
  ]) {
    it(`${JSON.stringify(text.slice(0, 20))} → no DNS name`, () => assert.equal(isDnsName(text), false));
  }
  it('addresses → in full only, without brackets and zone', () => {
    assert.deepEqual(['10.0.0.1', '::1', 'fe80::1%eth0', '[::1]', '10.1', '010.0.0.1', ''].map(isAddress), [
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
  });
  it('ports → whole numbers from 1 to 65535', () => {
    assert.deepEqual([0, 1, 65535, 65536, 1.5, '80', NaN].map(isPort), [false, true, true, false, false, false, false]);
  });
});

describe('keyProblem', () => {
  const good = ['app', 'a', 'app.kubernetes.io/name', 'X_y.z-1', 'a'.repeat(63), `${'a'.repeat(253)}/a`];
  const bad = [
    '',
    '/a',
    'a/',
    'a/b/c',
    '-a',
    'a-',
    'a'.repeat(64),
    'A.example/a',
    `${'a'.repeat(254)}/a`,
    'a b',
    '__proto__',
    'a\n',
  ];
  for (const key of good) it(`${key.slice(0, 30)} → legal`, () => assert.equal(keyProblem(key), undefined));
  for (const key of bad) it(`${JSON.stringify(key.slice(0, 30))} → not`, () => assert.ok(keyProblem(key)?.fix));
});

describe('valueProblem', () => {
  for (const value of ['', 'a', 'A_b.c-1', 'x'.repeat(63), 7]) {
    it(`${String(value).slice(0, 20)} → nothing to tell here`, () => assert.equal(valueProblem(value), undefined));
  }
  for (const value of ['-a', 'a b', 'a/b', 'x'.repeat(64), 'ü']) {
    it(`${value.slice(0, 20)} → not legal`, () => assert.ok(valueProblem(value)?.fix));
  }
});

describe('annotationProblems', () => {
  it('values that are no text, one of which cannot be made one → not counted here, never a throw', () => {
    assert.deepEqual(annotationProblems({ a: { toString: 0 }, b: 7, c: null }), []);
  });

  it('keys and values → together at most ANNOTATIONS_BYTES_MAX bytes', () => {
    assert.deepEqual(annotationProblems({ 'A.example/k': 'x'.repeat(ANNOTATIONS_BYTES_MAX - 11) }), []);
    const [problem] = annotationProblems({ 'A.example/k': 'x'.repeat(ANNOTATIONS_BYTES_MAX - 10) });
    assert.match(problem?.message ?? '', /262145 bytes together, at most 262144/);
  });
});
