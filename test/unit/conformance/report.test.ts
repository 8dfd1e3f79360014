import assert from 'node:assert/strict';
import { parse } from 'yaml';
import type { ConformanceTest, TestResult } from '#test/conformance/outcome.ts';
import { CLUSTER_IP_FIXTURE } from '#test/conformance/fixture.ts';
import { parseReport } from '#test/conformance/report-files.ts';
import { escapeHtml, toReportHtml } from '#test/conformance/report-html.ts';
import { toReport, toReportYaml, toSummary, verdictOf, type Report } from '#test/conformance/report.ts';
import { exitCodeOf } from '#test/conformance/verdict.ts';
import { parseLabelFilter } from '#test/conformance/label-filter.ts';

const test = (id: string): ConformanceTest => ({
  id,
  title: 'A <service> should be "there"',
  group: id.startsWith('C-R') ? 'Required' : 'Optional',
  labels: ['DNS'],
  clusters: 1,
  ref: 'https://example.com/#dns',
  fixture: CLUSTER_IP_FIXTURE,
  run: () => Promise.resolve(),
});
const result = (id: string, outcome: TestResult['outcome'], changes: Partial<TestResult> = {}): TestResult => ({
  test: test(id),
  outcome,
  conformant: true,
  message: '',
  durationMs: 1,
  ...changes,
});
const ABOUT = {
  suitefailure: '',
  dnsdomain: 'clusterset.local',
  implementation: { organization: 'o', project: 'p', version: 'v', url: 'https://example.com/' },
};
const MIXED = toReport(
  [
    result('C-R01', 'passed'),
    result('C-R02', 'failed', { conformant: false, message: 'no <import>: "x"' }),
    result('C-O01', 'failed', { message: "it's late" }),
    result('C-O02', 'skipped', { message: 'needs 2 clusters' }),
  ],
  ABOUT,
);
const NO_OPTIONS = { focus: [], labelFilter: undefined, expectFailures: undefined };
const filter = (text: string) => ({ text, matches: parseLabelFilter(text) });

describe('toReportYaml', () => {
  it('a report → the keys of the official one, in their order', () => {
    const read = parse(toReportYaml(MIXED)) as Report;
    assert.deepEqual(Object.keys(read), ['groups', 'suitefailure', 'dnsdomain', 'passed', 'total', 'implementation']);
    assert.deepEqual(Object.keys(read.implementation), ['organization', 'project', 'version', 'url']);
    assert.deepEqual(
      read.groups.map(({ name, tests }) => [name, tests.length]),
      [
        ['Required', 2],
        ['Optional', 2],
      ],
    );
    assert.deepEqual(read.groups[0]?.tests[1], {
      desc: 'C-R02 A <service> should be "there"',
      ref: 'https://example.com/#dns',
      labels: ['Required', 'DNS'],
      passed: false,
      failed: true,
      skipped: false,
      conformant: false,
      message: 'no <import>: "x"',
    });
    assert.deepEqual([read.passed, read.total], [1, 4]);
  });

  it('read again → the same report', () => assert.deepEqual(parseReport(toReportYaml(MIXED)), MIXED));
});

describe('parseReport', () => {
  it('what Go leaves null or out → empty; the group is a label', () => {
    const text = `
groups: [{name: Optional, tests: [{desc: A, ref: null, labels: null, passed: false, failed: true, skipped: false, conformant: true}]}]
suitefailure: ""
dnsdomain: clusterset.local
passed: 0
total: 1
further: member
implementation: {}`;
    const report = parseReport(text);
    assert.deepEqual(report.groups[0]?.tests[0]?.labels, ['Optional']);
    assert.deepEqual(toSummary(report).optional, { passed: 0, total: 1, failed: ['A'] });
  });

  for (const text of ['', 'groups: 1', 'groups: [{name: Other, tests: []}]', '{}', '[']) {
    it(`${JSON.stringify(text)} → refused`, () => assert.throws(() => parseReport(text)));
  }
});

describe('verdictOf', () => {
  it('passed, broken, failed, skipped → Yes, No, Unknown, Skipped', () => {
    const tests = MIXED.groups.flatMap((group) => group.tests);
    assert.deepEqual(tests.map(verdictOf), ['Yes', 'No', 'Unknown', 'Skipped']);
  });
});

describe('toSummary', () => {
  it('failed tests by id; skipped ones count in the total only', () => {
    assert.equal(
      JSON.stringify(toSummary(MIXED)),
      '{"required":{"passed":1,"total":2},"optional":{"passed":0,"total":2,"failed":["C-O01"]}}',
    );
  });
});

describe('exitCodeOf', () => {
  const passed = toReport([result('C-R01', 'passed'), result('C-O01', 'failed')], ABOUT);
  const rows: [string, Report, Partial<typeof NO_OPTIONS> & object, number][] = [
    ['all Required passed, an Optional one not', passed, {}, 0],
    ['a Required one failed', MIXED, {}, 1],
    ['a Required one skipped', toReport([result('C-R01', 'skipped')], ABOUT), {}, 1],
    ['the suite itself failed', { ...passed, suitefailure: 'x' }, {}, 1],
    ['no tests', toReport([], ABOUT), {}, 1],
  ];
  for (const [what, report, options, expected] of rows) {
    it(`${what} → ${expected}`, () => assert.equal(exitCodeOf(report, { ...NO_OPTIONS, ...options }), expected));
  }

  it('a selection without all Required → all selected must pass', () => {
    assert.equal(exitCodeOf(MIXED, { ...NO_OPTIONS, focus: ['C-R01'] }), 0);
    assert.equal(exitCodeOf(MIXED, { ...NO_OPTIONS, focus: ['C-R01', 'C-O01'] }), 1);
    assert.equal(exitCodeOf(MIXED, { ...NO_OPTIONS, labelFilter: filter('Optional') }), 1);
    assert.equal(exitCodeOf(passed, { ...NO_OPTIONS, labelFilter: filter('Required || DNS') }), 0);
    assert.equal(exitCodeOf(passed, { ...NO_OPTIONS, labelFilter: filter('Nothing') }), 1);
  });

  it('failures expected → enough of them and no failure of the suite', () => {
    assert.equal(exitCodeOf(MIXED, { ...NO_OPTIONS, expectFailures: 2 }), 0);
    assert.equal(exitCodeOf(MIXED, { ...NO_OPTIONS, expectFailures: 3 }), 1);
    assert.equal(exitCodeOf({ ...MIXED, suitefailure: 'x' }, { ...NO_OPTIONS, expectFailures: 1 }), 1);
  });
});

describe('toReportHtml', () => {
  const html = toReportHtml(MIXED);

  it('what others said → escaped', () => {
    assert.ok(html.includes('no &lt;import&gt;: &quot;x&quot;'));
    assert.ok(!html.includes('<import>'));
    assert.equal(escapeHtml(`<&>"'`), '&lt;&amp;&gt;&quot;&#39;');
  });

  it('the page → needs nothing from elsewhere', () => assert.doesNotMatch(html, /<(script|img|link|iframe)|src=/));

  it('a URL that is not of the web → no link', () => {
    const implementation = { ...ABOUT.implementation, url: 'javascript:alert(1)' };
    const page = toReportHtml({ ...MIXED, implementation });
    assert.ok(!page.includes('href="javascript:'));
    assert.ok(html.includes('<a href="https://example.com/">'));
  });

  it('a suite that failed → says so', () => {
    assert.ok(toReportHtml({ ...MIXED, suitefailure: 'no <CRD>' }).includes('could not do its work: no &lt;CRD&gt;'));
  });
});
