/** What holds for every set of policies: decisions compared with a second evaluator, and with all that could be true. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { AccessPolicySpec } from '#src/api/generated/AccessPolicy.ts';
import { ATTRIBUTES } from '#src/api/names.ts';
import { couldAdmit, decide } from '#src/policy/decide.ts';
import type { Requirement, Selector } from '#src/policy/selector.ts';
import { traceDecision } from '#src/policy/trace.ts';
import type { Attributes, Decision, Question } from '#src/policy/types.ts';
import { baseline, compileAll, privileged, regular, spec, type AnyPolicy } from './fixtures.ts';
import { decideNaively, nameOf, type NaivePolicy } from './naive.ts';

const CLIENT_KEYS = [
  ATTRIBUTES.clientNamespace,
  ATTRIBUTES.clientServiceAccount,
  `${ATTRIBUTES.clientLabelPrefix}x`,
  ATTRIBUTES.peerName,
];
const EXPORT_KEYS = [ATTRIBUTES.exportName, `${ATTRIBUTES.exportLabelPrefix}x`, ATTRIBUTES.peerName];
const NAMESPACES = ['shop', 'web', 'constructor'];
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

/** What makes a spec that ClusterLink cannot read (§4.6 rows 26 and 27), whatever else it says. */
const BREAKS: ((body: AccessPolicySpec) => AccessPolicySpec)[] = [
  (body) => ({ ...body, from: [] }),
  (body) => ({ ...body, to: [] }),
  (body) => ({ ...body, to: [...body.to, { workloadSets: ['a'] }] }),
  (body) => ({ ...body, from: [{}] }),
  (body) => ({ ...body, from: [...body.from, { workloadSelector: { matchLabels: { 'a/b/c': 'x' } } }] }),
  (body) => ({
    ...body,
    to: [{ workloadSelector: { matchExpressions: [{ key: 'a', operator: 'NotIn', values: [] }] } }],
  }),
  (body) => ({ ...body, from: [{ workloadSelector: { matchExpressions: [{ key: 'a', operator: 'Equals' }] } }] }),
  (body) => ({ ...body, action: body.action === 'allow' ? 'Allow' : 'DENY' }),
];

const policies: fc.Arbitrary<NaivePolicy[]> = fc
  .array(
    fc.record({
      kind: fc.constantFrom('privileged', 'regular', 'baseline'),
      namespace: fc.constantFrom(...NAMESPACES),
      action: fc.constantFrom('allow', 'deny'),
      from: selectors(CLIENT_KEYS),
      to: selectors(EXPORT_KEYS),
      broken: fc.option(fc.constantFrom(...BREAKS), { freq: 6, nil: undefined }),
    }),
    { maxLength: 8 },
  )
  .map((list) =>
    list.map(({ kind, namespace, action, from, to, broken = (body) => body }, index) => {
      const body = broken(spec(action, from, to));
      const name = `n${index}`;
      const policy =
        kind === 'privileged'
          ? privileged(body, name)
          : kind === 'regular'
            ? regular(namespace, body, name)
            : baseline(body, name);
      return { policy, isReadable: list[index]?.broken === undefined };
    }),
  );

type Known = Record<string, string>;
const assignment = (keys: string[]): fc.Arbitrary<Known> =>
  fc.dictionary(fc.constantFrom(...keys), fc.constantFrom(...VALUES, 'other'));
const UNKNOWN_OF_CLIENTS = [ATTRIBUTES.clientNamespace, ATTRIBUTES.clientServiceAccount, ATTRIBUTES.clientLabelPrefix];

const question = fc
  .record({
    from: assignment(CLIENT_KEYS),
    to: assignment(EXPORT_KEYS),
    unknown: fc.subarray(UNKNOWN_OF_CLIENTS),
    unknownTo: fc.subarray([ATTRIBUTES.exportLabelPrefix]),
    namespace: fc.constantFrom(...NAMESPACES, 'nobody'),
  })
  .map(({ from, to, unknown, unknownTo, namespace }): Question => ({
    from: { known: from, unknown },
    to: { known: to, unknown: unknownTo },
    namespace,
  }));

/** Everything that the unknown attributes could turn out to be. */
function completions({ known, unknown }: Attributes, keys: readonly string[]): Attributes[] {
  const open = keys.filter((key) => !(key in known) && unknown.some((entry) => key.startsWith(entry)));
  return open
    .reduce<Known[]>(
      (list, key) =>
        list.flatMap((one) => CHOICES.map((value) => (value === undefined ? one : { ...one, [key]: value }))),
      [known],
    )
    .map((complete) => ({ known: complete, unknown: [] }));
}

function everyWorld(asked: Question): Question[] {
  return completions(asked.from, CLIENT_KEYS).flatMap((from) =>
    completions(asked.to, EXPORT_KEYS).map((to) => ({ ...asked, from, to })),
  );
}

const compiled = (list: readonly NaivePolicy[]) => compileAll(list.map(({ policy }) => policy));

/** As `nameOf` writes it; undefined for the default. */
function deciderOf({ policy }: Decision): string | undefined {
  return policy === undefined ? undefined : nameOf({ kind: policy.kind, metadata: policy } as unknown as AnyPolicy);
}

describe('decide, for every set of policies', () => {
  it('clusterlink.md §4.2-4.4: any question, unknown attributes among them → what a second evaluator says, by the first of the policies that it names', () => {
    fc.assert(
      fc.property(policies, question, (list, asked) => {
        const decision = decide(compiled(list), asked);
        const naive = decideNaively(list, asked);
        assert.equal(decision.allowed, naive.allowed);
        assert.equal(deciderOf(decision), naive.by.toSorted()[0]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('allowed with unknown attributes → allowed whatever they turn out to be', () => {
    fc.assert(
      fc.property(policies, question, (list, asked) => {
        if (!decide(compiled(list), asked).allowed) return;
        for (const world of everyWorld(asked)) assert.ok(decideNaively(list, world).allowed);
      }),
      { numRuns: 500 },
    );
  });

  it('the order of policies → does not matter', () => {
    fc.assert(
      fc.property(policies, question, (list, asked) => {
        assert.deepEqual(decide(compiled(list.toReversed()), asked), decide(compiled(list), asked));
      }),
      { numRuns: 100 },
    );
  });

  it('one more deny → nothing is allowed that was not', () => {
    fc.assert(
      fc.property(policies, policies, question, (list, more, asked) => {
        const denies = more.filter(({ policy }) => policy.spec.action !== 'allow');
        const renamed = denies.map((each, index) => ({
          ...each,
          policy: { ...each.policy, metadata: { ...each.policy.metadata, name: `more${index}` } },
        }));
        if (decide(compiled([...list, ...renamed]), asked).allowed) assert.ok(decide(compiled(list), asked).allowed);
      }),
      { numRuns: 300 },
    );
  });
});

describe('couldAdmit, for every set of policies', () => {
  it('any question → what a second evaluator says of it with every doubt for the client', () => {
    fc.assert(
      fc.property(policies, question, (list, asked) => {
        assert.equal(couldAdmit(compiled(list), asked), decideNaively(list, asked, 'for').allowed);
      }),
      { numRuns: 1_000 },
    );
  });

  it('something that the unknown could be is allowed → true', () => {
    fc.assert(
      fc.property(policies, question, (list, asked) => {
        const isPossible = everyWorld(asked).some((world) => decideNaively(list, world).allowed);
        if (isPossible) assert.ok(couldAdmit(compiled(list), asked));
      }),
      { numRuns: 500 },
    );
  });

  it('nothing is unknown → what the decision is', () => {
    fc.assert(
      fc.property(policies, question, (list, asked) => {
        const [world] = everyWorld(asked);
        assert.ok(world !== undefined);
        const set = compiled(list);
        assert.equal(couldAdmit(set, world), decide(set, world).allowed);
      }),
      { numRuns: 300 },
    );
  });
});

describe('traceDecision, for every set of policies', () => {
  it('any question → the decision, the policy that decides last, and a reason for each that said something else', () => {
    fc.assert(
      fc.property(policies, question, (list, asked) => {
        const set = compiled(list);
        const { decision, looks } = traceDecision(set, asked);
        assert.deepEqual(decision, decide(set, asked));
        if (decision.policy !== undefined) assert.deepEqual(looks.at(-1)?.policy, decision.policy);
        for (const { said, because, unreadable } of looks) {
          assert.equal(because.length > 0, said !== 'match' && unreadable === undefined);
          for (const obstacle of because) assert.equal(obstacle.said, said);
        }
      }),
      { numRuns: 500 },
    );
  });
});
