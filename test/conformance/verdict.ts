/** Which tests are wanted, and the exit code. Pure. */
import type { Options } from './options.ts';
import { idOf, type Report, type ReportedTest } from './report.ts';

export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;

/** @returns whether a test is wanted; its group is one of its labels. */
export function makeSelection({
  focus,
  labelFilter,
}: Pick<Options, 'focus' | 'labelFilter'>): (test: { id: string; labels: readonly string[] }) => boolean {
  return ({ id, labels }) =>
    (focus.length === 0 || focus.includes(id)) && (labelFilter === undefined || labelFilter.matches(labels));
}

/**
 * The Required tests decide, and one that was skipped for want of clusters did not pass: conformance was not shown. Where the user's
 * own selection leaves Required tests out, all selected tests must pass. With `expectFailures`, at least so many must fail.
 */
export function exitCodeOf(report: Report, options: Pick<Options, 'focus' | 'labelFilter' | 'expectFailures'>): number {
  if (report.suitefailure !== '') return EXIT.failed;
  const { expectFailures } = options;
  const tests = report.groups.flatMap((group) => group.tests);
  if (expectFailures !== undefined) {
    return tests.filter(({ failed }) => failed).length >= expectFailures ? EXIT.ok : EXIT.failed;
  }
  const selects = makeSelection(options);
  const isSelected = ({ desc, labels }: ReportedTest) => selects({ id: idOf(desc), labels });
  const required = report.groups.find(({ name }) => name === 'Required')?.tests ?? [];
  const judged = required.every(isSelected) ? required : tests.filter(isSelected);
  return judged.length > 0 && judged.every(({ passed }) => passed) ? EXIT.ok : EXIT.failed;
}
