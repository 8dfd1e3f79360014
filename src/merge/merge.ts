/**
 * Rules and records → imports, the verdict on every export, and the status of every rule. Pure: the same input in any order
 * gives the same output, and a result fed back as `previous` gives itself.
 *
 *   rules in order ─ select ─▶ exports ─ place ─▶ names ─ first rule owns ─▶ claims ─ combine ─▶ imports, verdicts
 *                                 └──────── skipped, with a reason ──────────┴──────────────────▶ status of the rule
 *
 * ClusterLink's Imports come first (imports.ts), and rules get what is left of names and limits.
 * ServiceImports of others take part in `place`: they have their names, and rules of mode Requested answer them.
 */
import type { IImportBinding } from '../api/generated/ImportBinding.ts';
import { compareText, formatKey, type ObjectKey } from '../api/object.ts';
import { giveAliases } from './aliases.ts';
import { compareSources, indexCandidates, type Candidate, type PeerCandidates } from './candidate.ts';
import { combine, type Combined } from './combine.ts';
import { mergeImports } from './imports.ts';
import { IMPORTS_MAX, IMPORTS_PER_NAMESPACE_MAX, PORTS_PER_NAMESPACE_MAX } from './limits.ts';
import { place, type Placement, type Skip, type Space } from './placement.ts';
import { makeReport, noteCollision, noteImported, noteSkipped, toRuleStatus, type RuleReport } from './report.ts';
import { answerRequest, findUnmet, indexRequests } from './requests.ts';
import { findRuleProblems, namespaceOf, orderRules, ownerOf, selectCandidates } from './rule.ts';
import type {
  AnyImportRule,
  ConstituentVerdict,
  ImportRequest,
  MergedImport,
  MergeInput,
  MergeResult,
} from './types.ts';

/** A name, the rule that has it, and the exports that it gives it to. */
interface Claim {
  readonly key: ObjectKey;
  readonly report: RuleReport;
  readonly candidates: [Candidate, ...Candidate[]];
}

/** Never throws, and changes nothing of the input. */
export function merge(input: MergeInput): MergeResult {
  const { namespaces, requests = [] } = input;
  const index = indexCandidates(input);
  const rules = orderRules(input.rules);
  const problems = findRuleProblems(rules);
  const reports = rules.map((rule, order) => makeReport(rule, problems[order]));
  const previousByName = indexBindings(input.previous);
  const space: Space = { namespaces, requests: indexRequests(requests) };
  const written = mergeImports({
    imports: input.imports ?? [],
    index,
    previousByName,
    namespaces,
    isRequested: (name) => space.requests.has(name),
  });
  const claims = [...claimNames(reports, index, { ...space, taken: written.taken }).values()];
  const built: Built[] = [];
  const verdicts: ConstituentVerdict[] = [...written.verdicts];
  const isTenants = ({ key, report: { rule } }: Claim): boolean =>
    rule.kind === 'ImportRule' || space.requests.get(formatKey(key)) !== undefined;
  const portsByNamespace = countByNamespace(written.merged);
  for (const claim of withinLimits(claims, { isTenants, previousByName, written: written.merged })) {
    const ports = isTenants(claim) ? (portsByNamespace.get(claim.key.namespace) ?? 0) : 0;
    const request = space.requests.get(formatKey(claim.key));
    const combined = build(claim, { request, previousByName, portsLeft: PORTS_PER_NAMESPACE_MAX - ports });
    if (combined === undefined) continue;
    if (isTenants(claim)) portsByNamespace.set(claim.key.namespace, ports + combined.merged.ports.length);
    built.push({ merged: combined.merged, report: claim.report });
    verdicts.push(...combined.verdicts);
  }
  built.sort((a, b) => compareKeys(a.merged.key, b.merged.key));
  const imports = [...withAliases(built, previousByName), ...written.merged].sort((a, b) => compareKeys(a.key, b.key));
  return {
    imports,
    verdicts: verdicts.sort((a, b) => compareKeys(a.import, b.import) || compareSources(a.source, b.source)),
    ruleStatuses: reports.map(toRuleStatus),
    unmet: findUnmet({
      requests,
      met: new Set(imports.map(({ key }) => formatKey(key))),
      isCovered: ({ key, sources }) =>
        reports.some(({ rule, problem }) => problem === undefined && covers(rule, key, sources)),
    }),
    importStatuses: written.statuses,
  };
}

interface Built {
  readonly merged: MergedImport;
  readonly report: RuleReport;
}

interface BuildContext {
  /** Whose ServiceImport it is, if it is not ours. */
  readonly request: ImportRequest | undefined;
  readonly previousByName: ReadonlyMap<string, IImportBinding>;
  /** Of those that the people of its namespace can ask for. */
  readonly portsLeft: number;
}

/** One import, and what its rule tells of it; undefined when nothing is left that a client could use. */
function build(claim: Claim, { request, previousByName, portsLeft }: BuildContext): Combined | undefined {
  const { key, report, candidates } = claim;
  const skipAll = (skipped: readonly Candidate[], skip: Skip): void =>
    skipped.forEach(({ source }) => noteSkipped(report, { source, ...skip }));
  const [first, ...others] = candidates.filter(({ record }) => request === undefined || record.type === request.type);
  const misfits = candidates.filter(({ record }) => request !== undefined && record.type !== request.type);
  skipAll(misfits, {
    reason: 'TypeConflict',
    message: `ServiceImport ${formatKey(key)} is declared with another type.`,
  });
  if (first === undefined) return undefined;
  const combined = combine({
    key,
    rule: report.rule,
    candidates: [first, ...others],
    previous: previousByName.get(formatKey(key)),
  });
  const merged = request === undefined ? combined.merged : answerRequest(combined.merged, request);
  for (const { candidate, skip } of combined.skipped) noteSkipped(report, { source: candidate.source, ...skip });
  if (merged.type === 'ClusterSetIP' && merged.ports.length === 0) {
    const message =
      request === undefined ? 'It has no ports.' : `It has none of the ports that ${formatKey(key)} declares.`;
    const { sources } = merged;
    sources.forEach((source) => noteSkipped(report, { source, reason: 'NoPorts', message }));
    return undefined;
  }
  if (merged.ports.length > portsLeft) {
    skipClaim(
      claim,
      `does not fit into the ${PORTS_PER_NAMESPACE_MAX} ports that the people of one namespace can ask for`,
    );
    return undefined;
  }
  for (const source of merged.sources) noteImported(report, { source, key });
  return { ...combined, merged };
}

function withAliases(built: readonly Built[], previousByName: ReadonlyMap<string, IImportBinding>): MergedImport[] {
  const claims = built.map(({ merged: { key }, report }) => ({ key, aliases: report.rule.spec.aliases ?? [] }));
  const { byImport, lost } = giveAliases(claims, previousByName);
  const reportByImport = new Map(built.map(({ merged, report }) => [formatKey(merged.key), report]));
  for (const { alias, key, winner } of lost) {
    reportByImport.get(formatKey(key))?.collisions.set(`alias ${alias} of ${formatKey(key)}`, `import ${winner}`);
  }
  return built.map(({ merged }) => {
    const aliases = byImport.get(formatKey(merged.key));
    return aliases === undefined ? merged : { ...merged, aliases };
  });
}

/** Whether a rule of mode Requested could answer a request in this namespace. */
function covers(rule: AnyImportRule, { namespace }: ObjectKey, sources: readonly string[] = []): boolean {
  if (rule.spec.mode !== 'Requested') return false;
  const exported = [namespace, ...sources.map((source) => source.split('/')[1] ?? '')];
  return exported.some((candidate) => namespaceOf(rule, candidate) === namespace);
}

interface ClaimSpace extends Space {
  /** Names that no rule gets. */
  readonly taken: ReadonlySet<string>;
}

/** One rule owns an import: the first in order that has an export for the name. */
function claimNames(
  reports: readonly RuleReport[],
  index: readonly PeerCandidates[],
  space: ClaimSpace,
): Map<string, Claim> {
  const claims = new Map<string, Claim>();
  for (const report of reports) {
    if (report.problem !== undefined) continue;
    const selected = selectCandidates(report.rule, index);
    report.matched = selected.length;
    for (const candidate of selected) {
      for (const placement of place(report.rule, candidate, space))
        claim(claims, { report, candidate, placement, taken: space.taken });
    }
  }
  return claims;
}

interface Claimant {
  readonly report: RuleReport;
  readonly candidate: Candidate;
  readonly placement: Placement;
  readonly taken: ReadonlySet<string>;
}

function claim(claims: Map<string, Claim>, { report, candidate, placement, taken }: Claimant): void {
  const { source } = candidate;
  if ('skip' in placement) return noteSkipped(report, { source, ...placement.skip });
  const { key } = placement;
  if (taken.has(formatKey(key))) return noteCollision(report, { source, key, by: { kind: 'Import', ...key } });
  const present = claims.get(formatKey(key));
  if (present === undefined) claims.set(formatKey(key), { key, report, candidates: [candidate] });
  else if (present.report === report) present.candidates.push(candidate);
  else noteCollision(report, { source, key, by: ownerOf(present.report.rule) });
}

interface LimitContext {
  /** Whether the people of its namespace asked for it, and not the administrator. */
  readonly isTenants: (claim: Claim) => boolean;
  readonly previousByName: ReadonlyMap<string, IImportBinding>;
  /** What Imports have already. */
  readonly written: readonly MergedImport[];
}

/** Names in use stay when there are too many, so that no peer can push them out with new ones. */
function withinLimits(claims: readonly Claim[], { isTenants, previousByName, written }: LimitContext): Claim[] {
  const rank = ({ key }: Claim): number => (previousByName.has(formatKey(key)) ? 0 : 1);
  const counts = countByNamespace(written);
  const kept: Claim[] = [];
  for (const claim of [...claims].sort((a, b) => rank(a) - rank(b) || compareKeys(a.key, b.key))) {
    const { namespace } = claim.key;
    const count = (counts.get(namespace) ?? 0) + (isTenants(claim) ? 1 : 0);
    if (isTenants(claim) && count > IMPORTS_PER_NAMESPACE_MAX) {
      skipClaim(
        claim,
        `would be one import more than the ${IMPORTS_PER_NAMESPACE_MAX} that the people of one namespace can ask for`,
      );
    } else if (kept.length + written.length >= IMPORTS_MAX)
      skipClaim(claim, `would be one import more than the ${IMPORTS_MAX} that a peer can have`);
    else {
      counts.set(namespace, count);
      kept.push(claim);
    }
  }
  return kept;
}

/** As many ports: each has one. */
function countByNamespace(written: readonly MergedImport[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { key } of written) counts.set(key.namespace, (counts.get(key.namespace) ?? 0) + 1);
  return counts;
}

function skipClaim({ key, report, candidates }: Claim, why: string): void {
  const message = `${formatKey(key)} ${why}.`;
  for (const { source } of candidates) noteSkipped(report, { source, reason: 'LimitReached', message });
}

/** One binding an import: the name of a binding is made of the name of its import. */
function indexBindings(bindings: readonly IImportBinding[]): Map<string, IImportBinding> {
  return new Map(bindings.map((binding) => [formatKey(binding.spec.import), binding]));
}

function compareKeys(a: ObjectKey, b: ObjectKey): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}
