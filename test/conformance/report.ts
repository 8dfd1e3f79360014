/** report.yaml with the keys of the official suite, and the numbers of the last line. Pure. */
import { stringify } from 'yaml';
import type { Implementation } from './options.ts';
import type { Group, TestResult } from './outcome.ts';

export interface ReportedTest {
  readonly desc: string;
  readonly ref: string;
  readonly labels: readonly string[];
  readonly passed: boolean;
  readonly failed: boolean;
  readonly skipped: boolean;
  /** False: an assertion failed that only a breach of the API's contract fails. */
  readonly conformant: boolean;
  readonly message: string;
}

export interface Report {
  readonly groups: readonly { readonly name: Group; readonly tests: readonly ReportedTest[] }[];
  /** Why the suite itself could not do its work; '' if it could. */
  readonly suitefailure: string;
  readonly dnsdomain: string;
  readonly passed: number;
  /** Skipped tests are counted. */
  readonly total: number;
  readonly implementation: Implementation;
}

export const GROUPS: readonly Group[] = ['Required', 'Optional'];

export function toReport(
  results: readonly TestResult[],
  about: Pick<Report, 'suitefailure' | 'dnsdomain' | 'implementation'>,
): Report {
  return {
    groups: GROUPS.map((name) => ({
      name,
      tests: results.filter(({ test }) => test.group === name).map(toReportedTest),
    })),
    suitefailure: about.suitefailure,
    dnsdomain: about.dnsdomain,
    passed: results.filter(({ outcome }) => outcome === 'passed').length,
    total: results.length,
    implementation: about.implementation,
  };
}

const toReportedTest = ({ test, outcome, conformant, message }: TestResult): ReportedTest => ({
  desc: `${test.id} ${test.title}`,
  ref: test.ref,
  labels: [test.group, ...test.labels],
  passed: outcome === 'passed',
  failed: outcome === 'failed',
  skipped: outcome === 'skipped',
  conformant,
  message,
});

export const toReportYaml = (report: Report): string => stringify(report, { lineWidth: 0 });

/** As the official report words it. */
export function verdictOf({ passed, skipped, conformant }: ReportedTest): 'Yes' | 'No' | 'Unknown' | 'Skipped' {
  if (passed) return 'Yes';
  if (skipped) return 'Skipped';
  return conformant ? 'Unknown' : 'No';
}

/** The last line of standard output with --json. `failed` are ids: what was skipped is in `total` only. */
export interface Summary {
  readonly required: { readonly passed: number; readonly total: number };
  readonly optional: { readonly passed: number; readonly total: number; readonly failed: readonly string[] };
}

export function toSummary(report: Report): Summary {
  const testsOf = (name: Group) => report.groups.find((group) => group.name === name)?.tests ?? [];
  const count = (name: Group) => ({
    passed: testsOf(name).filter(({ passed }) => passed).length,
    total: testsOf(name).length,
  });
  const failed = testsOf('Optional').filter((test) => test.failed);
  return {
    required: count('Required'),
    optional: { ...count('Optional'), failed: failed.map(({ desc }) => idOf(desc)) },
  };
}

/** Tests of the official binary have no id: the whole description then. */
export const idOf = (desc: string): string => /^C-[RO]\d+[a-z]? /.exec(desc)?.[0].trim() ?? desc;
