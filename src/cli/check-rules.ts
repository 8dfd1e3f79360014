/** Import rules beside each other: names that two of them want, and the namespaces in which they import. Pure. */
import type { IClusterImportRule } from '../api/generated/ClusterImportRule.ts';
import type { IImportRule } from '../api/generated/ImportRule.ts';
import { compareText, describeObject, keyOf } from '../api/object.ts';
import type { ManifestObject, Problem } from '../store/directory/manifest.ts';

type AnyRule = IImportRule | IClusterImportRule;
interface FoundRule<T extends AnyRule = AnyRule> {
  readonly object: T;
  readonly at: ManifestObject;
}

/** Names that one rule wants, as far as they are listed: more are not compared. */
const TARGETS_PER_RULE_MAX = 10_000;

/**
 * One rule owns an import (DESIGN §5). Told on the rule that loses, once for each that it loses to. Of rules with equal
 * priority the older wins; manifests have no age, so that the name decides here, and the message says so.
 */
export function checkRuleTargets(
  clusterRules: readonly FoundRule<IClusterImportRule>[],
  rules: readonly FoundRule<IImportRule>[],
): Problem[] {
  const ordered = [...clusterRules, ...rules].sort((a, b) => comparePrecedence(a.object, b.object));
  const ownerByTarget = new Map<string, FoundRule>();
  return ordered.flatMap((rule) => {
    const lostTo = new Map<FoundRule, string>();
    for (const target of targetsOf(rule.object)) {
      const owner = ownerByTarget.get(target);
      if (owner === undefined) ownerByTarget.set(target, rule);
      else if (owner !== rule && !lostTo.has(owner)) lostTo.set(owner, target);
    }
    return [...lostTo].map(([owner, target]) => collision(rule, owner, target));
  });
}

/** Where the rules can put imports; 'any' when an exporter's namespace decides. */
export function importNamespaces(
  clusterRules: readonly FoundRule<IClusterImportRule>[],
  rules: readonly FoundRule<IImportRule>[],
): ReadonlySet<string> | 'any' {
  const spaces = clusterRules.map(({ object: { spec } }) =>
    spec.into.sameNamespace === true ? spec.exports.namespaces : [spec.into.namespace ?? ''],
  );
  if (spaces.includes(undefined)) return 'any';
  return new Set([...spaces.flatMap((space) => space ?? []), ...rules.map(({ object }) => keyOf(object).namespace)]);
}

function comparePrecedence(a: AnyRule, b: AnyRule): number {
  return (
    (b.spec.priority ?? 0) - (a.spec.priority ?? 0) ||
    compareText(keyOf(a).name, keyOf(b).name) ||
    compareText(keyOf(a).namespace, keyOf(b).namespace) ||
    compareText(a.kind, b.kind)
  );
}

/** `namespace/name` of each import that the rule's own lists name; nothing where only the exporter's records could tell. */
function targetsOf(rule: AnyRule): string[] {
  const { peers, exports, into } = rule.spec;
  const template = into?.name ?? '{name}';
  const isSame = rule.kind === 'ClusterImportRule' && rule.spec.into.sameNamespace === true;
  const space = rule.kind === 'ClusterImportRule' ? rule.spec.into.namespace : keyOf(rule).namespace;
  const lists = [
    template.includes('{name}') ? exports.names : [''],
    template.includes('{peer}') ? peers.names : [''],
    isSame || template.includes('{namespace}') ? exports.namespaces : [''],
  ];
  const [names, peerNames, namespaces] = lists;
  if (names === undefined || peerNames === undefined || namespaces === undefined) return [];
  if (names.length * peerNames.length * namespaces.length > TARGETS_PER_RULE_MAX) return [];
  const targets = names.flatMap((name) =>
    peerNames.flatMap((peer) =>
      namespaces.map((namespace) => {
        const values = { name, peer, namespace };
        const filled = template.replaceAll(
          /\{(name|peer|namespace)\}/g,
          (_, word: keyof typeof values) => values[word],
        );
        return `${isSame ? namespace : (space ?? '')}/${filled}`;
      }),
    ),
  );
  return [...new Set(targets)];
}

function collision(loser: FoundRule, winner: FoundRule, target: string): Problem {
  const isByPriority = (winner.object.spec.priority ?? 0) > (loser.object.spec.priority ?? 0);
  const why = isByPriority ? 'by its priority' : 'by its name, if it is not the younger of the two';
  const names = `${describeObject(loser.object)} and ${describeObject(winner.object)}`;
  const message = `${names} both want the import ${target}; ${describeObject(winner.object)} wins ${why}`;
  const fix = 'Give one of them another spec.into.name or namespace, or set spec.priority to say which wins.';
  const { file, line } = loser.at;
  return {
    file,
    line,
    column: 1,
    object: describeObject(loser.object),
    field: 'spec.into',
    message,
    fix,
    severity: 'warning',
  };
}
