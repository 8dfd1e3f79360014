import assert from 'node:assert/strict';
import fc from 'fast-check';
import { schemaErrors } from '#src/api/schema.ts';
import { formatPath } from '#src/api/validation/finding.ts';
import { policyProblems, policyWarnings } from '#src/api/validation/policy.ts';

const everything = [{ workloadSelector: {} }];
const spec = (more: object): object => ({ action: 'allow', from: everything, to: everything, ...more });
const fromLabels = (matchLabels: unknown): object => spec({ from: [{ workloadSelector: { matchLabels } }] });
const fromExpression = (expression: unknown): object =>
  spec({ from: [{ workloadSelector: { matchExpressions: [expression] } }] });
const key = 'client.clusterlink.net/labels.app';

describe('policyProblems', () => {
  const good: [string, unknown][] = [
    ['everything to everything', spec({})],
    ['a deny', spec({ action: 'deny' })],
    ['labels', fromLabels({ 'client.clusterlink.net/service-account': 'front', [key]: '' })],
    ['In', fromExpression({ key, operator: 'In', values: ['a', 'b'] })],
    ['NotIn', fromExpression({ key, operator: 'NotIn', values: ['a'] })],
    ['Exists', fromExpression({ key, operator: 'Exists' })],
    ['DoesNotExist with an empty list', fromExpression({ key, operator: 'DoesNotExist', values: [] })],
    ['256 items', spec({ from: Array.from({ length: 256 }, () => ({ workloadSelector: {} })) })],
  ];
  for (const [title, value] of good) it(`${title} → right`, () => assert.deepEqual(policyProblems(value), []));

  const bad: [title: string, value: unknown, field: string, message: RegExp][] = [
    ['no spec', undefined, '', /is missing/],
    ['no map', [], '', /must be a map/],
    ['an unknown field', spec({ form: [] }), 'form', /did you mean "from"/],
    ['no action', { from: everything, to: everything }, 'action', /is absent/],
    ['an action in upper case', spec({ action: 'Deny' }), 'action', /did you mean "deny"/],
    ['an action with a space', spec({ action: 'allow ' }), 'action', /must be "allow" or "deny"/],
    ['no from', { action: 'allow', to: everything }, 'from', /is missing/],
    ['an empty from', spec({ from: [] }), 'from', /selects no client/],
    ['an empty to', spec({ to: [] }), 'to', /selects no service/],
    ['a from that is no list', spec({ from: {} }), 'from', /must be a list/],
    ['257 items', spec({ to: Array.from({ length: 257 }, () => ({ workloadSelector: {} })) }), 'to', /at most 256/],
    ['an item that is no map', spec({ from: ['x'] }), 'from[0]', /must be a map/],
    ['an empty item', spec({ from: [{}] }), 'from[0].workloadSelector', /is missing/],
    ['workloadSets', spec({ from: [{ workloadSets: ['a'] }] }), 'from[0].workloadSets', /not supported/],
    ['both', spec({ from: [{ workloadSets: [], workloadSelector: {} }] }), 'from[0].workloadSets', /not supported/],
    [
      'a selector without value',
      spec({ from: [{ workloadSelector: null }] }),
      'from[0].workloadSelector',
      /must be a map, is null/,
    ],
    [
      'a selector that is a list',
      spec({ from: [{ workloadSelector: [] }] }),
      'from[0].workloadSelector',
      /must be a map/,
    ],
    [
      'a misspelt matchLabels',
      spec({ from: [{ workloadSelector: { matchLabel: {} } }] }),
      'from[0].workloadSelector.matchLabel',
      /did you mean "matchLabels"/,
    ],
    ['matchLabels without value', fromLabels(null), 'from[0].workloadSelector.matchLabels', /must be a map, is null/],
    [
      'a number as value',
      fromLabels({ [key]: 1 }),
      `from[0].workloadSelector.matchLabels["${key}"]`,
      /must be text, is 1/,
    ],
    [
      'an illegal value',
      fromLabels({ [key]: 'a b' }),
      `from[0].workloadSelector.matchLabels["${key}"]`,
      /not legal for a label/,
    ],
    [
      'a prefixed label',
      fromLabels({ 'client.clusterlink.net/labels.app.kubernetes.io/name': 'x' }),
      'from[0].workloadSelector.matchLabels["client.clusterlink.net/labels.app.kubernetes.io/name"]',
      /labels with a prefix of their own cannot be selected/,
    ],
    [
      'an illegal key',
      fromLabels({ 'a b': 'x' }),
      'from[0].workloadSelector.matchLabels["a b"]',
      /key "a b" is not legal/,
    ],
    [
      'expressions that are no list',
      spec({ from: [{ workloadSelector: { matchExpressions: {} } }] }),
      'from[0].workloadSelector.matchExpressions',
      /must be a list/,
    ],
    [
      'no key',
      fromExpression({ operator: 'Exists' }),
      'from[0].workloadSelector.matchExpressions[0].key',
      /is missing/,
    ],
    [
      'an unknown operator',
      fromExpression({ key, operator: 'in', values: ['a'] }),
      'from[0].workloadSelector.matchExpressions[0].operator',
      /did you mean "In"/,
    ],
    [
      'In without values',
      fromExpression({ key, operator: 'In' }),
      'from[0].workloadSelector.matchExpressions[0].values',
      /needs values/,
    ],
    [
      'NotIn with an empty list',
      fromExpression({ key, operator: 'NotIn', values: [] }),
      'from[0].workloadSelector.matchExpressions[0].values',
      /needs values/,
    ],
    [
      'Exists with values',
      fromExpression({ key, operator: 'Exists', values: ['a'] }),
      'from[0].workloadSelector.matchExpressions[0].values',
      /has no values/,
    ],
    [
      'values that are no list',
      fromExpression({ key, operator: 'In', values: 'a' }),
      'from[0].workloadSelector.matchExpressions[0].values',
      /must be a list/,
    ],
    [
      'a value that is no text',
      fromExpression({ key, operator: 'In', values: [true] }),
      'from[0].workloadSelector.matchExpressions[0].values[0]',
      /must be text, is true/,
    ],
    [
      'a stranger in an expression',
      fromExpression({ key, operator: 'Exists', value: 'a' }),
      'from[0].workloadSelector.matchExpressions[0].value',
      /did you mean "values"/,
    ],
  ];
  for (const [title, value, field, message] of bad) {
    it(`${title} → ${field}: ${message.source}`, () => {
      const [first] = policyProblems(value);
      assert.equal(formatPath(first?.path ?? ['nothing']), field);
      assert.match(first?.message ?? '', message);
      assert.ok(first?.fix);
    });
  }

  // Decisions rely on this function alone: whatever the schema refuses below spec, it must refuse.
  it('any spec that has no problem → fits the schema', () => {
    const mutant = fc.oneof(fc.constantFrom(undefined, null, 1, true, '', 'a', 'In', 'allow', {}, []), fc.jsonValue());
    const selector = fc.record(
      {
        matchLabels: fc.oneof(fc.dictionary(fc.constantFrom(key, 'a', 'a b'), mutant), mutant),
        matchExpressions: fc.oneof(
          fc.array(
            fc.record(
              {
                key: fc.oneof(fc.constant(key), mutant),
                operator: fc.oneof(fc.constantFrom('In', 'Exists'), mutant),
                values: fc.oneof(fc.array(mutant), mutant),
              },
              { requiredKeys: [] },
            ),
          ),
          mutant,
        ),
      },
      { requiredKeys: [] },
    );
    const items = fc.oneof(
      { weight: 4, arbitrary: fc.array(fc.record({ workloadSelector: selector })) },
      { weight: 1, arbitrary: mutant },
    );
    const specs = fc.oneof(fc.record({ action: fc.constantFrom('allow', 'deny'), from: items, to: items }), mutant);
    fc.assert(
      fc.property(specs, (value) => {
        if (policyProblems(value).length > 0) return;
        const policy = {
          apiVersion: 'clusterlink.net/v1alpha1',
          kind: 'AccessPolicy',
          metadata: { name: 'x' },
          spec: value,
        };
        assert.deepEqual(schemaErrors('AccessPolicy', policy), []);
      }),
      { numRuns: 500 },
    );
  });
});

describe('policyWarnings', () => {
  const rows: [title: string, value: unknown, messages: RegExp[]][] = [
    [
      'the whole vocabulary',
      spec({ from: [{ workloadSelector: { matchLabels: { [key]: 'a', 'peer.clusterlink.net/name': 'a' } } }] }),
      [],
    ],
    ['a bare label', fromLabels({ app: 'a' }), [/no client has an attribute "app"/]],
    [
      'a slip',
      fromLabels({ 'client.clusterlink.net/namspace': 'a' }),
      [/did you mean "client.clusterlink.net\/namespace"/],
    ],
    [
      'an export in from',
      fromExpression({ key: 'export.clusterlink.net/name', operator: 'Exists' }),
      [/no client has an attribute/],
    ],
    [
      'a client in to',
      spec({ to: [{ workloadSelector: { matchLabels: { [key]: 'a' } } }] }),
      [/no service has an attribute/],
    ],
    ['an illegal key is an error, not a warning', fromLabels({ 'a b': 'x' }), []],
  ];
  for (const [title, value, messages] of rows) {
    it(`${title} → ${messages.length} warnings`, () => {
      const warnings = policyWarnings(value);
      assert.equal(warnings.length, messages.length);
      messages.forEach((message, index) => assert.match(warnings[index]?.message ?? '', message));
      assert.ok(warnings.every(({ fix }) => fix !== ''));
    });
  }
});
