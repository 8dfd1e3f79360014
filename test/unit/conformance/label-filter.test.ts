import assert from 'node:assert/strict';
import { parseLabelFilter } from '#test/conformance/label-filter.ts';

describe('parseLabelFilter', () => {
  const labels = ['Required', 'DNS', 'ClusterIP'];
  const rows: [string, boolean][] = [
    ['Required', true],
    ['required', true],
    ['Optional', false],
    ['!Optional', true],
    ['!!Required', true],
    ['Required && DNS', true],
    ['Required&&Headless', false],
    ['Headless || DNS', true],
    ['Headless, DNS', true],
    ['Headless || DNS && Optional', false],
    ['(Headless || DNS) && !Optional', true],
    ['!(Headless || DNS)', false],
    ['/^Cluster/', true],
    ['/^IP/', false],
  ];
  for (const [text, expected] of rows) {
    it(`${text} → ${expected}`, () => assert.equal(parseLabelFilter(text)(labels), expected));
  }

  for (const text of [
    '',
    '&&',
    'DNS &&',
    'DNS ||',
    '!',
    '(DNS',
    'DNS)',
    'DNS Required',
    '/DNS',
    'a & b',
    '/(/',
    '()',
  ]) {
    it(`${JSON.stringify(text)} → refused`, () => assert.throws(() => parseLabelFilter(text), SyntaxError));
  }
});
