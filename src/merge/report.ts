/** What one rule did, gathered while the merge goes on and told in its status. */
import type { ConditionDraft } from '../api/conditions.ts';
import type { ImportBindingSpecOwner } from '../api/generated/ImportBinding.ts';
import { compareText, formatKey, keyOf, type ObjectKey } from '../api/object.ts';
import { formatSource, type SourceKey } from '../api/record.ts';
import { IMPORTED_LISTED_MAX, MESSAGE_ITEMS_MAX, SKIPPED_LISTED_MAX } from './limits.ts';
import type { Skip } from './placement.ts';
import { describeOwner, type RuleProblem } from './rule.ts';
import type { AnyImportRule, RuleStatus } from './types.ts';

/** Grows during one merge and belongs to it. */
export interface RuleReport {
  readonly rule: AnyImportRule;
  readonly problem: RuleProblem | undefined;
  matched: number;
  readonly imported: RuleStatus['imported'][number][];
  readonly skipped: RuleStatus['skipped'][number][];
  /** Text of an import → the rule that has it. */
  readonly collisions: Map<string, string>;
}

export function makeReport(rule: AnyImportRule, problem: RuleProblem | undefined): RuleReport {
  return { rule, problem, matched: 0, imported: [], skipped: [], collisions: new Map() };
}

export function noteImported(report: RuleReport, { source, key }: { source: SourceKey; key: ObjectKey }): void {
  report.imported.push({ source: formatSource(source), as: formatKey(key) });
}

export function noteSkipped(report: RuleReport, { source, reason, message }: Skip & { source: SourceKey }): void {
  report.skipped.push({ source: formatSource(source), reason, message });
}

export interface TakenName {
  readonly source: SourceKey;
  readonly key: ObjectKey;
  readonly by: ImportBindingSpecOwner;
}

/** Another rule has the name: rules are never merged with each other. */
export function noteCollision(report: RuleReport, { source, key, by }: TakenName): void {
  const [name, winner] = [formatKey(key), describeOwner(by)];
  report.collisions.set(name, winner);
  noteSkipped(report, { source, reason: 'NameTaken', message: `${winner} has the name ${name}.` });
}

export function toRuleStatus(report: RuleReport): RuleStatus {
  const { rule, matched, imported, skipped } = report;
  return {
    kind: rule.kind,
    key: keyOf(rule),
    matched,
    imported: imported
      .sort((a, b) => compareText(a.source, b.source) || compareText(a.as, b.as))
      .slice(0, IMPORTED_LISTED_MAX),
    skipped: skipped
      .sort((a, b) => compareText(a.source, b.source) || compareText(a.reason, b.reason))
      .slice(0, SKIPPED_LISTED_MAX),
    conditions: [describeValidity(report), describeCollisions(report)],
  };
}

function describeValidity({ problem, imported, skipped }: RuleReport): ConditionDraft {
  if (problem !== undefined) return { type: 'Valid', status: 'False', ...problem };
  const cut = [
    imported.length > IMPORTED_LISTED_MAX
      ? `${imported.length} exports are imported, ${IMPORTED_LISTED_MAX} listed.`
      : '',
    skipped.length > SKIPPED_LISTED_MAX ? `${skipped.length} exports are skipped, ${SKIPPED_LISTED_MAX} listed.` : '',
  ];
  return { type: 'Valid', status: 'True', reason: 'Valid', message: cut.join(' ').trim() };
}

function describeCollisions({ collisions }: RuleReport): ConditionDraft {
  if (collisions.size === 0) return { type: 'Collision', status: 'False', reason: 'NoCollision', message: '' };
  const names = [...collisions].sort(([a], [b]) => compareText(a, b));
  const listed = names.slice(0, MESSAGE_ITEMS_MAX).map(([name, winner]) => `${name} belongs to ${winner}`);
  const rest = names.length - listed.length;
  const message = `${listed.join('; ')}${rest > 0 ? `; and ${rest} more` : ''}.`;
  return { type: 'Collision', status: 'True', reason: 'NameTaken', message };
}
