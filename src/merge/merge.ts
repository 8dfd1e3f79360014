/**
 * Rules and records → imports, the verdict on every export, and the status of every rule. Pure: the same input in any order
 * gives the same output, and a result fed back as `previous` gives itself.
 *
 *   rules in order ─ select ─▶ exports ─ place ─▶ names ─ first rule owns ─▶ claims ─ combine ─▶ imports, verdicts
 *                                 └──────── skipped, with a reason ──────────┴──────────────────▶ status of the rule
 */
import type { IImportBinding } from '../api/generated/ImportBinding.ts';
import { compareText, formatKey, type ObjectKey } from '../api/object.ts';
import { compareSources, indexCandidates, type Candidate, type PeerCandidates } from './candidate.ts';
import { combine } from './combine.ts';
import { IMPORTS_MAX } from './limits.ts';
import { place } from './placement.ts';
import { makeReport, noteCollision, noteImported, noteSkipped, toRuleStatus, type RuleReport } from './report.ts';
import { findRuleProblem, orderRules, ownerOf, selectCandidates } from './rule.ts';
import type { ConstituentVerdict, MergedImport, MergeInput, MergeResult } from './types.ts';

/** A name, the rule that has it, and the exports that it gives it to. */
interface Claim {
  readonly key: ObjectKey;
  readonly report: RuleReport;
  readonly candidates: [Candidate, ...Candidate[]];
}

/** Never throws, and changes nothing of the input. */
export function merge(input: MergeInput): MergeResult {
  const index = indexCandidates(input);
  const reports = orderRules(input.rules).map((rule) => makeReport(rule, findRuleProblem(rule)));
  const previousByName = indexBindings(input.previous);
  const claims = [...claimNames(reports, index).values()];
  const imports: MergedImport[] = [];
  const verdicts: ConstituentVerdict[] = [];
  for (const { key, report, candidates } of withinLimit(claims, previousByName)) {
    const previous = previousByName.get(formatKey(key));
    const combined = combine({ key, rule: report.rule, candidates, previous });
    imports.push(combined.merged);
    verdicts.push(...combined.verdicts);
    for (const source of combined.merged.sources) noteImported(report, { source, key });
    for (const { candidate, skip } of combined.skipped) noteSkipped(report, { source: candidate.source, ...skip });
  }
  return {
    imports: imports.sort((a, b) => compareKeys(a.key, b.key)),
    verdicts: verdicts.sort((a, b) => compareKeys(a.import, b.import) || compareSources(a.source, b.source)),
    ruleStatuses: reports.map(toRuleStatus),
  };
}

/** One rule owns an import: the first in order that has an export for the name. */
function claimNames(reports: readonly RuleReport[], index: readonly PeerCandidates[]): Map<string, Claim> {
  const claims = new Map<string, Claim>();
  for (const report of reports) {
    if (report.problem !== undefined) continue;
    const selected = selectCandidates(report.rule, index);
    report.matched = selected.length;
    for (const candidate of selected) {
      const { source } = candidate;
      const placement = place(report.rule, candidate);
      if ('skip' in placement) {
        noteSkipped(report, { source, ...placement.skip });
        continue;
      }
      const { key } = placement;
      const present = claims.get(formatKey(key));
      if (present === undefined) claims.set(formatKey(key), { key, report, candidates: [candidate] });
      else if (present.report === report) present.candidates.push(candidate);
      else noteCollision(report, { source, key, by: ownerOf(present.report.rule) });
    }
  }
  return claims;
}

/** Names in use stay when there are too many, so that no peer can push them out with new ones. */
function withinLimit(claims: readonly Claim[], previousByName: ReadonlyMap<string, IImportBinding>): Claim[] {
  const rank = ({ key }: Claim): number => (previousByName.has(formatKey(key)) ? 0 : 1);
  const ordered = [...claims].sort((a, b) => rank(a) - rank(b) || compareKeys(a.key, b.key));
  for (const { key, report, candidates } of ordered.slice(IMPORTS_MAX)) {
    const message = `${formatKey(key)} would be one import more than the ${IMPORTS_MAX} that a peer can have.`;
    for (const { source } of candidates) noteSkipped(report, { source, reason: 'LimitReached', message });
  }
  return ordered.slice(0, IMPORTS_MAX);
}

/** One binding an import: the name of a binding is made of the name of its import. */
function indexBindings(bindings: readonly IImportBinding[]): Map<string, IImportBinding> {
  return new Map(bindings.map((binding) => [formatKey(binding.spec.import), binding]));
}

function compareKeys(a: ObjectKey, b: ObjectKey): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}
