/** Import rules: their order, whether they can be used, and which exports they select. */
import type { ImportBindingSpecOwner } from '../api/generated/ImportBinding.ts';
import { describeEarlyDataProblem } from '../api/early-data.ts';
import { isLabel } from '../api/names.ts';
import { compareText, formatKey, keyOf } from '../api/object.ts';
import { isReadableSelector, labelAttributes, matchSelector, type Selector } from '../policy/selector.ts';
import { findAliasProblem } from './aliases.ts';
import { findBalancingProblem } from './balancing.ts';
import type { Candidate, PeerCandidates } from './candidate.ts';
import { RULES_PER_NAMESPACE_MAX } from './limits.ts';
import type { AnyImportRule, MergePeer } from './types.ts';

/** Why a rule imports nothing (condition `Valid`). */
export interface RuleProblem {
  readonly reason: 'InvalidRule' | 'LimitReached';
  readonly message: string;
}

/** Letters, digits and '-' of a label, and the three words in braces. */
const TEMPLATE = /^(?:[a-z0-9-]|\{(?:name|namespace|peer)\})+$/;

/** Higher priority wins, then the older rule, then the name; the namespace ('' for a ClusterImportRule) makes the order total. */
export function orderRules(rules: readonly AnyImportRule[]): AnyImportRule[] {
  return [...rules].sort((a, b) => {
    const [keyA, keyB] = [keyOf(a), keyOf(b)];
    return (
      (b.spec.priority ?? 0) - (a.spec.priority ?? 0) ||
      bornMs(a) - bornMs(b) ||
      compareText(keyA.name, keyB.name) ||
      compareText(keyA.namespace, keyB.namespace)
    );
  });
}

export function ownerOf(rule: AnyImportRule): ImportBindingSpecOwner {
  const { namespace, name } = keyOf(rule);
  return namespace === '' ? { kind: rule.kind, name } : { kind: rule.kind, namespace, name };
}

/** `Kind namespace/name` */
export function describeOwner({ kind, namespace = '', name }: ImportBindingSpecOwner): string {
  return `${kind} ${formatKey({ namespace, name })}`;
}

/** The first thing that a schema cannot say and that makes the rule unusable. Fail closed: such a rule imports nothing. */
export function findRuleProblem(rule: AnyImportRule): RuleProblem | undefined {
  const { peers, exports, into, aliases = [] } = rule.spec;
  const invalid = (message: string): RuleProblem => ({ reason: 'InvalidRule', message });
  if (countGiven([peers.names, peers.selector, peers.all]) !== 1) {
    return invalid('spec.peers needs exactly one of names, selector and all.');
  }
  const narrowed = countGiven([exports.namespaces, exports.names, exports.selector]);
  if (exports.all === true ? narrowed > 0 : narrowed === 0) {
    return invalid('spec.exports needs namespaces, names or a selector; or all alone.');
  }
  for (const selector of [peers.selector, exports.selector]) {
    if (selector !== undefined && !isReadableSelector(selector)) {
      return invalid('A selector has an operator without the values it needs, or with values it cannot have.');
    }
  }
  if (!TEMPLATE.test(into?.name ?? '{name}')) {
    return invalid('spec.into.name is made of a-z, 0-9, "-", {name}, {namespace} and {peer}.');
  }
  const problem =
    findSpaceProblem(rule) ??
    findAliasProblem(aliases) ??
    findBalancingProblem(rule) ??
    describeEarlyDataProblem(rule.metadata);
  return problem === undefined ? undefined : invalid(problem);
}

/** The namespace of an import: said by the rule, and by the export only where the rule says `sameNamespace` (NSS-02). */
export function namespaceOf(rule: AnyImportRule, exportNamespace: string): string {
  if (rule.kind === 'ImportRule') return keyOf(rule).namespace;
  return rule.spec.into.sameNamespace === true ? exportNamespace : (rule.spec.into.namespace ?? '');
}

/** The exports that the rule selects, in no order that means anything. */
export function selectCandidates(rule: AnyImportRule, index: readonly PeerCandidates[]): Candidate[] {
  const { namespaces, names, selector } = rule.spec.exports;
  const wantedNames = names === undefined ? undefined : new Set(names);
  return index
    .filter(({ peer }) => selectsPeer(rule, peer))
    .flatMap(({ byNamespace }) =>
      [...(namespaces === undefined ? byNamespace.keys() : new Set(namespaces))].flatMap(
        (namespace) => byNamespace.get(namespace) ?? [],
      ),
    )
    .filter(({ source }) => wantedNames === undefined || wantedNames.has(source.name))
    .filter(({ record }) => selectsLabels(selector, record.labels ?? {}));
}

/** @param rules - in order of precedence. */
export function findRuleProblems(rules: readonly AnyImportRule[]): (RuleProblem | undefined)[] {
  const counts = new Map<string, number>();
  return rules.map((rule) => {
    if (rule.kind === 'ImportRule') {
      const { namespace } = keyOf(rule);
      const count = (counts.get(namespace) ?? 0) + 1;
      counts.set(namespace, count);
      if (count > RULES_PER_NAMESPACE_MAX) return tooManyRules(namespace);
    }
    return findRuleProblem(rule);
  });
}

function tooManyRules(namespace: string): RuleProblem {
  const message = `Of the ImportRules in namespace ${namespace} the first ${RULES_PER_NAMESPACE_MAX} by precedence count. Fix: select more with fewer.`;
  return { reason: 'LimitReached', message };
}

/** By its name and labels as the local Peer object has them; what a peer says of itself does not count. */
export function selectsPeer({ spec: { peers } }: AnyImportRule, peer: MergePeer): boolean {
  if (peers.all === true) return true;
  if (peers.names !== undefined) return peers.names.includes(peer.name);
  return peers.selector !== undefined && selectsLabels(peers.selector, peer.labels);
}

function selectsLabels(selector: Selector | undefined, labels: Readonly<Record<string, string>>): boolean {
  return selector === undefined || matchSelector(selector, labelAttributes(labels)) === 'match';
}

function findSpaceProblem(rule: AnyImportRule): string | undefined {
  if (rule.kind === 'ImportRule') return isLabel(keyOf(rule).namespace) ? undefined : 'The rule has no namespace.';
  const { into } = rule.spec;
  if (countGiven([into.namespace, into.sameNamespace]) !== 1) {
    return 'spec.into needs exactly one of namespace and sameNamespace.';
  }
  return into.namespace === undefined || isLabel(into.namespace)
    ? undefined
    : 'spec.into.namespace is not the name of a namespace.';
}

/** `all: false` says nothing. */
function countGiven(members: readonly unknown[]): number {
  return members.filter((member) => member !== undefined && member !== false).length;
}

function bornMs({ metadata }: AnyImportRule): number {
  const ms = Date.parse(metadata?.creationTimestamp ?? '');
  return Number.isNaN(ms) ? Number.MAX_SAFE_INTEGER : ms;
}
