/** What holds for every input: the merge takes no name from a peer that no rule granted, and it is stable. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { IClusterImportRule } from '#src/api/generated/ClusterImportRule.ts';
import { isLabel, isRestrictedNamespace } from '#src/api/names.ts';
import { formatSource } from '#src/api/record.ts';
import { merge } from '#src/merge/merge.ts';
import type { AnyImportRule, MergeInput, MergePeer, MergeRecord, MergeResult } from '#src/merge/types.ts';
import { bindingsOf, clusterRule, day, deepFreeze, ports, rule, said, sceneInput } from './fixtures.ts';

const PEER_NAMES = ['a', 'a-b', 'east', 'self'];
const NAMESPACES = ['shop', 'other', 'kube-system', 'default'];

const days = fc.integer({ min: 1, max: 4 }).map(day);

type Families = NonNullable<MergeRecord['record']['ipFamilies']>;
type Spec = IClusterImportRule['spec'];

/** Few names and values, so that exports meet and contradict each other often. */
const records: fc.Arbitrary<MergeRecord[]> = fc.uniqueArray(
  fc
    .record({
      source: fc.tuple(fc.constantFrom(...PEER_NAMES), fc.constantFrom(...NAMESPACES), fc.constantFrom('db', 'web')),
      type: fc.constantFrom('ClusterSetIP' as const, 'ClusterSetIP' as const, 'Headless' as const),
      ports: fc
        .constantFrom('a/TCP/1', 'a/TCP/2', 'b/TCP/1', 'a/TCP/1 b/TCP/2', '/UDP/1', 'b/TCP/2 a/TCP/1')
        .map(ports),
      ipFamilies: fc.constantFrom<Families[]>(['IPv4'], ['IPv6'], ['IPv6', 'IPv4']),
      labels: fc.constantFrom({}, { x: '1' }),
      sessionAffinity: fc.constantFrom('None' as const, 'ClientIP' as const),
      createdAt: days,
      requires: fc.constantFrom<string[][]>([], [], [], ['future']),
    })
    .map(({ source, ...changes }) => said(source.join('/'), changes)),
  { selector: ({ peer, record }) => formatSource({ peer, ...record }), maxLength: 24 },
);

const rules: fc.Arbitrary<AnyImportRule[]> = fc.uniqueArray(
  fc
    .record({
      name: fc.constantFrom('r1', 'r2', 'r3'),
      namespace: fc.constantFrom(undefined, 'team', 'store'),
      priority: fc.constantFrom(0, 0, 5),
      createdAt: days,
      peers: fc.constantFrom<Spec['peers'][]>({ all: true }, { names: ['east', 'a'] }, { names: ['self'] }),
      exports: fc.constantFrom<Spec['exports'][]>(
        { all: true },
        { namespaces: ['shop', 'kube-system'] },
        { names: ['db'] },
      ),
      into: fc.constantFrom<Spec['into'][]>(
        { sameNamespace: true },
        { namespace: 'store' },
        { namespace: 'store', name: '{peer}-{name}' },
      ),
      merge: fc.boolean(),
    })
    .map(({ namespace, into, ...spec }) =>
      namespace === undefined
        ? clusterRule({ ...spec, into, metadata: { allow: [''] } })
        : rule(namespace, { name: spec.name, peers: spec.peers, exports: spec.exports, merge: spec.merge }),
    ),
  { selector: ({ kind, metadata }) => `${kind} ${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`, maxLength: 5 },
);

const peerList: fc.Arbitrary<MergePeer[]> = fc
  .tuple(...PEER_NAMES.map(() => days))
  .map((dates) => PEER_NAMES.map((name, index) => ({ name, labels: {}, createdAt: dates[index] ?? day(1) })));

const inputs: fc.Arbitrary<MergeInput> = fc
  .record({ records, rules, peers: peerList, earlier: records })
  .map(({ earlier, ...scene }) => ({
    ...sceneInput(scene),
    // What was in use comes from a merge of other records: sources of it may be gone, changed or outvoted since.
    previous: bindingsOf(merge(sceneInput({ ...scene, records: earlier }))),
  }));

/** The namespaces that a rule grants for an export of a namespace, told apart from how the merge tells it. */
function isGranted(rules: readonly AnyImportRule[], result: MergeResult['imports'][number]): boolean {
  const owner = rules.find(
    ({ kind, metadata }) =>
      kind === result.owner.kind &&
      metadata?.name === result.owner.name &&
      (metadata.namespace ?? '') === (result.owner.namespace ?? ''),
  );
  if (owner === undefined) return false;
  if (owner.kind === 'ImportRule') return result.key.namespace === owner.metadata?.namespace;
  const { into, exports } = owner.spec;
  if (into.namespace !== undefined) return result.key.namespace === into.namespace;
  const isListed = exports.namespaces?.includes(result.key.namespace) ?? false;
  return (
    result.sources.every(({ namespace }) => namespace === result.key.namespace) &&
    (isListed || !isRestrictedNamespace(result.key.namespace))
  );
}

describe('merge: for every input', () => {
  it('NSS-02: whatever a record says → imports lie in the space of their rule', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 70 }),
      fc.constantFrom(
        'shop',
        'db',
        'kube-system',
        '../store',
        'a/b',
        '{peer}',
        '$&',
        '__proto__',
        '-',
        '',
        'x'.repeat(64),
      ),
    );
    const map = fc.dictionary(text, text, { maxKeys: 3 });
    const hostile = fc
      .record({
        peer: fc.constantFrom(...PEER_NAMES, 'stranger'),
        namespace: text,
        name: text,
        labels: map,
        annotations: map,
      })
      .map(({ peer, ...changes }) => {
        const { record } = said(`${peer}/shop/db`);
        return { peer, record: { ...record, ...changes } };
      });
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 12 }), rules, peerList, (list, ruleList, peerNames) => {
        const { imports, verdicts } = merge(
          deepFreeze(sceneInput({ records: list, rules: ruleList, peers: peerNames })),
        );
        for (const merged of imports) {
          assert.ok(isGranted(ruleList, merged), JSON.stringify(merged));
          assert.ok(isLabel(merged.key.name) && isLabel(merged.key.namespace));
          assert.ok(merged.sources.every(({ peer }) => peer !== 'stranger'));
        }
        const keys = new Set(imports.map(({ key }) => JSON.stringify(key)));
        assert.ok(verdicts.every((verdict) => keys.has(JSON.stringify(verdict.import))));
      }),
      { numRuns: 300 },
    );
  });

  it('CFL-07: any order of records, rules, peers and bindings → the same result', () => {
    const shuffled = inputs.chain((input) =>
      fc
        .record({
          records: fc.shuffledSubarray([...input.records], { minLength: input.records.length }),
          rules: fc.shuffledSubarray([...input.rules], { minLength: input.rules.length }),
          peers: fc.shuffledSubarray([...input.peers], { minLength: input.peers.length }),
          previous: fc.shuffledSubarray([...input.previous], { minLength: input.previous.length }),
        })
        .map((other) => [input, { ...input, ...other }] as const),
    );
    fc.assert(
      fc.property(shuffled, ([input, other]) => assert.deepEqual(merge(other), merge(input))),
      { numRuns: 200 },
    );
  });

  it('CFL-02: the result fed back as what is in use → the same result, and the input untouched', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const first = merge(deepFreeze(input));
        assert.deepEqual(merge({ ...input, previous: bindingsOf(first) }), first);
      }),
      { numRuns: 300 },
    );
  });

  it('CFL-02, CFL-03: exports are added to what is in use → type, ports, sources and their order stay', () => {
    fc.assert(
      fc.property(records, records, rules, peerList, (before, after, ruleList, peerNames) => {
        const scene = { rules: ruleList, peers: peerNames };
        const first = merge(sceneInput({ ...scene, records: before }));
        const isThere = new Set(before.map(({ peer, record }) => formatSource({ peer, ...record })));
        const added = after.filter(({ peer, record }) => !isThere.has(formatSource({ peer, ...record })));
        const second = merge(sceneInput({ ...scene, records: [...before, ...added], previous: bindingsOf(first) }));
        for (const inUse of first.imports) {
          const now = second.imports.find(
            ({ key }) => key.namespace === inUse.key.namespace && key.name === inUse.key.name,
          );
          assert.ok(now);
          // Which rule owns a name is the administrator's order of rules, not the age of exports.
          if (now.owner.name !== inUse.owner.name || now.owner.kind !== inUse.owner.kind) continue;
          assert.equal(now.type, inUse.type);
          assert.equal(now.sessionAffinity, inUse.sessionAffinity);
          assert.deepEqual(now.labels, inUse.labels);
          assert.deepEqual(
            now.sources.slice(0, inUse.sources.length),
            inUse.sources.map((source, index) => ({
              ...source,
              // A port that came with a new export may be one that this source has too.
              ports: now.sources[index]?.ports ?? [],
            })),
          );
          for (const port of inUse.ports) {
            assert.ok(
              now.ports.some(
                ({ name, protocol, port: number }) =>
                  name === port.name && protocol === port.protocol && number === port.port,
              ),
            );
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('CFL-11, CFL-27: all constituents of an import → the same reasons; a loss only where there is a conflict', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const { verdicts } = merge(input);
        for (const verdict of verdicts) {
          const others = verdicts.filter(
            ({ import: key }) => key.namespace === verdict.import.namespace && key.name === verdict.import.name,
          );
          for (const other of others) assert.deepEqual(other.reasons, verdict.reasons);
          if (others.length === 1) assert.deepEqual(verdict.reasons, []);
          assert.equal(verdict.message === '', verdict.reasons.length === 0);
          if (verdict.loses) assert.notEqual(verdict.reasons.length, 0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('CFL-21: every port of a source → one of the import and one of the export', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const said = new Map(input.records.map(({ peer, record }) => [formatSource({ peer, ...record }), record]));
        for (const { sources, ports: united } of merge(input).imports) {
          assert.equal(new Set(united.map(({ name }) => name)).size, united.length, 'CRD-11: names');
          assert.equal(
            new Set(united.map(({ protocol, port }) => `${protocol}/${port}`)).size,
            united.length,
            'CRD-11',
          );
          for (const source of sources) {
            for (const port of source.ports) {
              assert.ok(
                united.some(
                  ({ name, protocol, port: number }) =>
                    name === port.name && protocol === port.protocol && number === port.port,
                ),
              );
              const own = said.get(formatSource(source))?.ports ?? [];
              assert.ok(own.some(({ protocol, port: number }) => protocol === port.protocol && number === port.port));
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
