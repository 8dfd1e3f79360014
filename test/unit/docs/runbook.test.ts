import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { parse } from 'yaml';
import { codeOf, readDocument, rowsOf, sectionsOf } from './markdown.ts';

interface Alert {
  readonly alert?: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

const RULES = parse(readDocument('monitoring/prometheus-rules.yaml')) as { groups: { rules: Alert[] }[] };
const ALERTS = RULES.groups.flatMap(({ rules }) => rules.filter(({ alert }) => alert !== undefined));
const NAMES = [...new Set(ALERTS.map(({ alert = '' }) => alert))];
const SECTIONS = sectionsOf(readDocument('docs/RUNBOOK.md'));
/** As GitHub makes the anchor of a heading. */
const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .replaceAll(/\s/g, '-');

describe('docs/RUNBOOK.md', () => {
  for (const { alert = '', labels, annotations = {} } of ALERTS) {
    it(`${alert}, ${labels?.severity} → a severity, words, and a section that is there`, () => {
      assert.match(labels?.severity ?? '', /^(?:warning|critical)$/);
      assert.deepEqual(Object.keys(annotations), ['summary', 'description', 'runbook']);
      const [file = '', anchor = ''] = annotations['runbook']?.split('#') ?? [];
      assert.equal(file, 'docs/RUNBOOK.md');
      assert.ok(
        SECTIONS.some(({ title }) => anchorOf(title) === anchor),
        anchor,
      );
    });
  }

  for (const name of NAMES) {
    it(`${name} → what it means, what users see, three looks, what mends it, when to escalate`, () => {
      const { text = '' } = SECTIONS.find(({ title }) => title === name) ?? {};
      for (const part of ['It means', 'Users see', 'Look', 'Mend', 'Escalate']) {
        assert.ok(text.includes(`**${part}**`), part);
      }
      assert.ok((text.match(/^\d\. /gm) ?? []).length >= 3);
    });
  }

  it('every alert → in the table of monitoring/README.md, and no other', () => {
    const listed = rowsOf(readDocument('monitoring/README.md')).map(({ alert = '' }) => codeOf(alert));
    assert.deepEqual(listed.sort(), NAMES.sort());
  });

  it('every command and metric → there is one of that name', () => {
    const text = readDocument('docs/RUNBOOK.md');
    const sources = globSync('src/cli/commands/*.ts')
      .map((path) => readDocument(path))
      .join('\n');
    const verbs = [...text.matchAll(/npx clusterlink-mcs\s+([a-z-]+)/g)].map(([, verb = '']) => verb);
    for (const verb of verbs) assert.match(sources, new RegExp(`command\\('${verb}'\\)`), verb);
    const metrics = readDocument('src/runtime/metrics.ts');
    for (const [, metric = ''] of text.matchAll(/clusterlink_mcs_(\w+)/g))
      assert.ok(metrics.includes(`'${metric}'`), metric);
  });

  it('every link to a section → the section is there', () => {
    const text = readDocument('docs/RUNBOOK.md');
    const anchors = SECTIONS.map(({ title }) => anchorOf(title));
    for (const [, anchor = ''] of text.matchAll(/\]\(#([\w-]+)\)/g)) assert.ok(anchors.includes(anchor), anchor);
  });
});
