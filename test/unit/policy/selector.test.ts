import assert from 'node:assert/strict';
import { isReadableSelector, labelAttributes, matchSelector, type Match, type Selector } from '#src/policy/selector.ts';

const ATTRIBUTES = { known: { app: 'ui', 'in/known': 'x' }, unknown: ['secret', 'in/', 'label.'] };

const expression = (key: string, operator: string, ...values: string[]): Selector => ({
  matchExpressions: [values.length === 0 ? { key, operator } : { key, operator, values }],
});

describe('matchSelector', () => {
  const OPERATORS: [operator: string, values: string[], onKnown: Match, onOther: Match, onAbsent: Match][] = [
    ['In', ['ui', 'x'], 'match', 'no-match', 'no-match'],
    ['NotIn', ['ui', 'x'], 'no-match', 'match', 'match'],
    ['Exists', [], 'match', 'match', 'no-match'],
    ['DoesNotExist', [], 'no-match', 'no-match', 'match'],
  ];
  for (const [operator, values, onKnown, onOther, onAbsent] of OPERATORS) {
    it(`${operator} → ${onKnown} on its value, ${onOther} on another, ${onAbsent} on an absent key, else unknown`, () => {
      assert.equal(matchSelector(expression('app', operator, ...values), ATTRIBUTES), onKnown);
      assert.equal(matchSelector(expression('app', operator, ...values), labelAttributes({ app: 'api' })), onOther);
      assert.equal(matchSelector(expression('absent', operator, ...values), ATTRIBUTES), onAbsent);
      for (const key of ['secret', 'in/x', 'label.a', 'label.a.b']) {
        assert.equal(matchSelector(expression(key, operator, ...values), ATTRIBUTES), 'unknown', key);
      }
    });
  }

  const ROWS: [title: string, selector: Selector, expected: Match][] = [
    ['empty', {}, 'match'],
    ['empty members', { matchLabels: {}, matchExpressions: [] }, 'match'],
    ['matchLabels', { matchLabels: { app: 'ui' } }, 'match'],
    ['all of matchLabels', { matchLabels: { app: 'ui', absent: 'x' } }, 'no-match'],
    ['labels and expressions', { matchLabels: { app: 'ui' }, ...expression('absent', 'Exists') }, 'no-match'],
    ['match and unknown', { matchLabels: { app: 'ui', secret: 'x' } }, 'unknown'],
    ['unknown and no-match', { matchLabels: { secret: 'x', absent: 'x' } }, 'no-match'],
    ['a known key below an unknown prefix', { matchLabels: { 'in/known': 'x' } }, 'match'],
    ['an unknown key is not a prefix', { matchLabels: { 'secret.more': 'x' } }, 'no-match'],
    ['the prefix without its end', { matchLabels: { label: 'x' } }, 'no-match'],
    ['a name of the prototype', expression('constructor', 'Exists'), 'no-match'],
    ['__proto__', expression('__proto__', 'Exists'), 'no-match'],
    ['an operator that is not one', expression('app', 'Equals', 'ui'), 'unknown'],
    ['In without values', expression('app', 'In'), 'unknown'],
    ['NotIn without values', expression('absent', 'NotIn'), 'unknown'],
  ];
  for (const [title, selector, expected] of ROWS) {
    it(`${title} → ${expected}`, () => assert.equal(matchSelector(selector, ATTRIBUTES), expected));
  }
});

describe('isReadableSelector', () => {
  const ROWS: [selector: Selector, readable: boolean][] = [
    [{}, true],
    [{ matchLabels: { a: 'b' } }, true],
    [expression('a', 'In', 'b'), true],
    [expression('a', 'NotIn', 'b'), true],
    [expression('a', 'Exists'), true],
    [expression('a', 'DoesNotExist'), true],
    [expression('a', 'In'), false],
    [expression('a', 'NotIn'), false],
    [expression('a', 'Exists', 'b'), false],
    [expression('a', 'DoesNotExist', 'b'), false],
    [expression('a', 'in', 'b'), false],
  ];
  for (const [selector, readable] of ROWS) {
    it(`${JSON.stringify(selector)} → ${readable}`, () => assert.equal(isReadableSelector(selector), readable));
  }
});
