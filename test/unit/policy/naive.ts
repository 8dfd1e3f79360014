/**
 * A second evaluator, written from clusterlink.md §4.2-4.4 and DESIGN §5 and from nothing in src/policy. It keeps, of every
 * statement, all answers that are possible while some attributes are unknown, each unknown for itself.
 */
import type { AccessPolicySpec } from '#src/api/generated/AccessPolicy.ts';
import type { Selector } from '#src/policy/selector.ts';
import type { Attributes, Question } from '#src/policy/types.ts';
import type { AnyPolicy } from './fixtures.ts';

export interface NaivePolicy {
  readonly policy: AnyPolicy;
  /** Its maker knows whether ClusterLink could read it. */
  readonly isReadable: boolean;
}

/** Every answer that a statement may have. */
type Answers = ReadonlySet<boolean>;

const YES: Answers = new Set([true]);
const NO: Answers = new Set([false]);
const EITHER: Answers = new Set([true, false]);

function combine(all: readonly Answers[], { start, join }: Combination): Answers {
  return all.reduce<Answers>(
    (before, next) => new Set([...before].flatMap((a) => [...next].map((b) => join(a, b)))),
    new Set([start]),
  );
}

interface Combination {
  readonly start: boolean;
  join(a: boolean, b: boolean): boolean;
}
const AND: Combination = { start: true, join: (a, b) => a && b };
const OR: Combination = { start: false, join: (a, b) => a || b };

/** What is not known may satisfy any requirement, and may not. */
function answersFor(key: string, attributes: Attributes, holds: (value: string | undefined) => boolean): Answers {
  const known = Object.entries(attributes.known).find(([name]) => name === key);
  if (known !== undefined) return holds(known[1]) ? YES : NO;
  const isUnknown = attributes.unknown.some((name) =>
    name.endsWith('.') || name.endsWith('/') ? key.startsWith(name) : key === name,
  );
  if (isUnknown) return EITHER;
  return holds(undefined) ? YES : NO;
}

function selects({ matchLabels, matchExpressions }: Selector, attributes: Attributes): Answers {
  const labels = Object.entries(matchLabels ?? {}).map(([key, wanted]) =>
    answersFor(key, attributes, (value) => value === wanted),
  );
  const expressions = (matchExpressions ?? []).map(({ key, operator, values }) => {
    const list: readonly (string | undefined)[] = values ?? [];
    return answersFor(key, attributes, (value) => {
      if (operator === 'In') return value !== undefined && list.includes(value);
      if (operator === 'NotIn') return value === undefined || !list.includes(value);
      return operator === 'Exists' ? value !== undefined : value === undefined;
    });
  });
  return combine([...labels, ...expressions], AND);
}

function matches({ from, to }: AccessPolicySpec, question: Question): Answers {
  const side = (items: typeof from, attributes: Attributes): Answers =>
    combine(
      items.map(({ workloadSelector }) => selects(workloadSelector ?? {}, attributes)),
      OR,
    );
  return combine([side(from, question.from), side(to, question.to)], AND);
}

const TIERS = ['PrivilegedAccessPolicy', 'AccessPolicy', 'BaselineAccessPolicy'];

export interface NaiveDecision {
  readonly allowed: boolean;
  /** `Kind namespace/name` of every policy that would say the same in the place that decides; none: the default decided. */
  readonly by: readonly string[];
}

/**
 * Tier by tier, denies before allows: the first group in which some policy speaks has decided. `doubt` says which way the
 * unknown counts: against the connection for a decision, for it where it is asked whether somebody could be admitted.
 */
export function decideNaively(
  policies: readonly NaivePolicy[],
  question: Question,
  doubt: 'against' | 'for' = 'against',
): NaiveDecision {
  for (const tier of TIERS) {
    for (const action of ['deny', 'allow']) {
      const speaking = policies
        .filter(({ policy }) => policy.kind === tier)
        .filter(({ policy }) => tier !== 'AccessPolicy' || policy.metadata?.namespace === question.namespace)
        // What is neither allow nor deny may have been meant as a deny.
        .filter(({ policy }) => (policy.spec.action === 'allow' ? 'allow' : 'deny') === action)
        .filter(({ policy, isReadable }) => {
          if (!isReadable) return action === 'deny';
          const answers = matches(policy.spec, question);
          return (doubt === 'against') === (action === 'deny') ? answers.has(true) : !answers.has(false);
        });
      if (speaking.length > 0) return { allowed: action === 'allow', by: speaking.map(({ policy }) => nameOf(policy)) };
    }
  }
  return { allowed: false, by: [] };
}

export function nameOf({ kind, metadata }: AnyPolicy): string {
  return `${kind} ${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
}
