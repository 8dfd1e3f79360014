import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { codeOf, readDocument, rowsOf, sectionsOf, type Row } from './markdown.ts';

const FILES = globSync('src/**/limits.ts').sort();
const SECTIONS = new Map(
  sectionsOf(readDocument('docs/LIMITS.md')).map(({ title, text }) => [title.replaceAll('`', ''), rowsOf(text)]),
);
const LOCAL = SECTIONS.get('Beside their code') ?? [];

/** The smallest unit of each dimension is what constants count in; the last words of their names say which. */
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  days: 1,
  h: 3_600,
};
const UNITS_BY_NAME: readonly (readonly [RegExp, readonly string[]])[] = [
  [/_MS(?:_|$)/, ['ms', 's', 'min']],
  [/_BYTES(?:_|$)/, ['B', 'KiB', 'MiB']],
  [/_DAYS(?:_|$)/, ['days']],
  [/_SECONDS(?:_|$)/, ['s', 'h']],
];

/** Why the words of a row do not say its number; undefined when they do. `16 KiB` is 16384 in a row whose name has `_BYTES`. */
function problemOf({ constant = '', value = '', 'in words': words = '' }: Row): string | undefined {
  const [, digits = '', unit = ''] = /^([\d,.]+)(?: (\S+))?/.exec(words) ?? [];
  const units = UNITS_BY_NAME.find(([pattern]) => pattern.test(codeOf(constant)))?.[1];
  const isSeconds = /_SECONDS(?:_|$)/.test(codeOf(constant));
  const factor = isSeconds && unit === 's' ? 1 : (UNITS[unit] ?? Number.NaN);
  const number = Number(digits.replaceAll(',', '')) * (units === undefined ? 1 : factor);
  if (units !== undefined && !units.includes(unit)) return `${constant}: ${words} is in none of ${units.join(', ')}`;
  return number === Number(codeOf(value)) ? undefined : `${constant}: ${words} is not ${value}`;
}

async function constantsOf(file: string): Promise<[string, unknown][]> {
  const module = (await import(`#${file}`)) as Record<string, unknown>;
  return Object.entries(module).sort(([a], [b]) => (a < b ? -1 : 1));
}

describe('docs/LIMITS.md', () => {
  it('every limits.ts → a section of its own, and no other section has a limits.ts in its title', () => {
    assert.ok(FILES.length > 0);
    const titles = [...SECTIONS.keys()].filter((title) => title.endsWith('limits.ts'));
    assert.deepEqual(titles.sort(), FILES);
  });

  for (const file of FILES) {
    it(`${file} → every constant with its value, and nothing else`, async () => {
      const documented = (SECTIONS.get(file) ?? []).map(({ constant = '', value = '' }): [string, unknown] => [
        codeOf(constant),
        Number(codeOf(value)),
      ]);
      assert.deepEqual(
        documented.sort(([a], [b]) => (a < b ? -1 : 1)),
        await constantsOf(file),
      );
    });
  }

  it('every row → words for its number, and what happens', () => {
    const rows = [...SECTIONS.values()].flat();
    const silent = rows.filter(({ 'what happens at it': effect = '' }) => effect.length < 10);
    assert.deepEqual(silent, []);
    assert.deepEqual(
      rows.map(problemOf).filter((problem) => problem !== undefined),
      [],
    );
  });

  it('bounds beside their code → they stand in that file with that value', () => {
    assert.ok(LOCAL.length > 0);
    for (const { constant = '', file = '', value = '' } of LOCAL) {
      const pattern = new RegExp(`^(?:export )?const ${codeOf(constant)} = ([\\d_]+);$`, 'm');
      const digits = pattern.exec(readFileSync(codeOf(file), 'utf8'))?.[1];
      assert.equal(Number(digits?.replaceAll('_', '')), Number(codeOf(value)), `${constant} in ${file}`);
    }
  });

  it('every constant of a limits.ts → some other file uses it: a bound that nothing holds is none', async () => {
    const sources = globSync('src/**/*.ts').map((path) => [path, readFileSync(path, 'utf8')] as const);
    const unused: string[] = [];
    for (const file of FILES) {
      for (const [name] of await constantsOf(file)) {
        const word = new RegExp(`\\b${name}\\b`);
        if (!sources.some(([path, text]) => path !== file && word.test(text))) unused.push(`${file}: ${name}`);
      }
    }
    assert.deepEqual(unused, []);
  });
});
