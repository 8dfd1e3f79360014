/**
 * Label selectors, whole: types, unknown fields and meaning. Nothing here relies on a schema, since a policy that got into
 * the store by a looser one must not select more than it says.
 */
import { askWhether, didYouMean } from './did-you-mean.ts';
import { below, type Finding } from './finding.ts';
import { isMap } from './json.ts';
import { keyProblem, valueProblem } from './labels.ts';
import { quote, scalarText } from './quote.ts';

export const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'];
const WITH_VALUES = ['In', 'NotIn'];

/** The key of a requirement, legal or not; what else is to be said of it is the caller's. */
export type KeyRule = (key: string) => Omit<Finding, 'path'> | undefined;

/** @param keyRule - what is wrong with a key; by default whatever is wrong with the key of a label. */
export function selectorProblems(selector: unknown, keyRule: KeyRule = keyProblem): Finding[] {
  if (!isMap(selector)) return [notA('map', selector)];
  const { matchLabels, matchExpressions } = selector;
  return [
    ...unknownFields(selector, ['matchLabels', 'matchExpressions']),
    ...below(['matchLabels'], matchLabels === undefined ? [] : matchLabelsProblems(matchLabels, keyRule)),
    ...below(
      ['matchExpressions'],
      matchExpressions === undefined ? [] : expressionsProblems(matchExpressions, keyRule),
    ),
  ];
}

/** A misspelt `matchLabels` would select everything. */
export function unknownFields(map: Readonly<Record<string, unknown>>, known: readonly string[]): Finding[] {
  return Object.keys(map)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const meant = didYouMean(key, known);
      const fix = meant === undefined ? `Delete it (known here: ${known.join(', ')}).` : `Rename it to "${meant}".`;
      return { path: [key], message: `unknown field ${quote(key)}${askWhether(meant)}`, fix };
    });
}

export function notA(what: 'list' | 'map', value: unknown): Finding {
  if (value === undefined) return { path: [], message: 'is missing', fix: `Add it: a ${what}.` };
  const fix =
    what === 'list' ? 'Write each item on a line that begins with "- ".' : 'Write lines of "key: value" below it.';
  return { path: [], message: `must be a ${what}, is ${quote(value)}`, fix };
}

function matchLabelsProblems(labels: unknown, keyRule: KeyRule): Finding[] {
  if (!isMap(labels)) return [notA('map', labels)];
  return Object.entries(labels).flatMap(([key, value]) => {
    const problem = keyRule(key) ?? textProblem(value);
    return problem === undefined ? [] : [{ path: [key], ...problem }];
  });
}

function expressionsProblems(expressions: unknown, keyRule: KeyRule): Finding[] {
  if (!Array.isArray(expressions)) return [notA('list', expressions)];
  return expressions.flatMap((expression: unknown, index) =>
    below([String(index)], expressionProblems(expression, keyRule)),
  );
}

function expressionProblems(expression: unknown, keyRule: KeyRule): Finding[] {
  if (!isMap(expression)) return [notA('map', expression)];
  const { key, operator, values } = expression;
  const wrongKey = typeof key === 'string' ? keyRule(key) : textProblem(key);
  return [
    ...unknownFields(expression, ['key', 'operator', 'values']),
    ...(wrongKey === undefined ? [] : [{ path: ['key'], ...wrongKey }]),
    ...operatorProblems(operator),
    ...below(['values'], valuesProblems(operator, values)),
  ];
}

function operatorProblems(operator: unknown): Finding[] {
  if (typeof operator === 'string' && OPERATORS.includes(operator)) return [];
  const meant = typeof operator === 'string' ? didYouMean(operator, OPERATORS) : undefined;
  const message = `must be one of ${OPERATORS.join(', ')}, is ${quote(operator)}${askWhether(meant)}`;
  return [{ path: ['operator'], message, fix: `Use ${meant ?? `one of ${OPERATORS.join(', ')}`}.` }];
}

function valuesProblems(operator: unknown, values: unknown): Finding[] {
  if (values !== undefined && !Array.isArray(values)) return [notA('list', values)];
  const list: readonly unknown[] = values ?? [];
  if (typeof operator === 'string' && WITH_VALUES.includes(operator) && list.length === 0) {
    return [{ path: [], message: `operator ${operator} needs values`, fix: 'List at least one value.' }];
  }
  if ((operator === 'Exists' || operator === 'DoesNotExist') && list.length > 0) {
    const fix = 'Delete the values, or use In or NotIn.';
    return [{ path: [], message: `operator ${operator} has no values`, fix }];
  }
  return list.flatMap((value, index) => {
    const problem = textProblem(value);
    return problem === undefined ? [] : [{ path: [String(index)], ...problem }];
  });
}

function textProblem(value: unknown): Omit<Finding, 'path'> | undefined {
  if (typeof value === 'string') return valueProblem(value);
  if (value === undefined) return { message: 'is missing', fix: 'Add it.' };
  const fix = typeof value === 'object' ? 'Write one text here.' : `Put it in quotes: "${scalarText(value)}".`;
  return { message: `must be text, is ${quote(value)}`, fix };
}
