/** One import out of its exports: KEP-1645's conflict policy as DESIGN §5 amends it. */
import type { IImportBinding, ImportBindingSpecSource } from '../api/generated/ImportBinding.ts';
import { isEarlyDataOff } from '../api/early-data.ts';
import type { ObjectKey } from '../api/object.ts';
import { formatSource } from '../api/record.ts';
import { makeBalancing, type Balancing } from './balancing.ts';
import type { Candidate } from './candidate.ts';
import { intersectFamilies } from './families.ts';
import { SOURCES_PER_IMPORT_MAX } from './limits.ts';
import { importedMetadata } from './metadata.ts';
import type { Skip } from './placement.ts';
import { portsOfSource, sharesDefinition, unitePorts } from './ports.ts';
import { orderByPrecedence, splitBySource } from './precedence.ts';
import { affinityOf, timeoutSecondsOf, trafficPolicyOf } from './properties.ts';
import { ownerOf } from './rule.ts';
import type { AnyImportRule, ConstituentVerdict, MergedImport } from './types.ts';
import { judgeConstituents } from './verdicts.ts';

export interface CombineInput {
  readonly key: ObjectKey;
  readonly rule: AnyImportRule;
  /** At least one. */
  readonly candidates: readonly [Candidate, ...Candidate[]];
  readonly previous: IImportBinding | undefined;
}

export interface Combined {
  readonly merged: MergedImport;
  readonly verdicts: readonly ConstituentVerdict[];
  readonly skipped: readonly { readonly candidate: Candidate; readonly skip: Skip }[];
}

export function combine({ key, rule, candidates, previous }: CombineInput): Combined {
  const ordered = orderByPrecedence(candidates, previous);
  const { united, others } = rule.spec.merge === true ? { united: ordered, others: [] } : splitBySource(ordered);
  const { sources, outvoted, beyondLimit } = splitByType(united, previous);
  const [winner = candidates[0]] = sources;
  const allow = rule.spec.metadata?.allow ?? [];
  const { ports, beyondLimit: portsBeyondLimit } = unitePorts(
    sources.map(({ record }) => record.ports),
    previous?.spec.ports ?? [],
  );
  const { families, overruled } = intersectFamilies(sources);
  const timeoutSeconds = timeoutSecondsOf(winner.record);
  const { trafficDistribution } = winner.record;
  const balancing = makeBalancing(rule);
  const merged: MergedImport = {
    key,
    owner: ownerOf(rule),
    type: winner.record.type,
    ports,
    ipFamilies: families,
    sources: sources.map((candidate) => toSource(candidate, { ports, balancing })),
    sessionAffinity: affinityOf(winner.record),
    ...(timeoutSeconds === undefined ? {} : { sessionAffinityTimeoutSeconds: timeoutSeconds }),
    internalTrafficPolicy: trafficPolicyOf(winner.record),
    ...(trafficDistribution === undefined ? {} : { trafficDistribution }),
    loadBalancing: balancing.loadBalancing,
    ...importedMetadata(winner.record, allow),
    ...(isEarlyDataOff(rule.metadata) ? { earlyData: 'Off' } : {}),
    ...(rule.spec.service === true ? { service: true } : {}),
  };
  return {
    merged,
    verdicts: judgeConstituents({
      constituents: [...sources, ...outvoted],
      winner,
      merged,
      overruledFamilies: overruled,
      metadataOf: ({ record }) => importedMetadata(record, allow),
    }),
    skipped: [
      ...others.map(
        toSkip(
          'SourceNotMerged',
          'Another service has the name. Fix: set spec.merge, or name it apart by spec.into.name.',
        ),
      ),
      ...outvoted.map(toSkip('TypeConflict', `The import has type ${winner.record.type}, and this export has not.`)),
      ...beyondLimit.map(toSkip('LimitReached', `An import has at most ${SOURCES_PER_IMPORT_MAX} sources.`)),
      ...sources
        .filter(({ record }) => sharesDefinition(record.ports, portsBeyondLimit))
        .map(
          toSkip('LimitReached', `The import has all the ports that it can have (${ports.length}); some are left out.`),
        ),
    ],
  };
}

interface ByType {
  readonly sources: readonly Candidate[];
  readonly outvoted: readonly Candidate[];
  readonly beyondLimit: readonly Candidate[];
}

/**
 * The type in use stays while an export in use still has it, else the first one's is taken (CFL-03, CFL-14). Exports of the other
 * type get no traffic (CFL-15): clients of a clusterset IP cannot use a headless export, nor the reverse.
 */
function splitByType(ordered: readonly Candidate[], previous: IImportBinding | undefined): ByType {
  const inUse = new Set((previous?.spec.sources ?? []).map(formatSource));
  const keepsType = ordered.some(({ text, record }) => inUse.has(text) && record.type === previous?.spec.type);
  const type = keepsType ? previous?.spec.type : ordered[0]?.record.type;
  const same = ordered.filter(({ record }) => record.type === type);
  // In their own order, not that of use: which of them are heard must not depend on how they came to lose.
  const other = orderByPrecedence(
    ordered.filter(({ record }) => record.type !== type),
    undefined,
  );
  return {
    sources: same.slice(0, SOURCES_PER_IMPORT_MAX),
    outvoted: other.slice(0, SOURCES_PER_IMPORT_MAX),
    beyondLimit: [...same.slice(SOURCES_PER_IMPORT_MAX), ...other.slice(SOURCES_PER_IMPORT_MAX)],
  };
}

interface SourceContext {
  readonly ports: MergedImport['ports'];
  readonly balancing: Balancing;
}

function toSource({ source, record }: Candidate, { ports, balancing }: SourceContext): ImportBindingSpecSource {
  return {
    ...source,
    ...balancing.balanceOf(source.peer),
    readyEndpoints: record.readyEndpoints,
    ports: portsOfSource(ports, record.ports),
  };
}

function toSkip(reason: Skip['reason'], message: string) {
  return (candidate: Candidate) => ({ candidate, skip: { reason, message } });
}
