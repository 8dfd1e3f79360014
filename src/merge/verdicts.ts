/** What the owners of the exports of one import are told: all the same reasons, each its own loss (CFL-01, CFL-27). */
import { formatKey } from '../api/object.ts';
import type { Candidate } from './candidate.ts';
import { PROPERTIES, type Outcome, type Property } from './properties.ts';
import type { ConstituentVerdict } from './types.ts';

/** One property on which not all agree. */
interface Conflict {
  readonly property: Property;
  readonly disagreeing: number;
}

export interface JudgeInput extends Outcome {
  /** All exports of the import, with those that lost it by their type. */
  readonly constituents: readonly Candidate[];
  /** The one whose values are used. */
  readonly winner: Candidate;
}

export function judgeConstituents(input: JudgeInput): ConstituentVerdict[] {
  const { constituents, merged } = input;
  const conflicts = findConflicts(input);
  const reasons = conflicts.map(({ property }) => property.reason);
  return constituents.map((candidate) => {
    const sentences = conflicts.map((conflict) => describeConflict({ ...input, ...conflict, candidate }));
    return {
      source: candidate.source,
      import: merged.key,
      reasons,
      loses: conflicts.some(({ property }) => property.stanceOf(candidate, input) === 'overruled'),
      message: sentences.length === 0 ? '' : `Import ${formatKey(merged.key)}: ${sentences.join(' ')}`,
    };
  });
}

function findConflicts(input: JudgeInput): Conflict[] {
  const { constituents } = input;
  // Most imports have one export, which has nobody to disagree with (CFL-28).
  if (constituents.length === 1) return [];
  return PROPERTIES.map((property) => ({
    property,
    disagreeing: constituents.filter((candidate) => property.stanceOf(candidate, input) !== 'agrees').length,
  })).filter(({ disagreeing }) => disagreeing > 0);
}

interface Told extends JudgeInput, Conflict {
  readonly candidate: Candidate;
}

/**
 * The shape of CFL-13. It never says whose the other export is: the reader may know the importer and itself, and no third
 * peer (DESIGN §5).
 */
function describeConflict(told: Told): string {
  const { property, disagreeing, candidate, winner, constituents } = told;
  const whose = candidate === winner ? ' of this export' : ' of another export';
  const lost = property.lost?.(candidate, told) ?? '';
  const used = `using ${property.used(told)}${property.isUnited === true ? '' : whose}`;
  const notUsed = lost === '' ? '' : `; not used: ${lost}`;
  return `${property.title}: ${used}; ${disagreeing}/${constituents.length} exports disagree${notUsed}.`;
}
