/** What holds for every set of policies: decisions compared with a second evaluator, and with all that could be true. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ATTRIBUTES } from '#src/api/names.ts';
import { couldAdmit, decide } from '#src/policy/decide.ts';
import type { Requirement, Selector } from '#src/policy/selector.ts';
import type { Attributes, Question } from '#src/policy/types.ts';
import { baseline, compileAll, privileged, regular, spec, type AnyPolicy } from './fixtures.ts';

const CLIENT_KEYS = [ATTRIBUTES.clientNamespace, ATTRIBUTES.clientServiceAccount, `${ATTRIBUTES.clientLabelPrefix}x`];
const EXPORT_KEYS = [ATTRIBUTES.exportName];
const VALUES = ['1', '2'];
/** All that an attribute can be: absent, one of the values that policies speak of, or another. */
const CHOICES = [undefined, ...VALUES, 'other'];

const requirement = (keys: string[]): fc.Arbitrary<Requirement> =>
  fc.oneof(
    fc.record({
      key: fc.constantFrom(...keys),
      operator: fc.constantFrom('In', 'NotIn'),
      values: fc.uniqueArray(fc.constantFrom(...VALUES), { minLength: 1 }),
    }),
    fc.record({ key: fc.constantFrom(...keys), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
  );
const selectors = (keys: string[]): fc.Arbitrary<Selector[]> =>
  fc.array(
    fc.record({
      matchLabels: fc.dictionary(fc.constantFrom(...keys), fc.constantFrom(...VALUES), { maxKeys: 1 }),
      matchExpressions: fc.array(requirement(keys), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 2 },
  );
const policies: fc.Arbitrary<AnyPolicy[]> = fc
  .array(
    fc.record({
      make: fc.constantFrom(
        (body: ReturnType<typeof spec>, name: string): AnyPolicy => privileged(body, name),
        (body: ReturnType<typeof spec>, name: string): AnyPolicy => regular('shop', body, name),
        (body: ReturnType<typeof spec>, name: string): AnyPolicy => regular('other', body, name),
        (body: ReturnType<typeof spec>, name: string): AnyPolicy => baseline(body, name),
      ),
      action: fc.constantFrom('allow', 'deny'),
      from: selectors(CLIENT_KEYS),
      to: selectors(EXPORT_KEYS),
    }),
    { maxLength: 6 },
  )
  .map((list) => list.map(({ make, action, from, to }, index) => make(spec(action, from, to), `n${index}`)));

type Known = Record<string, string>;
const assignment = (keys: string[]): fc.Arbitrary<Known> =>
  fc.dictionary(fc.constantFrom(...keys), fc.constantFrom(...VALUES, 'other'));

const question = fc
  .record({
    from: assignment(CLIENT_KEYS),
    to: assignment(EXPORT_KEYS),
    unknown: fc.subarray([ATTRIBUTES.clientNamespace, ATTRIBUTES.clientServiceAccount, ATTRIBUTES.clientLabelPrefix]),
  })
  .map(({ from, to, unknown }): Question => ({
    from: { known: from, unknown },
    to: { known: to, unknown: [] },
    namespace: 'shop',
  }));

/** Everything that the unknown attributes could turn out to be. */
function completions({ known, unknown }: Attributes): Attributes[] {
  const open = CLIENT_KEYS.filter((key) => !(key in known) && unknown.some((entry) => key.startsWith(entry)));
  return open
    .reduce<Known[]>(
      (list, key) =>
        list.flatMap((one) => CHOICES.map((value) => (value === undefined ? one : { ...one, [key]: value }))),
      [known],
    )
    .map((complete) => ({ known: complete, unknown: [] }));
}

/** A second evaluator for questions without unknowns: numbers policies by rank and takes the best that matches. */
function naive(list: readonly AnyPolicy[], { from, to, namespace }: Question): { allowed: boolean; name?: string } {
  const holds = (body: Selector, { known }: Attributes): boolean => {
    const labels = Object.keys(body.matchLabels ?? {}).filter((key) => known[key] !== body.matchLabels?.[key]);
    const failing = (body.matchExpressions ?? []).filter(({ key, operator, values = [] }) => {
      const isListed = values.some((value) => value === known[key]);
      return !{ In: isListed, NotIn: !isListed, Exists: key in known, DoesNotExist: !(key in known) }[operator];
    });
    return labels.length + failing.length === 0;
  };
  const rank = ({ kind, spec: { action } }: AnyPolicy): number =>
    ['PrivilegedAccessPolicy', 'AccessPolicy', 'BaselineAccessPolicy'].indexOf(kind) * 2 + (action === 'deny' ? 0 : 1);
  const [best] = list
    .filter((policy) => policy.kind !== 'AccessPolicy' || policy.metadata?.namespace === namespace)
    .filter(({ spec: body }) => body.from.some(({ workloadSelector = {} }) => holds(workloadSelector, from)))
    .filter(({ spec: body }) => body.to.some(({ workloadSelector = {} }) => holds(workloadSelector, to)))
    .sort((a, b) => rank(a) - rank(b) || ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1));
  return best === undefined
    ? { allowed: false }
    : { allowed: best.spec.action === 'allow', name: best.metadata?.name ?? '' };
}

describe('decide, for every set of policies', () => {
  it('nothing is unknown → what a second evaluator says, and the policy that it names', () => {
    fc.assert(
      fc.property(policies, question, (list, { from, ...rest }) => {
        const complete = { ...rest, from: { known: from.known, unknown: [] } };
        const { allowed, policy } = decide(compileAll(list), complete);
        assert.deepEqual(policy === undefined ? { allowed } : { allowed, name: policy.name }, naive(list, complete));
      }),
      { numRuns: 500 },
    );
  });

  it('allowed with unknown attributes → allowed whatever they turn out to be', () => {
    fc.assert(
      fc.property(policies, question, (list, asked) => {
        if (!decide(compileAll(list), asked).allowed) return;
        for (const from of completions(asked.from)) assert.ok(naive(list, { ...asked, from }).allowed);
      }),
      { numRuns: 500 },
    );
  });

  it('the order of policies → does not matter', () => {
    fc.assert(
      fc.property(policies, question, (list, asked) => {
        assert.deepEqual(decide(compileAll(list.toReversed()), asked), decide(compileAll(list), asked));
      }),
      { numRuns: 100 },
    );
  });
});

describe('couldAdmit, for every set of policies', () => {
  it('something that the unknown could be is allowed → true', () => {
    fc.assert(
      fc.property(policies, question, (list, asked) => {
        const isPossible = completions(asked.from).some((from) => naive(list, { ...asked, from }).allowed);
        if (isPossible) assert.ok(couldAdmit(compileAll(list), asked));
      }),
      { numRuns: 500 },
    );
  });

  it('nothing is unknown → what the decision is', () => {
    fc.assert(
      fc.property(policies, question, (list, { from, ...rest }) => {
        const complete = { ...rest, from: { known: from.known, unknown: [] } };
        const set = compileAll(list);
        assert.equal(couldAdmit(set, complete), decide(set, complete).allowed);
      }),
      { numRuns: 300 },
    );
  });
});
