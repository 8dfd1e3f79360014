/** Kubernetes label selectors over attributes, as ClusterLink compiles and matches them (§4.2). */
import type { Attributes } from './types.ts';

export interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly Requirement[];
}

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const PREFIX_LENGTH_MAX = 253;

/** Whether it compiles: a pod label that has a prefix of its own makes two slashes, and does not (§4.6, 27). */
export function isSelector({ matchLabels = {}, matchExpressions = [] }: Selector): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => isKey(key) && isValue(value)) &&
    matchExpressions.every(isRequirement)
  );
}

function isRequirement({ key, operator, values = [] }: Requirement): boolean {
  if (!isKey(key) || !values.every(isValue)) return false;
  if (operator === 'In' || operator === 'NotIn') return values.length > 0;
  return (operator === 'Exists' || operator === 'DoesNotExist') && values.length === 0;
}

function isKey(key: string): boolean {
  const parts = key.split('/');
  const name = parts.pop() ?? '';
  const [prefix] = parts;
  if (parts.length > 1 || !NAME.test(name)) return false;
  return prefix === undefined || (prefix.length <= PREFIX_LENGTH_MAX && PREFIX.test(prefix));
}

function isValue(value: string): boolean {
  return value === '' || NAME.test(value);
}

/** Whether it asks for anything at all. */
export function asks({ matchLabels = {}, matchExpressions = [] }: Selector): boolean {
  return Object.keys(matchLabels).length > 0 || matchExpressions.length > 0;
}

export function selects({ matchLabels = {}, matchExpressions = [] }: Selector, attributes: Attributes): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => valueOf(attributes, key) === value) &&
    matchExpressions.every((requirement) => holds(requirement, valueOf(attributes, requirement.key)))
  );
}

/** `NotIn` also holds where the key is absent: a deny that is written with it hits who has no such label (§4.6, 10). */
function holds({ operator, values = [] }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    default:
      return value === undefined;
  }
}

function valueOf(attributes: Attributes, key: string): string | undefined {
  return Object.hasOwn(attributes, key) ? attributes[key] : undefined;
}
