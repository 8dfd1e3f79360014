/** How a decision came about: what each policy that was looked at said, and by which requirement. For people; pure. */
import type { CompiledPolicy, PolicySet } from './compile.ts';
import { decideAloud, type Look } from './decide.ts';
import { LOOKS_TOLD_MAX, OBSTACLES_TOLD_MAX } from './limits.ts';
import {
  matchRequirement,
  matchSelector,
  requirementsOf,
  some,
  type Match,
  type Requirement,
  type Selector,
} from './selector.ts';
import type { Attributes, Decision, Question } from './types.ts';

export interface PolicyTrace {
  readonly decision: Decision;
  /** In the order in which they were looked at, the one that decides last. */
  readonly looks: readonly PolicyLook[];
  /** How many looks are left out, before the last one. */
  readonly untold: number;
  /** Namespaces whose AccessPolicies do not count here, sorted. */
  readonly elsewhere: readonly string[];
}

export interface PolicyLook {
  readonly policy: CompiledPolicy['id'];
  readonly action: Look['action'];
  readonly said: Match;
  /** Why its spec cannot be read; then it selects nothing (an allow), or its whole scope. */
  readonly unreadable?: string;
  /** Of each item that kept it from a match, the first requirement that did. Empty for a match. */
  readonly because: readonly Obstacle[];
}

/** A requirement of a policy that does not hold, or of which nobody knows whether it holds. */
export interface Obstacle {
  readonly side: 'from' | 'to';
  /** Index of the item. */
  readonly item: number;
  readonly requirement: Requirement;
  readonly said: Exclude<Match, 'match'>;
  /** What the attribute is; absent: there is none, or it is unknown. */
  readonly value?: string;
}

/** The decision is that of `decide`: the same walk, listened to. */
export function traceDecision(set: PolicySet, question: Question): PolicyTrace {
  const looks: Look[] = [];
  const decision = decideAloud({ set, question, onLook: (look) => looks.push(look) });
  const untold = Math.max(0, looks.length - LOOKS_TOLD_MAX);
  // The last look may be the one that decides, so it is told whatever comes before it.
  const told = untold === 0 ? looks : [...looks.slice(0, LOOKS_TOLD_MAX - 1), ...looks.slice(-1)];
  return {
    decision,
    looks: told.map((look) => toPolicyLook(look, question)),
    untold,
    elsewhere: Object.keys(set.regular)
      .filter((namespace) => namespace !== question.namespace)
      .sort(),
  };
}

function toPolicyLook({ policy, action, said }: Look, { from, to }: Question): PolicyLook {
  const { id, unreadable } = policy;
  const because =
    said === 'match'
      ? []
      : [
          ...obstacles({ side: 'from', said, selectors: policy.from, attributes: from }),
          ...obstacles({ side: 'to', said, selectors: policy.to, attributes: to }),
        ];
  return {
    policy: id,
    action,
    said,
    ...(unreadable === undefined ? {} : { unreadable }),
    because: because.slice(0, OBSTACLES_TOLD_MAX),
  };
}

/** None where this side has no part in what the policy said: one item that matches makes up for all others. */
function obstacles(input: {
  readonly side: Obstacle['side'];
  readonly said: Obstacle['said'];
  readonly selectors: readonly Selector[];
  readonly attributes: Attributes;
}): Obstacle[] {
  const { side, said, selectors, attributes } = input;
  if (some(selectors, (selector) => matchSelector(selector, attributes)) !== said) return [];
  return selectors.flatMap((selector, item) => {
    const requirement = requirementsOf(selector).find((one) => matchRequirement(one, attributes) === said);
    if (requirement === undefined) return [];
    const value = Object.hasOwn(attributes.known, requirement.key) ? attributes.known[requirement.key] : undefined;
    return [{ side, said, item, requirement, ...(value === undefined ? {} : { value }) }];
  });
}
