/** Label selectors over attributes of which some may be unknown: Kleene's three-valued logic. */
import type { Attributes } from './types.ts';

/** What a selector says of attributes; 'unknown' when it depends on something that is not known. */
export type Match = 'match' | 'no-match' | 'unknown';

/** A Kubernetes label selector: all requirements must hold; an empty one selects everything. */
export interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly Requirement[];
}

export interface Requirement {
  readonly key: string;
  /** In, NotIn, Exists or DoesNotExist; any other is answered 'unknown'. */
  readonly operator: string;
  readonly values?: readonly string[];
}

export function matchSelector(selector: Selector, attributes: Attributes): Match {
  return every(requirementsOf(selector), (requirement) => matchRequirement(requirement, attributes));
}

/** All that a selector asks for: labels are requirements of one value. */
export function requirementsOf({ matchLabels = {}, matchExpressions = [] }: Selector): readonly Requirement[] {
  const labels = Object.entries(matchLabels).map(([key, value]) => ({ key, operator: 'In', values: [value] }));
  return [...labels, ...matchExpressions];
}

/** Whether every requirement means something: an operator of Kubernetes, with values just where it needs them. */
export function isReadableSelector({ matchExpressions = [] }: Selector): boolean {
  return matchExpressions.every(({ operator, values = [] }) => {
    if (operator === 'In' || operator === 'NotIn') return values.length > 0;
    return (operator === 'Exists' || operator === 'DoesNotExist') && values.length === 0;
  });
}

/** Labels of which all are known, as attributes. */
export function labelAttributes(labels: Readonly<Record<string, string>>): Attributes {
  return { known: labels, unknown: [] };
}

/** Kleene's "and": one that fails decides, whatever is unknown beside it. */
export function every<T>(items: readonly T[], match: (item: T) => Match): Match {
  let result: Match = 'match';
  for (const item of items) {
    const found = match(item);
    if (found === 'no-match') return 'no-match';
    if (found === 'unknown') result = 'unknown';
  }
  return result;
}

/** Kleene's "or": one that holds decides. */
export function some<T>(items: readonly T[], match: (item: T) => Match): Match {
  let result: Match = 'no-match';
  for (const item of items) {
    const found = match(item);
    if (found === 'match') return 'match';
    if (found === 'unknown') result = 'unknown';
  }
  return result;
}

/**
 * A requirement that cannot be read (operator unknown, `In` or `NotIn` without values) is 'unknown', never a match: an empty
 * `NotIn` would otherwise select everything.
 */
export function matchRequirement({ key, operator, values = [] }: Requirement, attributes: Attributes): Match {
  const needsValues = operator === 'In' || operator === 'NotIn';
  if (needsValues && values.length === 0) return 'unknown';
  if (isUnknown(key, attributes)) return 'unknown';
  // Labels can be a peer's text: `constructor` must not be found on the prototype.
  const value = Object.hasOwn(attributes.known, key) ? attributes.known[key] : undefined;
  switch (operator) {
    case 'In':
      return toMatch(value !== undefined && values.includes(value));
    case 'NotIn':
      return toMatch(value === undefined || !values.includes(value));
    case 'Exists':
      return toMatch(value !== undefined);
    case 'DoesNotExist':
      return toMatch(value === undefined);
    default:
      return 'unknown';
  }
}

function isUnknown(key: string, { known, unknown }: Attributes): boolean {
  if (Object.hasOwn(known, key)) return false;
  return unknown.some((entry) => (/[./]$/.test(entry) ? key.startsWith(entry) : key === entry));
}

function toMatch(holds: boolean): Match {
  return holds ? 'match' : 'no-match';
}
